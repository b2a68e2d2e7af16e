"""Some of the rows of a block, and what is beside them."""

from __future__ import annotations

from collections.abc import Sequence

from tui_importer.core.model.batch import Block
from tui_importer.core.model.cells import Cell, column_letters
from tui_importer.core.model.column import Column


def rows_between(block: Block, first_row: int, last_row: int | None) -> Block:
    """The rows of the block that lie in an interval of sheet rows."""
    start = max(0, first_row - block.first_row)
    stop = len(block) if last_row is None else min(len(block), last_row - block.first_row + 1)
    if start == 0 and stop == len(block):
        return block
    return row_slice(block, start, max(start, stop))


def row_slice(block: Block, start: int, stop: int) -> Block:
    """Rows ``start`` to ``stop`` (exclusive) of the block, counted from 0."""
    columns = tuple(column.slice(start, stop) for column in block.columns)
    return Block(first_row=block.first_row + start, columns=columns, first_column=block.first_column)


def selected_rows(block: Block, rows: Sequence[int], selected: Sequence[bool]) -> tuple[Block, Sequence[int]]:
    """The rows of the block for which ``selected`` is true, with their sheet rows."""
    columns = tuple(column.keep(selected) for column in block.columns)
    kept = [row for row, wanted in zip(rows, selected, strict=True) if wanted]
    return Block(first_row=block.first_row, columns=columns, first_column=block.first_column), kept


def last_filled_row(block: Block) -> int | None:
    """The last row of the block that is not blank, counted from 0; None if all are."""
    if len(block) and any(last_cell(column) is not None for column in block.columns):
        return len(block) - 1
    return max((column.blank_mask.rindex(0) for column in block.columns if column.blanks < len(column)), default=None)


def last_cell(column: Column) -> Cell:
    """The cell of a column in the last row."""
    return column.take((len(column) - 1,))[0]


def cells_outside(block: Block, first_column: int, width: int) -> str | None:
    """A message about a column with cells outside the table's extent; None if there is none."""
    positions = range(block.first_column, block.first_column + len(block.columns))
    for position, column in zip(positions, block.columns, strict=True):
        if not first_column <= position < first_column + width and column.blanks < len(column):
            row = block.first_row + column.blank_mask.index(0)
            return (
                f"column {column_letters(position)} lies beyond the header and holds cells, the first in row {row:,}: "
                "left out (--range or --header-row would take it in)"
            )
    return None
