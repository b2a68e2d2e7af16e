"""The reader: it parses sheets in compiled code, and leaves a file with anything unusual to the built-in reader.

A large sheet is parsed while its rows are used, so that something unusual may be found after some of its rows were. The
built-in reader then goes on with the row after them, once it is certain that it reads those rows alike.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from tui_importer import (
    Block,
    CellRange,
    Layout,
    ListColumn,
    MergedSheet,
    NotedSheet,
    OpenSheet,
    Reader,
    SheetInfo,
    SourceError,
    Workbook,
)
from tui_importer_native import _native

#: Below the logger of libraries, whose records are kept from the beginning and shown with ``-v``.
_log = logging.getLogger("tui_importer.libraries.native")

#: Sums of cells are numbers below this.
_SUMS = 1 << 64


class Limits(NamedTuple):
    """What is read at once and kept in memory, in bytes; None: what is sensible.

    A sheet with at most ``small`` bytes of XML is read to its end before its rows are used. Beyond ``cells`` the sheet
    is read again when its rows are needed again, and beyond ``strings`` the shared strings are in a temporary file.
    """

    small: int | None = None
    cells: int | None = None
    strings: int | None = None


class NativeReader:
    """Fast, and needs little memory however large the workbook is."""

    typed = True

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()

    def open(self, path: Path) -> Workbook:
        """Open the file. Raises :class:`tui_importer.SourceError` if the built-in reader cannot read it either."""
        try:
            workbook = _native.Workbook(path, kept_strings=self._limits.strings)
            return NativeWorkbook(path, workbook, self._limits)
        except _native.UnusualError as error:
            _log_unusual(path, error)
            return _built_in().open(path)

    def limits(self, path: Path) -> tuple[str, ...]:
        return ()


class NativeWorkbook:
    """An open workbook, until something unusual is found in one of its sheets: from then on it is the built-in
    reader's."""

    def __init__(self, path: Path, workbook: _native.Workbook, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._workbook: _native.Workbook | None = workbook
        self._left: Workbook | None = None
        self._sheets = [SheetInfo(name, hidden=hidden) for name, hidden in workbook.sheets]

    @property
    def sheets(self) -> Sequence[SheetInfo]:
        return self._sheets if self._left is None else self._left.sheets

    def sheet(self, name: str) -> OpenSheet:
        """Begin to parse the sheet, without the GIL; a small one is parsed to its end."""
        if self._workbook is not None:
            try:
                sheet = self._workbook.sheet(name, small=self._limits.small, kept=self._limits.cells)
                return NativeSheet(self, name, sheet)
            except _native.UnusualError as error:
                return self.leave(name, error)
        return self._left_workbook().sheet(name)

    def leave(self, name: str, error: _native.UnusualError) -> OpenSheet:
        """The sheet as the built-in reader opens it, because of something unusual."""
        _log_unusual(self._path, error)
        self._workbook = None
        return self._left_workbook().sheet(name)

    def differs(self, name: str, row: int) -> SourceError:
        """The error about a sheet whose first rows both readers do not read alike."""
        return SourceError(
            f"{self._path}: sheet {name!r} is damaged: its end says something else of the first {row:,} rows than its "
            "beginning; --reader calamine reads it as a whole before it imports anything"
        )

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

    def _left_workbook(self) -> Workbook:
        if self._left is None:
            self._left = _built_in().open(self._path)
        return self._left


class NativeSheet:
    """A sheet that is parsed while its rows are used, until something unusual is found."""

    def __init__(self, workbook: NativeWorkbook, name: str, sheet: _native.Sheet) -> None:
        self.name = name
        self.row_hint: int | None = sheet.rows
        self._workbook = workbook
        self._sheet = sheet
        self._left: OpenSheet | None = None

    def blocks(self, rows: int) -> Iterator[Block]:
        if self._left is not None:
            yield from _from_column(self._left.blocks(rows), self._sheet.first_column)
            return
        row = 0
        try:
            for first, columns in self._sheet.blocks(rows):
                row = first + len(columns[0])
                yield Block(first_row=first + 1, columns=tuple(columns), first_column=self._sheet.first_column)
        except _native.UnusualError as error:
            self._leave(error)
        else:
            self.row_hint = row  # what the sheet says of itself may be wrong
            return
        yield from self._rest(rows, row)

    def merged(self, last_row: int) -> Sequence[CellRange]:
        try:
            found = self._sheet.merged() if self._left is None else []
        except _native.UnusualError as error:
            self._leave(error)
        if self._left is not None:
            return self._left.merged(last_row) if isinstance(self._left, MergedSheet) else ()
        return [CellRange(top + 1, bottom + 1, left, right) for top, bottom, left, right in found if top < last_row]

    def notes(self, layout: Layout) -> tuple[str, ...]:
        """Those of the built-in reader, if it reads the sheet."""
        return self._left.notes(layout) if isinstance(self._left, NotedSheet) else ()

    def _leave(self, error: _native.UnusualError) -> None:
        if self._left is None:
            self._left = self._workbook.leave(self.name, error)
            self.row_hint = self._left.row_hint

    def _rest(self, rows: int, last_row: int) -> Iterator[Block]:
        """The blocks after ``last_row`` (from 1) as the built-in reader reads them.

        Raises :class:`tui_importer.SourceError` unless it reads the rows before as this reader does.
        """
        assert self._left is not None
        seen = self._sum(rows, last_row) if last_row else 0
        found = 0
        for block in _from_column(self._left.blocks(rows), self._sheet.first_column):
            known = max(0, min(len(block), last_row - block.first_row + 1))
            if known:
                found += _sum_of(block, known)
            if known < len(block):
                if last_row and (found - seen) % _SUMS:
                    break
                last_row = 0
                yield _cut(block, known)
        if last_row and (found - seen) % _SUMS:
            raise self._workbook.differs(self.name, last_row)

    def _sum(self, rows: int, last_row: int) -> int:
        """The sum of the cells up to ``last_row``, which are read once more."""
        found = 0
        for first, columns in self._sheet.blocks(rows):
            found += _native.digest(first, self._sheet.first_column, columns)
            if first + len(columns[0]) >= last_row:
                break
        return found


def _sum_of(block: Block, rows: int) -> int:
    """The sum of the first cells of a block; -1, which is hardly the sum of any, for cells that no workbook has."""
    try:
        columns = [_native.Column.from_cells(column.slice(0, rows).values()) for column in block.columns]
    except TypeError:
        return -1
    return _native.digest(block.first_row - 1, block.first_column, columns)


def _from_column(blocks: Iterator[Block], first_column: int) -> Iterator[Block]:
    """The blocks with the same first column as those before; they have no cells in earlier ones."""
    for block in blocks:
        missing = max(0, block.first_column - first_column)
        blanks = (ListColumn([None] * len(block)),) * missing
        yield Block(
            first_row=block.first_row,
            columns=(*blanks, *block.columns),
            first_column=block.first_column - missing,
        )


def _cut(block: Block, start: int) -> Block:
    """The rows of the block from ``start`` (from 0) on."""
    if start == 0:
        return block
    columns = tuple(column.slice(start, len(block)) for column in block.columns)
    return Block(first_row=block.first_row + start, columns=columns, first_column=block.first_column)


def _built_in() -> Reader:
    """The reader that unusual files are left to."""
    from tui_importer import CalamineReader  # importing it takes as long as reading a small file

    return CalamineReader()


def _log_unusual(path: Path, error: _native.UnusualError) -> None:
    _log.debug("%s: left to the built-in reader: %s", path, error)
