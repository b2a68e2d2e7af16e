"""Conversion of whole columns to their target type, based on facts about the column where possible.

If its facts prove that every cell fits, a column is cast as a whole (:meth:`Column.cast`). Only other columns are
converted cell by cell. Both give the same values and the same rejects (a property test compares them).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tui_importer.core.conversion.parsing import REQUIRED_BUT_BLANK, ConversionError, as_text, parser
from tui_importer.core.model.cells import Cell, CellError
from tui_importer.core.model.column import Column
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.plan import ErrorCells
from tui_importer.core.model.types import ColumnType

#: A converted column, and the reason for each refused cell by its offset.
Converted = tuple[Column, dict[int, str]]

_DIGITS = frozenset("0123456789-")
_NUMBER = frozenset("0123456789-+.eE")


@dataclass(frozen=True, slots=True)
class Conversion:
    """How one column is converted. ``error_cells`` is what happens to cells like ``#N/A``."""

    type: ColumnType
    required: bool = False
    error_cells: ErrorCells = "reject"

    def apply(self, column: Column) -> Converted:
        """Convert a column. The result has the same length; refused cells are ``None`` in it."""
        if self.error_cells != "reject" and CellError in column.kinds:
            column = ListColumn([self._resolved_error_cell(cell) for cell in column.values()])
        faults: dict[int, str] = {}
        if self.required and column.blanks:
            faults = {row: REQUIRED_BUT_BLANK for row, blank in enumerate(column.blank_mask) if blank}
        cast = column.cast(self.type)
        if cast is not None:
            return cast, faults
        values, refused = convert_cells(column.values(), self.type)
        return ListColumn(values), faults | refused

    def _resolved_error_cell(self, cell: Cell) -> Cell:
        if not isinstance(cell, CellError):
            return cell
        return cell.code if self.error_cells == "text" else None


def convert_cells(cells: Sequence[Cell], type_: ColumnType) -> tuple[list[Cell], dict[int, str]]:
    """Convert cell by cell; returns the values, ``None`` if refused, and the reasons by offset."""
    parse = parser(type_)
    values: list[Cell] = list(cells)
    refused: dict[int, str] = {}
    for row, cell in enumerate(cells):
        if cell is None:
            continue
        try:
            values[row] = parse(cell)
        except ConversionError as reason:
            values[row] = None
            refused[row] = str(reason)
    return values, refused


__all__ = ["Conversion", "Converted", "as_text", "convert_cells"]
