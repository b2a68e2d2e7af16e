"""xlsx, xlsm, xlsb, xls and ods through python-calamine, which parses a whole sheet in Rust without the GIL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from tui_importer.core.batch import Block
from tui_importer.core.reading import SheetInfo
from tui_importer.readers.blocks import Record, blocks, revealed, shifted
from tui_importer.readers.files import check_workbook, library_errors
from tui_importer.readers.hidden_cells import HiddenCell, can_look, hidden_cells
from tui_importer.readers.package import Package
from tui_importer.readers.probe import probe
from tui_importer.readers.reach import Reach

#: Hidden cells by row.
Hidden = Mapping[int, Sequence[HiddenCell]]

BLIND = (
    "in this format a cell with an error (#N/A) and a formula that was never calculated cannot be told from a blank: "
    "save the workbook as .xlsx to have them found"
)


class CalamineReader:
    """The default reader: fast, and holds one sheet in memory."""

    typed = True

    def open(self, path: Path) -> CalamineFile:
        """Open the file; what python-calamine hides in its first sheet is looked for meanwhile, in another thread."""
        check_workbook(path)
        if not can_look(path):
            probe(path)
            with library_errors(path):
                return CalamineFile(path, CalamineWorkbook.from_path(str(path)))
        package = Package(path)
        package.check_shared_strings()
        first = package.first_sheet()
        with ThreadPoolExecutor(1, thread_name_prefix="hidden-cells") as pool, library_errors(path):
            looking = {first: pool.submit(_look, path, first)} if first is not None else {}
            return CalamineFile(path, CalamineWorkbook.from_path(str(path)), looking)

    def limits(self, path: Path) -> tuple[str, ...]:
        return () if can_look(path) else (BLIND,)


def _look(path: Path, sheet: str) -> Hidden:
    """What python-calamine hides in the sheet; raises :class:`~tui_importer.errors.SourceError` if it may not try."""
    reach = Reach()
    hidden = hidden_cells(path, sheet, reach)
    reach.check_rectangle(path, sheet)
    return hidden


class CalamineFile:
    """An open workbook. ``looking`` are the sheets in which somebody is looking for what python-calamine hides; without
    it nobody can."""

    def __init__(
        self, path: Path, workbook: CalamineWorkbook, looking: Mapping[str, Future[Hidden]] | None = None
    ) -> None:
        self._path = path
        self._workbook = workbook
        self._looking = looking
        self.sheets: Sequence[SheetInfo] = [
            SheetInfo(sheet.name, hidden=sheet.visible is not SheetVisibleEnum.Visible)
            for sheet in workbook.sheets_metadata
            if sheet.typ is SheetTypeEnum.WorkSheet
        ]

    def sheet(self, name: str) -> CalamineOpenSheet:
        """Parse the sheet, once it is known that python-calamine can."""
        hidden: Hidden = {}
        if self._looking is None:
            probe(self._path, name)
        else:
            hidden = self._looking[name].result() if name in self._looking else _look(self._path, name)
        with library_errors(self._path):
            return CalamineOpenSheet(self._path, self._workbook.get_sheet_by_name(name), hidden)

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

    def __init__(self, path: Path, sheet: CalamineSheet, hidden: Hidden) -> None:
        self._path = path
        self._sheet = sheet
        self._hidden = hidden
        self.name = sheet.name
        start, end = sheet.start, sheet.end
        self.row_hint: int | None = max(end[0] + 1 if end else 0, max(hidden, default=0))
        left = min((cell.column for cells in hidden.values() for cell in cells), default=None)
        # Columns before the first filled one are left out by python-calamine, rows are not.
        self._start = start[1] if start else left or 0
        self._first_column = self._start if left is None else min(self._start, left)

    def blocks(self, rows: int) -> Iterator[Block]:
        with library_errors(self._path):
            records: Iterator[Record] = iter(self._sheet.iter_rows())
            if self._first_column < self._start:
                records = shifted(records, self._start - self._first_column)
            if self._hidden:
                records = revealed(records, self._hidden, self._first_column)
            yield from blocks(records, rows, first_column=self._first_column)
