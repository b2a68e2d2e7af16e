"""xlsx, xlsm, xlsb, xls and ods through python-calamine, which parses a whole sheet in Rust without the GIL."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from tui_importer.core.model.batch import Block
from tui_importer.core.model.lists import listed
from tui_importer.core.model.ranges import CellRange
from tui_importer.core.source.layout import Layout
from tui_importer.core.source.reader import SheetInfo
from tui_importer.errors import SourceError
from tui_importer.readers.blocks import Record, blocks, revealed, shifted
from tui_importer.readers.encryption import is_encrypted
from tui_importer.readers.files import check_workbook, encrypted, is_zip, library_errors
from tui_importer.readers.found import Found, package_cells
from tui_importer.readers.hidden_cells import is_searchable
from tui_importer.readers.other_formats import search_for
from tui_importer.readers.package import NotUnderstoodError, Package, not_understood
from tui_importer.readers.probe import probe
from tui_importer.readers.utf_16 import has_utf_16

if TYPE_CHECKING:
    from tui_importer.readers.code_pages import CodePage
    from tui_importer.readers.heads import HeadWorkbook


class CalamineReader:
    """The default reader: fast, holds one sheet in memory."""

    typed = True

    def open(self, path: Path) -> CalamineWorkbookFile:
        """Open the file. Meanwhile a thread searches its first sheet for cells that python-calamine hides."""
        check_workbook(path)
        return CalamineWorkbookFile(path)

    def open_head(self, path: Path) -> HeadWorkbook | None:
        from tui_importer.readers.heads import open_head  # few runs need it

        return open_head(path)

    def limits(self, path: Path) -> tuple[str, ...]:
        return ()


class CalamineWorkbookFile:
    """An open workbook. What python-calamine does not understand is read from a private copy in the usual form
    (:mod:`tui_importer.readers.usual_form`, :mod:`tui_importer.readers.code_pages`), which is removed when the workbook
    is closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._copy: Path | None = None
        self._note: str | None = None
        try:
            self._file = _open(path)
        except NotUnderstoodError as error:
            self._file = self._open_copy(error)

    @property
    def sheets(self) -> Sequence[SheetInfo]:
        return self._file.sheets

    def sheet(self, name: str) -> CalamineOpenSheet:
        try:
            with self._named():
                return self._file.sheet(name, self._note)
        except NotUnderstoodError as error:
            if self._copy is not None:
                raise
            copied = self._open_copy(error)
            self._file.close()
            self._file = copied
        return self.sheet(name)

    def close(self) -> None:
        self._file.close()
        self._remove_copy()

    def __enter__(self) -> CalamineWorkbookFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _open_copy(self, refused: NotUnderstoodError) -> CalamineFile:
        """Open a copy in the usual form; raises ``refused``, or why, if nothing about the file is unusual."""
        if is_encrypted(self._path):
            raise encrypted(self._path) from refused
        page = refused.page if isinstance(refused, _CodePageError) else None
        if page is None and not is_zip(self._path):
            raise refused
        try:
            self._copy = Path(tempfile.mkdtemp(prefix="tui_importer-")) / self._path.name
            self._note = _copy(self._path, self._copy, page)
            if self._note is None:
                raise refused
            with self._named():
                return _open(self._copy, page)
        except BaseException as error:
            self._remove_copy()
            if isinstance(error, OSError):
                raise SourceError(f"{self._path}: cannot be copied: {error.strerror or error}") from error
            raise

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Errors name the file that the user knows."""
        try:
            yield
        except SourceError as error:
            if self._copy is None:
                raise
            raise type(error)(str(error).replace(str(self._copy), str(self._path))) from error

    def _remove_copy(self) -> None:
        if self._copy is not None:
            shutil.rmtree(self._copy.parent, ignore_errors=True)


class _CodePageError(NotUnderstoodError):
    """The workbook's texts would be decoded wrongly."""

    def __init__(self, page: CodePage) -> None:
        super().__init__(f"{page.path}: {page.note()}")
        self.page = page


def _copy(path: Path, copy: Path, page: CodePage | None) -> str | None:
    """Write a copy in the usual form and return what to say about it; None if the workbook is in that form."""
    if page is not None:
        from tui_importer.readers.code_pages import copy_in_utf_16

        copy_in_utf_16(path, copy, page)
        return page.note()
    from tui_importer.readers.usual_form import copy_in_usual_form  # few files need it

    unusual = copy_in_usual_form(path, copy)
    return f"the workbook has {listed(unusual)}: it is read from a copy without" if unusual else None


def _check_xls(path: Path) -> None:
    """Check that python-calamine survives an xls workbook and decodes its texts."""
    from tui_importer.readers.code_pages import wrong_code_page  # imports olefile, which no other format needs

    try:
        probe(path)
    except NotUnderstoodError as error:
        if "codepage" not in str(error).lower():  # python-calamine knows none of that number
            raise
    page = wrong_code_page(path)
    if page is not None:
        raise _CodePageError(page)


def _open(path: Path, page: CodePage | None = None) -> CalamineFile:
    """Open a workbook; ``page`` is the code page that a copy does not name any more."""
    if not is_searchable(path):
        if page is not None or is_zip(path):
            probe(path)
        else:
            _check_xls(path)
        with library_errors(path):
            return CalamineFile(path, CalamineWorkbook.from_path(str(path)), page=page)
    package = Package(path)
    if has_utf_16(package):
        raise not_understood(path, "parts in UTF-16")  # which python-calamine takes for empty ones
    package.check_shared_strings()
    first = package.first_sheet()
    with ThreadPoolExecutor(1, thread_name_prefix="hidden-cells") as pool, library_errors(path):
        searches = {first: pool.submit(package_cells, path, first)} if first is not None else {}
        return CalamineFile(path, CalamineWorkbook.from_path(str(path)), searches)


class CalamineFile:
    """A file that python-calamine has opened. ``searches`` holds the running searches for hidden cells, by sheet, of an
    xlsx or xlsm file; it is None for other formats. ``page`` is the code page in which its texts are still to be
    decoded."""

    def __init__(
        self,
        path: Path,
        workbook: CalamineWorkbook,
        searches: Mapping[str, Future[Found]] | None = None,
        page: CodePage | None = None,
    ) -> None:
        self._path = path
        self._workbook = workbook
        self._searches = searches
        self._page = page
        #: Numbers of all sheets, by the names that users see.
        self._numbers = {self._decoded(sheet.name): number for number, sheet in enumerate(workbook.sheets_metadata)}
        self.sheets: Sequence[SheetInfo] = [
            SheetInfo(self._decoded(sheet.name), hidden=sheet.visible is not SheetVisibleEnum.Visible)
            for sheet in workbook.sheets_metadata
            if sheet.typ is SheetTypeEnum.WorkSheet
        ]

    def sheet(self, name: str, note: str | None) -> CalamineOpenSheet:
        """Parse the sheet, after the checks that python-calamine survives it; ``note`` is one about the file."""
        if self._searches is None:
            found = self._search(name)
        else:
            found = self._searches[name].result() if name in self._searches else package_cells(self._path, name)
        with library_errors(self._path):
            sheet = self._workbook.get_sheet_by_name(self._undecoded(name))
            return CalamineOpenSheet(self._path, name, sheet, found, note, self._page)

    def _search(self, name: str) -> Found:
        """Search for hidden cells while a child process tries whether python-calamine survives the sheet."""
        with ThreadPoolExecutor(1, thread_name_prefix="hidden-cells") as pool, library_errors(self._path):
            search = pool.submit(search_for(self._path), self._path, name, self._numbers[name])
            probe(self._path, self._undecoded(name))
            return search.result()

    def _undecoded(self, name: str) -> str:
        return self._workbook.sheets_metadata[self._numbers[name]].name

    def _decoded(self, text: str) -> str:
        return text if self._page is None else self._page.decode(text)

    def close(self) -> None:
        self._workbook.close()


class CalamineOpenSheet:
    """A parsed sheet."""

    def __init__(
        self, path: Path, name: str, sheet: CalamineSheet, found: Found, note: str | None, page: CodePage | None
    ) -> None:
        self.name = name
        self._path = path
        self._note = note
        self._page = page
        self._sheet = sheet
        self._found = found
        hidden = found.cells
        start, end = sheet.start, sheet.end
        self.row_hint: int | None = max(end[0] + 1 if end else 0, max(hidden, default=0))
        left = min((cell.column for cells in hidden.values() for cell in cells), default=None)
        # python-calamine drops the columns before the first filled one, but not the rows.
        self._start = start[1] if start else left or 0
        self._first_column = self._start if left is None else min(self._start, left)

    def blocks(self, rows: int) -> Iterator[Block]:
        with library_errors(self._path):
            records: Iterator[Record] = iter(self._sheet.iter_rows())
            if self._page is not None:
                records = self._page.decoded(records)
            if self._first_column < self._start:
                records = shifted(records, self._start - self._first_column)
            if self._found.cells:
                records = revealed(records, self._found.cells, self._first_column)
            yield from blocks(records, rows, first_column=self._first_column)

    def merged(self, last_row: int) -> Sequence[CellRange]:
        """The merged ranges, which python-calamine reads with the cells of xlsx and xls sheets, and those of the first
        rows of ods sheets, which are found with the hidden cells."""
        ranges = self._sheet.merged_cell_ranges
        if ranges is None:
            return [each for each in self._found.merged if each.first_row <= last_row]
        above = (each for each in ranges if each[0][0] < last_row)
        return [CellRange(top + 1, bottom + 1, left, right) for (top, left), (bottom, right) in above]

    def notes(self, layout: Layout) -> tuple[str, ...]:
        return (*(() if self._note is None else (self._note,)), *self._found.notes(self.name, layout))
