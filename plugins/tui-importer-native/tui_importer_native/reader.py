"""The reader: it parses sheets in compiled code, and leaves a file with anything unusual to the built-in reader."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from tui_importer import Block, CalamineReader, CellRange, OpenSheet, SheetInfo, Workbook
from tui_importer_native import _native

#: Below the logger of libraries, whose records are kept from the beginning and shown with ``-v``.
_log = logging.getLogger("tui_importer.libraries.native")


class NativeReader:
    """Fast; holds the cells of one sheet in memory, compactly."""

    typed = True

    def open(self, path: Path) -> Workbook:
        """Open the file. Raises :class:`tui_importer.SourceError` if the built-in reader cannot read it either."""
        try:
            return NativeWorkbook(path, _native.Workbook(path))
        except _native.UnusualError as error:
            _log_unusual(path, error)
            return CalamineReader().open(path)

    def limits(self, path: Path) -> tuple[str, ...]:
        return CalamineReader().limits(path)


class NativeWorkbook:
    """An open workbook, until something unusual is found in one of its sheets: from then on it is the built-in
    reader's."""

    def __init__(self, path: Path, workbook: _native.Workbook) -> None:
        self._path = path
        self._workbook: _native.Workbook | None = workbook
        self._left: Workbook | None = None
        self._sheets = [SheetInfo(name, hidden=hidden) for name, hidden in workbook.sheets]

    @property
    def sheets(self) -> Sequence[SheetInfo]:
        return self._sheets if self._left is None else self._left.sheets

    def sheet(self, name: str) -> OpenSheet:
        """Parse the sheet, without the GIL."""
        if self._workbook is not None:
            try:
                return NativeSheet(name, self._workbook.sheet(name))
            except _native.UnusualError as error:
                _log_unusual(self._path, error)
                self._workbook = None
        if self._left is None:
            self._left = CalamineReader().open(self._path)
        return self._left.sheet(name)

    def close(self) -> None:
        self._workbook = None
        if self._left is not None:
            self._left.close()

    def __enter__(self) -> NativeWorkbook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class NativeSheet:
    """A parsed sheet."""

    def __init__(self, name: str, sheet: _native.Sheet) -> None:
        self.name = name
        self._sheet = sheet
        self.row_hint: int | None = sheet.rows

    def blocks(self, rows: int) -> Iterator[Block]:
        for start in range(0, self._sheet.rows, rows):
            columns = tuple(self._sheet.columns(start, start + rows))
            yield Block(first_row=start + 1, columns=columns, first_column=self._sheet.first_column)

    def merged(self, last_row: int) -> Sequence[CellRange]:
        return [
            CellRange(top + 1, bottom + 1, left, right)
            for top, bottom, left, right in self._sheet.merged
            if top < last_row
        ]


def _log_unusual(path: Path, error: _native.UnusualError) -> None:
    _log.debug("%s: left to the built-in reader: %s", path, error)
