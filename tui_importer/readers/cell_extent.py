"""Measures the extent of a sheet's cells before a library allocates it as one rectangle.

python-calamine allocates every cell between the first and the last one. For a cell at XFD1048576 that is half a
terabyte; if memory is short, it aborts the process.
"""

from __future__ import annotations

from pathlib import Path

from tui_importer.core.model.cells import MAX_COLUMNS, MAX_ROWS, column_letters
from tui_importer.core.model.patterns import pattern
from tui_importer.errors import SourceError
from tui_importer.readers.package import damaged

#: Columns of one letter are not searched for.
_NEAR_COLUMNS = 26
#: The attribute r of a filled cell in farther columns, as every program writes it ...
_FAR = pattern(rb""" r="([A-Za-z]{2,}(?=[0-9]{1,6}")|[A-Za-z]+[0-9]{7,})[0-9]*"[^<>]*(?<!/)>""")
_ROW = pattern(rb"""<row [^<>]*?\br="([0-9]{1,20})\"""")
#: ... and other ways to write it. Programs are consistent, so the first bytes of a window are enough.
_ODD = pattern(rb"""[\t\r\n]r\s*=| r(?:\s|=[^"])""")
_ODD_BYTES = 1 << 14

#: A rectangle of this many cells takes a gigabyte.
_MANY_CELLS = 32 << 20
#: A filled cell takes about 20 bytes of XML: a sheet with fewer than two per cell of its rectangle is nearly empty.
_BYTES_PER_CELL = 2


class CellExtent:
    """The last column and row (from 1) with a filled cell in the XML seen so far."""

    def __init__(self) -> None:
        self.columns = 0
        self.rows = 0
        self.bytes = 0

    def add(self, row: int, column: int) -> None:
        """Include a cell: ``row`` is its sheet row (from 1), ``column`` its sheet column (from 0)."""
        self.rows = max(self.rows, row)
        self.columns = max(self.columns, column + 1)

    def search(self, window: bytes) -> bool:
        """Include whole rows of plain XML; False if they are written in an unusual way."""
        self.bytes += len(window)
        if _ODD.search(window, 0, _ODD_BYTES):
            return False
        self.columns = max(self.columns, _NEAR_COLUMNS)
        # Rows are in order. A row with formatting but no cells does not count.
        last = _ROW.match(window, max(0, window.rfind(b"<row ", 0, max(0, window.rfind(b"</c>")))))
        self.rows = max(self.rows, int(last[1]) if last else 0)
        for reference in set(_FAR.findall(window)):
            letters = reference.rstrip(b"0123456789").upper()
            self.add(int(reference[len(letters) :] or 0), _column(letters))
        return True

    def check_limits(self, path: Path) -> None:
        """Refuse a sheet with a cell outside of the limits of sheets."""
        if self.rows > MAX_ROWS or self.columns > MAX_COLUMNS:
            raise damaged(path, f"a cell lies beyond {column_letters(MAX_COLUMNS - 1)}{MAX_ROWS}, the last of a sheet")

    def check_rectangle(self, path: Path, sheet: str) -> None:
        """Refuse a sheet whose cells lie too far apart for one rectangle."""
        cells = self.rows * self.columns
        if cells > _MANY_CELLS and cells * _BYTES_PER_CELL > self.bytes:
            last = f"{column_letters(self.columns - 1)}{self.rows}"
            raise SourceError(
                f"{path}: sheet {sheet!r} reaches to {last} but is nearly empty: --reader openpyxl reads such sheets, "
                "and --range leaves out what lies far away"
            )


def _column(letters: bytes) -> int:
    """The column (from 0) of any letters, also beyond the limit of sheets."""
    column = 0
    for letter in letters:
        column = column * 26 + letter - ord("A") + 1
    return column - 1
