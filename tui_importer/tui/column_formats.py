"""The formats that the setup screen gives to columns, and what they make of a column's texts."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tui_importer.core.conversion.convert import Conversion
from tui_importer.core.conversion.inference import ColumnInference
from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.model.formats import PLAIN, ColumnFormat, Formats
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.names import normalized
from tui_importer.core.model.types import ColumnType
from tui_importer.core.planning.formats import effective_format, proven_format

_MARKS = {".": "decimal point", ",": "decimal comma"}


class GivenFormat(msgspec.Struct, frozen=True):
    """What is given for one column, and the words for NULL of all columns."""

    own: ColumnFormat
    null_if: tuple[str, ...]


def own_format(formats: Formats, header: str, target: str) -> ColumnFormat:
    """The format that is given for this column alone."""
    own = PLAIN
    for name, format_ in formats.columns.items():
        if _is_name(name, header, target):
            own = own.merged(format_)
    return own


def with_format(formats: Formats, header: str, target: str, given: GivenFormat) -> Formats:
    """The formats with this one for the column, in place of what was given for it."""
    columns = {name: each for name, each in formats.columns.items() if not _is_name(name, header, target)}
    if given.own != PLAIN:
        columns[header or target] = given.own
    return Formats(all=msgspec.structs.replace(formats.all, null_if=given.null_if), columns=columns)


def format_words(format_: ColumnFormat) -> str:
    """A format in a few words."""
    mark = None if format_.decimal_mark is None else _MARKS[format_.decimal_mark]
    return ", ".join(filter(None, (format_.date_format, mark)))


def effect(texts: Sequence[str], format_: ColumnFormat, type_: ColumnType | None) -> tuple[str, list[str]]:
    """The type of a column of these texts, by itself if None is chosen, and what each text becomes: a value, NULL, or a
    reason for its rejection."""
    column = ListColumn(list(texts))
    inference = ColumnInference(typed=False, given=format_)
    inference.add(column, 1)
    found = inference.result()
    if type_ is None:
        type_ = found.type
    conversion = Conversion(type_, format=effective_format(type_, format_, proven_format(type_, found)))
    converted, refused = conversion.apply(column)
    return str(type_), [
        f"rejected: {refused[row]}" if row in refused else as_text(value) or "NULL"
        for row, value in enumerate(converted.values())
    ]


def _is_name(name: str, header: str, target: str) -> bool:
    return normalized(name) in (normalized(header), normalized(target))
