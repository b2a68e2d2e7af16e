"""The format of each column of a plan: what the user gives, what the column's texts prove, and what is said of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from tui_importer.core.conversion.inference import Inferred
from tui_importer.core.conversion.written import MOMENTS, NUMBERS
from tui_importer.core.model.formats import NO_FORMATS, PLAIN, ColumnFormat, Formats
from tui_importer.core.model.lists import listed
from tui_importer.core.model.names import normalized, target_names
from tui_importer.core.model.patterns import pattern
from tui_importer.core.model.types import ColumnType, Kind
from tui_importer.core.source.layout import Layout

_OPTION_VALUE = pattern(r"\{column=([^}]*)\}")


def given_format(formats: Formats, *names: str) -> ColumnFormat:
    """The user's format for a column with these names."""
    wanted = set(map(normalized, names))
    format_ = formats.all
    for name, each in formats.columns.items():
        if normalized(name) in wanted:
            format_ = format_.merged(each)
    return format_


def formats_by_position(formats: Formats, layout: Layout) -> dict[int, ColumnFormat]:
    """The user's formats by sheet column (from 0), where the table's own names are not known yet."""
    if formats == NO_FORMATS:
        return {}
    positions = range(layout.first_column, layout.first_column + len(layout.headers))
    names = target_names(layout.headers, positions=positions).names
    return {
        position: given_format(formats, header or "", name)
        for position, header, name in zip(positions, layout.headers, names, strict=True)
    }


def is_proven_by_texts(type_: ColumnType) -> bool:
    """Whether the texts for a column of this type can be in a form that only all of them together prove."""
    return type_.kind in NUMBERS | MOMENTS


def proven_format(type_: ColumnType, found: Inferred) -> ColumnFormat:
    """What the texts have proven, as far as it matters for a column of this type."""
    proven = found.format
    if type_.kind in NUMBERS:
        return ColumnFormat(decimal_mark=proven.decimal_mark, percent=proven.percent, currency=proven.currency)
    return ColumnFormat(date_format=proven.date_format) if type_.kind in MOMENTS else PLAIN


def effective_format(type_: ColumnType, given: ColumnFormat, proven: ColumnFormat) -> ColumnFormat:
    """How the cells of a column of this type are read."""
    format_ = given.merged(proven)
    return ColumnFormat(
        null_if=format_.null_if,
        date_format=format_.date_format if type_.kind in MOMENTS else None,
        decimal_mark=format_.decimal_mark if type_.kind in NUMBERS else None,
        percent=format_.percent and type_.kind in NUMBERS,
        currency=format_.currency if type_.kind in NUMBERS else None,
        true_words=format_.true_words if type_.kind is Kind.BOOLEAN else (),
        false_words=format_.false_words if type_.kind is Kind.BOOLEAN else (),
        round=format_.round and type_.kind in NUMBERS,
    )


def notes_on_texts(columns: Iterable[tuple[str, ColumnType, Inferred]], *, new: bool) -> list[str]:
    """One note for each way in which texts are read or could be read, about columns given by header and type.

    ``new``: the table does not exist, so that the types can be chosen.
    """
    headers: dict[str, list[str]] = {}
    for header, type_, found in columns:
        is_text = type_.kind in (Kind.TEXT, Kind.OTHER)
        if not is_text and found.reading is not None and (new or proven_format(type_, found) != PLAIN):
            keep = " (--type {column=text} keeps the text)" if new else ""
            headers.setdefault(f"{found.reading}{keep}", []).append(header)
        if found.hint is not None and (is_text or (not new and proven_format(type_, found) == PLAIN)):
            headers.setdefault(f"stays text; {found.hint}" if new else found.hint, []).append(header)
    return [_note(text, names) for text, names in headers.items()]


def _note(text: str, headers: Sequence[str]) -> str:
    column = headers[0] if len(headers) == 1 else "COLUMN"
    text = _OPTION_VALUE.sub(lambda match: shlex.quote(f"{column}={match[1]}"), text)
    return f"column{'s' * (len(headers) > 1)} {listed(list(map(repr, headers)))}: {text}"
