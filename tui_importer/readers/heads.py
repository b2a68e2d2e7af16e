"""The first rows of xlsx and xlsm sheets, for their headers, without parsing the whole sheet.

Values are as stored in the file: a date is still a number, and so a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tui_importer.core.model.batch import Block
from tui_importer.core.model.cells import Cell
from tui_importer.core.model.ranges import CellRange
from tui_importer.core.source.header import LAYOUT_ROWS
from tui_importer.core.source.reader import SheetInfo
from tui_importer.errors import SourceError
from tui_importer.readers.blocks import Record, blocks
from tui_importer.readers.files import is_zip
from tui_importer.readers.package import Package
from tui_importer.readers.peek import first_rows, unescaped

#: Blank rows above the head that are taken as they are; below more of them, the whole sheet is parsed.
_MAX_ROW = 10 * LAYOUT_ROWS


def open_head(path: Path) -> HeadWorkbook | None:
    """The first rows of the sheets of a workbook; None for other formats. Raises :class:`SourceError`."""
    if not is_zip(path):
        return None
    package = Package(path)
    return None if package.workbook_part() is None else HeadWorkbook(package)


class HeadWorkbook:
    """Implements :class:`tui_importer.core.source.reader.Workbook`, with sheets that end early."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self.sheets: Sequence[SheetInfo] = package.sheets()

    def sheet(self, name: str) -> HeadSheet:
        """The first rows of a sheet. Raises :class:`SourceError` for XML in an unusual form."""
        try:
            rows, strings = first_rows(self._package, name, LAYOUT_ROWS)
            return HeadSheet(name, list(_records(rows.cells, strings)))
        except ValueError as error:
            raise SourceError(str(error)) from error

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> HeadWorkbook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class HeadSheet:
    """Implements :class:`tui_importer.core.source.reader.MergedSheet` as far as it goes."""

    row_hint: int | None = None

    def __init__(self, name: str, records: Sequence[Record]) -> None:
        self.name = name
        self._records = records

    def blocks(self, rows: int) -> Iterator[Block]:
        yield from blocks(self._records, rows)

    def merged(self, last_row: int) -> Sequence[CellRange]:
        raise SourceError("merged cells are listed at the end of a sheet")


def _records(cells: dict[int, dict[int, tuple[str, str]]], strings: dict[int, str]) -> Iterator[Record]:
    last = max(cells, default=0)
    if last > _MAX_ROW:
        raise ValueError("the sheet begins with blank rows")
    for number in range(1, last + 1):
        row = cells.get(number, {})
        record: list[Cell] = [None] * (max(row, default=-1) + 1)
        for column, (type_, text) in row.items():
            record[column] = _value(type_, text, strings)
        yield record


def _value(type_: str, text: str, strings: dict[int, str]) -> Cell:
    match type_:
        case "s":
            if int(text) not in strings:
                raise ValueError(f"no shared string {text}")
            return unescaped(strings[int(text)]) or None
        case "str" | "inlineStr":
            return unescaped(text)
        case "n":
            return float(text)
        case "b":
            return text == "1"
    raise ValueError(f"a cell of type {type_!r}")
