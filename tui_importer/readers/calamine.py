"""xlsx, xlsm, xlsb, xls and ods through python-calamine, which parses a whole sheet in Rust without the GIL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from tui_importer.core.model.batch import Block
from tui_importer.core.source.layout import Layout
from tui_importer.core.source.reader import SheetInfo
from tui_importer.readers.blocks import Record, blocks, revealed, shifted
from tui_importer.readers.files import check_workbook, library_errors
from tui_importer.readers.found import Found, package_cells
from tui_importer.readers.hidden_cells import is_searchable
from tui_importer.readers.other_formats import search_for
from tui_importer.readers.package import Package
from tui_importer.readers.probe import probe


class CalamineReader:
    """The default reader: fast, holds one sheet in memory."""

    typed = True

    def open(self, path: Path) -> CalamineFile:
        """Open the file. Meanwhile a thread searches its first sheet for cells that python-calamine hides."""
        check_workbook(path)
        if not is_searchable(path):
            probe(path)
            with library_errors(path):
                return CalamineFile(path, CalamineWorkbook.from_path(str(path)))
        package = Package(path)
        package.check_shared_strings()
        first = package.first_sheet()
        with ThreadPoolExecutor(1, thread_name_prefix="hidden-cells") as pool, library_errors(path):
            searches = {first: pool.submit(package_cells, path, first)} if first is not None else {}
            return CalamineFile(path, CalamineWorkbook.from_path(str(path)), searches)

    def limits(self, path: Path) -> tuple[str, ...]:
        return ()


class CalamineFile:
    """An open workbook. ``searches`` holds the running searches for hidden cells, by sheet, of an xlsx or xlsm file; it
    is None for other formats."""

    def __init__(
        self, path: Path, workbook: CalamineWorkbook, searches: Mapping[str, Future[Found]] | None = None
    ) -> None:
        self._path = path
        self._workbook = workbook
        self._searches = searches
        self.sheets: Sequence[SheetInfo] = [
            SheetInfo(sheet.name, hidden=sheet.visible is not SheetVisibleEnum.Visible)
            for sheet in workbook.sheets_metadata
            if sheet.typ is SheetTypeEnum.WorkSheet
        ]

    def sheet(self, name: str) -> CalamineOpenSheet:
        """Parse the sheet, after the checks that python-calamine survives it."""
        if self._searches is None:
            found = self._search(name)
        else:
            found = self._searches[name].result() if name in self._searches else package_cells(self._path, name)
        with library_errors(self._path):
            return CalamineOpenSheet(self._path, self._workbook.get_sheet_by_name(name), found)

    def _search(self, name: str) -> Found:
        """Search for hidden cells while a child process tries whether python-calamine survives the sheet."""
        number = [sheet.name for sheet in self._workbook.sheets_metadata].index(name)
        with ThreadPoolExecutor(1, thread_name_prefix="hidden-cells") as pool, library_errors(self._path):
            search = pool.submit(search_for(self._path), self._path, name, number)
            probe(self._path, name)
            return search.result()

    def close(self) -> None:
        self._workbook.close()

    def __enter__(self) -> CalamineFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class CalamineOpenSheet:
    """A parsed sheet."""

    def __init__(self, path: Path, sheet: CalamineSheet, found: Found) -> None:
        self._path = path
        self._sheet = sheet
        self._found = found
        hidden = found.cells
        self.name = sheet.name
        start, end = sheet.start, sheet.end
        self.row_hint: int | None = max(end[0] + 1 if end else 0, max(hidden, default=0))
        left = min((cell.column for cells in hidden.values() for cell in cells), default=None)
        # python-calamine drops the columns before the first filled one, but not the rows.
        self._start = start[1] if start else left or 0
        self._first_column = self._start if left is None else min(self._start, left)

    def blocks(self, rows: int) -> Iterator[Block]:
        with library_errors(self._path):
            records: Iterator[Record] = iter(self._sheet.iter_rows())
            if self._first_column < self._start:
                records = shifted(records, self._start - self._first_column)
            if self._found.cells:
                records = revealed(records, self._found.cells, self._first_column)
            yield from blocks(records, rows, first_column=self._first_column)

    def notes(self, layout: Layout) -> tuple[str, ...]:
        return self._found.notes(self.name, layout)
