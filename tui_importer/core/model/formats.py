"""How values are written as text, for all columns or for one: given by the user, or proven by a column's cells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from tui_importer.core.model.date_format import parse_date_format
from tui_importer.core.model.fields import convert_fields
from tui_importer.core.model.suggest import closest
from tui_importer.errors import PlanError

DecimalMark = Annotated[Literal[".", ","], Meta(description="a point or a comma")]
_Words = Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(description="a list of texts")]

_MARK_WORDS = {"point": ".", "dot": ".", "comma": ","}


class ColumnFormat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the values of a column are written.

    ``date_format`` is described in :mod:`tui_importer.core.model.date_format`. With a ``decimal_mark``, numbers may
    also have thousands marks; each is a ``percent`` or in the ``currency`` if these are set. ``null_if`` are words for
    NULL, compared with the whole cell; ``true_words`` and ``false_words`` are compared ignoring case. ``round``: a
    number with more decimals than the column is rounded, not rejected. Raises :class:`PlanError` for an invalid value.
    """

    date_format: str | None = None
    decimal_mark: DecimalMark | None = None
    percent: bool = False
    currency: str | None = None
    null_if: _Words = ()
    true_words: _Words = ()
    false_words: _Words = ()
    round: bool = False

    def __post_init__(self) -> None:
        mark = self.decimal_mark
        msgspec.structs.force_setattr(self, "decimal_mark", _MARK_WORDS.get(mark, mark) if mark else None)
        convert_fields(self)
        if self.date_format is not None:
            msgspec.structs.force_setattr(self, "date_format", parse_date_format(self.date_format))
        both = {word.casefold() for word in self.true_words} & {word.casefold() for word in self.false_words}
        if both:
            raise PlanError(f"{min(both)!r} cannot be both a true word and a false word")

    def merged(self, other: ColumnFormat) -> ColumnFormat:
        """This format with what ``other`` says: its words are added, its other values come first."""
        return ColumnFormat(
            date_format=other.date_format or self.date_format,
            decimal_mark=other.decimal_mark or self.decimal_mark,
            percent=other.percent or self.percent,
            currency=other.currency or self.currency,
            null_if=_union(self.null_if, other.null_if),
            true_words=_union(self.true_words, other.true_words),
            false_words=_union(self.false_words, other.false_words),
            round=other.round or self.round,
        )


#: The format in which nothing is said.
PLAIN = ColumnFormat()


class Formats(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The formats of an import: what the user says of ``all`` columns, and of single ``columns``, by their header or
    their name in the table."""

    all: ColumnFormat = PLAIN
    columns: dict[str, ColumnFormat] = {}

    def __post_init__(self) -> None:
        if isinstance(self.all, dict):  # from a plan file
            msgspec.structs.force_setattr(self, "all", column_format(self.all, "formats.all"))
        if isinstance(self.columns, dict):
            columns = {
                name: column_format(value, f"formats.columns.{name}") if isinstance(value, dict) else value
                for name, value in self.columns.items()
            }
            msgspec.structs.force_setattr(self, "columns", columns)
        convert_fields(self)


def column_format(values: dict[str, Any], place: str) -> ColumnFormat:
    """The format with these fields; raises :class:`PlanError` naming the ``place`` for an unknown or invalid one."""
    known = ColumnFormat.__struct_fields__
    for name in values:
        if name not in known:
            close = closest(name, known)
            hint = f"did you mean {close!r}?" if close else f"known keys: {', '.join(known)}"
            raise PlanError(f"unknown key {name!r} in [{place}]: {hint}")
    return ColumnFormat(**values)


#: The formats of an import of which nothing is said.
NO_FORMATS = Formats()

#: The fields of a format that users give, each as ``[COLUMN=]VALUE`` on the command line. Those with True take several
#: values.
GIVEN_FIELDS = {"date_format": False, "decimal_mark": False, "null_if": True, "true_words": True, "false_words": True}


def parse_value_of_column(text: str) -> tuple[str | None, str]:
    """Parse ``[COLUMN=]VALUE``: the column (None: all of them) and the value.

    A value with an equals sign in it is written ``=VALUE``. Raises :class:`PlanError` if there is no value.
    """
    column, equals, value = text.partition("=")
    if not equals:
        column, value = "", column
    if not value:
        raise PlanError(f"{text!r} is not [COLUMN=]VALUE")
    return column or None, value


def formats_given(base: Formats, values: Iterable[tuple[str, str | None, object]]) -> Formats:
    """The formats of ``base`` with further values: for each a field, a column (None: all of them) and the value.

    Words are added to those of ``base``. Raises :class:`PlanError` for an invalid value.
    """
    general, columns = base.all, dict(base.columns)
    for field, column, value in values:
        given = ColumnFormat(**{field: (value,) if GIVEN_FIELDS.get(field) else value})  # type: ignore[arg-type]
        if column is None:
            general = general.merged(given)
        else:
            columns[column] = columns.get(column, PLAIN).merged(given)
    return Formats(all=general, columns=columns)


def _union(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
