"""What a search found in a sheet that a library hides, for every format, and the notes about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import msgspec

from tui_importer.core.model.cells import cell_name, column_letters
from tui_importer.core.model.lists import listed
from tui_importer.core.model.ranges import CellRange
from tui_importer.core.source.layout import Layout
from tui_importer.readers.cell_extent import CellExtent
from tui_importer.readers.hidden_cell import HiddenCell
from tui_importer.readers.hidden_cells import hidden_cells
from tui_importer.readers.package import Package
from tui_importer.readers.serials import Serials, SerialSearch, package_serials, serial_notes


class Found(msgspec.Struct, frozen=True):
    """The hidden cells of a sheet by row, and the date formats of its workbook (``serials``; None for formats with real
    dates). ``unsure`` are the places (row from 1, column from 0) of formulas whose saved value may never have been
    calculated. ``merged`` are the ranges of several columns that are merged in the first rows, for formats of
    which python-calamine does not tell them."""

    cells: Mapping[int, Sequence[HiddenCell]] = msgspec.field(default_factory=dict)
    serials: Serials | None = None
    unsure: Sequence[tuple[int, int]] = ()
    merged: Sequence[CellRange] = ()

    def notes(self, sheet: str, layout: Layout) -> tuple[str, ...]:
        """Sentences about such cells of the table."""
        return (
            *self._rich_notes(sheet, layout),
            *self._serial_notes(sheet, layout),
            *self._formula_notes(sheet, layout),
        )

    def _rich_notes(self, sheet: str, layout: Layout) -> Iterator[str]:
        rich = [
            cell
            for row in sorted(self.cells)
            for cell in self.cells[row]
            if cell.rich and layout.holds(cell.row, cell.column)
        ]
        if rich:
            columns = sorted({cell.column for cell in rich})
            named = f"column{'s' * (len(columns) > 1)} {listed([column_letters(column) for column in columns])}"
            cells = "1 cell holds" if len(rich) == 1 else f"{len(rich):,} cells hold"
            first = cell_name(sheet, rich[0].row, rich[0].column)
            yield f"{named}: {cells} a picture or a data type, which is not a value: NULL (the first is {first})"

    def _serial_notes(self, sheet: str, layout: Layout) -> Iterator[str]:
        if self.serials is not None:
            rows = (self.cells[row] for row in sorted(self.cells))
            yield from serial_notes(chain.from_iterable(rows), self.serials, sheet, layout)

    def _formula_notes(self, sheet: str, layout: Layout) -> Iterator[str]:
        by_column: dict[int, list[int]] = {}
        for row, column in self.unsure:
            if layout.holds(row, column):
                by_column.setdefault(column, []).append(row)
        for column, rows in sorted(by_column.items()):
            yield (
                f"column {column_letters(column)}: {len(rows):,} formula{'s' * (len(rows) > 1)} may never have been "
                f"calculated, which this format does not tell; the saved values are taken (the first is "
                f"{cell_name(sheet, rows[0], column)}; to be sure, open the file in a spreadsheet program and save it)"
            )


def package_cells(path: Path, sheet: str, *, rectangle: bool = True) -> Found:
    """Find what is hidden in a sheet of an xlsx or xlsm workbook.

    Raises :class:`~tui_importer.errors.SourceError` if the workbook is damaged or, if the sheet will be allocated as
    one ``rectangle``, if its cells lie too far apart.
    """
    extent = CellExtent()
    serials = package_serials(Package(path))
    cells = hidden_cells(path, sheet, extent, SerialSearch(serials))
    if rectangle:
        extent.check_rectangle(path, sheet)
    return Found(cells, serials)
