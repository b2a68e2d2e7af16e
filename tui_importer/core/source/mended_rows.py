"""Reads which rejected row each row of a mended reject workbook was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec.structs import replace

from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.model.batch import Block
from tui_importer.core.model.mending import KEY_HEADER, RejectKey, key_place, parse_key, source_width
from tui_importer.core.source.layout import Layout
from tui_importer.errors import SourceError


def without_reasons(path: Path, sheet: str, layout: Layout) -> tuple[Layout, int]:
    """The layout of the user's own columns, and the sheet column (from 0) of the keys.

    Raises :class:`SourceError` if there is none.
    """
    place = key_place(layout.headers)
    if place is None:
        raise SourceError(
            f"{path}: sheet {sheet!r} has no column {KEY_HEADER!r}, so nothing says which rejected row each row was"
        )
    width = min(source_width(layout.headers), place)
    bounds = replace(layout.bounds, last_column=layout.first_column + width - 1)  # whatever is found further right
    return replace(layout, headers=layout.headers[:width], bounds=bounds), layout.first_column + place


def mended_rows(
    path: Path, sheet: str, blocks: Iterable[Block], layout: Layout, key_column: int
) -> dict[int, RejectKey]:
    """The key of each row below the header that is not blank.

    Raises :class:`SourceError` for a row without a key, and for a key that another row has.
    """
    keys: dict[int, RejectKey] = {}
    rows: dict[RejectKey, int] = {}
    last_column = layout.first_column + len(layout.headers)
    for row, text, filled in _cells(blocks, layout.first_row, key_column, last_column):
        key = None if text is None else parse_key(text)
        if key is None:
            if filled:
                raise SourceError(
                    f"{path}: row {row:,} of sheet {sheet!r} has no key in column {KEY_HEADER!r}: import rows that "
                    "were not rejected from a file of their own"
                )
            continue
        if key in rows:
            raise SourceError(
                f"{path}: rows {rows[key]:,} and {row:,} of sheet {sheet!r} are the same rejected row: keep one of them"
            )
        rows[key], keys[row] = row, key
    return keys


def _cells(
    blocks: Iterable[Block], first_row: int, key_column: int, last_column: int
) -> Iterator[tuple[int, str | None, bool]]:
    """Each row with the text of its key, and whether any cell of the table is filled."""
    for block in blocks:
        own = [column for place, column in enumerate(block.columns, block.first_column) if place < last_column]
        blank = [column.blank_mask for column in own]
        place = key_column - block.first_column
        keys = block.columns[place].values() if 0 <= place < len(block.columns) else [None] * len(block)
        for offset, key in enumerate(keys):
            row = block.first_row + offset
            if row >= first_row:
                yield row, as_text(key), not all(mask[offset] for mask in blank)
