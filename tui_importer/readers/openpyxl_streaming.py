"""Reads xlsx and xlsm through openpyxl, row by row: slower, but in little memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import openpyxl
from openpyxl.utils.escape import unescape

from tui_importer.core.model.batch import Block
from tui_importer.core.model.cells import Cell
from tui_importer.core.source.layout import Layout
from tui_importer.core.source.reader import SheetInfo
from tui_importer.errors import SourceError
from tui_importer.readers.blocks import Record, blocks, revealed
from tui_importer.readers.files import check_workbook, library_errors
from tui_importer.readers.found import package_cells
from tui_importer.readers.hidden_cells import is_searchable
from tui_importer.readers.package import Package

#: openpyxl removes the escape of an escape but leaves other escapes, so the two cannot be distinguished afterwards.
ESCAPES = (
    "some texts hold something like _x0041_ literally: the openpyxl reader takes it for the character that it would "
    "stand for; the calamine reader does not"
)
_SUFFIXES = (".xlsx", ".xlsm")
_MIDNIGHT = dt.time()


class OpenpyxlReader:
    """The reader for workbooks larger than memory (``--reader openpyxl``)."""

    typed = True

    def open(self, path: Path) -> OpenpyxlFile:
        check_workbook(path)
        if not is_searchable(path):
            raise SourceError(f"{path}: the openpyxl reader reads {' and '.join(_SUFFIXES)} files only")
        with library_errors(path):
            return OpenpyxlFile(path, openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False))

    def limits(self, path: Path) -> tuple[str, ...]:
        return (ESCAPES,) if Package(path).shared_strings_hold(b"_x005F_") else ()


class OpenpyxlFile:
    """An open workbook."""

    def __init__(self, path: Path, workbook: Any) -> None:
        self._path = path
        self._workbook = workbook
        self.sheets: Sequence[SheetInfo] = [
            SheetInfo(sheet.title, hidden=sheet.sheet_state != "visible") for sheet in workbook.worksheets
        ]

    def sheet(self, name: str) -> OpenpyxlSheet:
        return OpenpyxlSheet(self._path, self._workbook[name])

    def close(self) -> None:
        self._workbook.close()

    def __enter__(self) -> OpenpyxlFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class OpenpyxlSheet:
    """An open sheet; every call of :meth:`blocks` reads it again."""

    def __init__(self, path: Path, sheet: Any) -> None:
        self._path = path
        self._sheet = sheet
        self.name: str = sheet.title
        # The dimension that a sheet declares may be wrong, so rows are read until they end and there is no hint.
        sheet.reset_dimensions()
        self.row_hint: int | None = None
        self._found = package_cells(path, self.name, rectangle=False)

    def blocks(self, rows: int) -> Iterator[Block]:
        with library_errors(self._path):
            records: Iterator[Record] = map(_as_calamine, self._sheet.iter_rows(values_only=True))
            if self._found.cells:
                records = revealed(records, self._found.cells, 0)
            yield from blocks(records, rows)

    def notes(self, layout: Layout) -> tuple[str, ...]:
        return self._found.notes(self.name, layout)


def _as_calamine(record: tuple[Cell, ...]) -> Record:
    """The cells as python-calamine returns them: ``_xHHHH_`` decoded (ECMA-376 part 1, 22.9.2.19), midnights as
    dates."""
    kinds = set(map(type, record))
    if str in kinds and any("_x" in cell for cell in record if type(cell) is str):
        record = tuple(unescape(cell) if type(cell) is str else cell for cell in record)
    if dt.datetime in kinds:
        record = tuple(
            cell.date() if isinstance(cell, dt.datetime) and cell.time() == _MIDNIGHT else cell for cell in record
        )
    return record
