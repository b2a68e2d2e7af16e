"""The first rows of a sheet, as shown before anything is decided."""

from __future__ import annotations

import msgspec

#: The limits of a preview: rows, columns, and characters of a cell.
PREVIEW_ROWS, PREVIEW_COLUMNS, PREVIEW_TEXT = 40, 100, 200


class Preview(msgspec.Struct, frozen=True):
    """The first rows of a sheet as text, from sheet row ``first_row`` (from 1) and column ``first_column`` (from 0) on.

    ``sheets`` has the names of all sheets.
    """

    sheets: tuple[str, ...]
    sheet: str
    first_row: int
    first_column: int
    rows: tuple[tuple[str, ...], ...]
