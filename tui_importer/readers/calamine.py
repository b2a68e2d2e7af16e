"""xlsx, xlsm, xlsb, xls and ods through python-calamine, which parses a whole sheet in Rust without the GIL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from tui_importer.core.batch import Block
from tui_importer.core.reading import SheetInfo
from tui_importer.readers.blocks import Record, blocks, revealed, shifted
from tui_importer.readers.files import check_workbook, library_errors
from tui_importer.readers.hidden_cells import HiddenCell, can_look, hidden_cells

BLIND = (
    "in this format a cell with an error (#N/A) and a formula that was never calculated cannot be told from a blank: "
    "save the workbook as .xlsx to have them found"
)


class CalamineReader:
    """The default reader: fast, and holds one sheet in memory."""

    typed = True

    def open(self, path: Path) -> CalamineFile:
        check_workbook(path)
        with library_errors(path):
            return CalamineFile(path, CalamineWorkbook.from_path(str(path)))

    def limits(self, path: Path) -> tuple[str, ...]:
        return () if can_look(path) else (BLIND,)


class CalamineFile:
    """An open workbook."""

    def __init__(self, path: Path, workbook: CalamineWorkbook) -> None:
        self._path = path
        self._workbook = workbook
        self.sheets: Sequence[SheetInfo] = [
            SheetInfo(sheet.name, hidden=sheet.visible is not SheetVisibleEnum.Visible)
            for sheet in workbook.sheets_metadata
            if sheet.typ is SheetTypeEnum.WorkSheet
        ]

    def sheet(self, name: str) -> CalamineOpenSheet:
        """Parse the sheet; what python-calamine hides is looked for meanwhile, in another thread."""
        with ThreadPoolExecutor(1, thread_name_prefix="hidden-cells") as pool:
            looking = pool.submit(hidden_cells, self._path, name) if can_look(self._path) else None
            with library_errors(self._path):
                sheet = self._workbook.get_sheet_by_name(name)
        return CalamineOpenSheet(self._path, sheet, looking.result() if looking else {})

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

    def __init__(self, path: Path, sheet: CalamineSheet, hidden: Mapping[int, Sequence[HiddenCell]]) -> None:
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
