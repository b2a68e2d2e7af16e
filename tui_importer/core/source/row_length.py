"""How long rows are, and blocks of long rows in parts, so that a batch has no more bytes than it should."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tui_importer.core.model.batch import Block
from tui_importer.core.model.cells import Cell

#: The number of rows of a block that are looked at: they are taken at even distances.
_SAMPLE = 16
#: Characters of a cell that is not text, for example a number.
_OTHER_CELL = 8


def row_characters(block: Block) -> float:
    """About how many characters a row of the block has, from a few of its rows."""
    rows = range(0, len(block), max(1, len(block) // _SAMPLE))
    if not rows:
        return 0.0
    return sum(_length(cell) for column in block.columns for cell in column.take(rows)) / len(rows)


def rows_within(block: Block, most: int) -> int:
    """About how many rows of the block have ``most`` characters; the rows of the block if it has fewer."""
    length = row_characters(block)
    return len(block) if length * len(block) <= most else max(1, int(most / length))


def parts(block: Block, rows: Sequence[int], size: int) -> Iterator[tuple[Block, Sequence[int]]]:
    """Yield the block with its sheet rows in parts of ``size`` rows."""
    for start in range(0, len(rows), size):
        yield cut(block, rows, start, start + size)


def cut(block: Block, rows: Sequence[int], start: int, stop: int) -> tuple[Block, Sequence[int]]:
    """Rows ``start`` to ``stop`` (exclusive) of a block, counted from 0, with their sheet rows."""
    if start == 0 and stop >= len(rows):
        return block, rows
    columns = tuple(column.slice(start, min(stop, len(rows))) for column in block.columns)
    return Block(first_row=block.first_row, columns=columns, first_column=block.first_column), rows[start:stop]


def _length(cell: Cell) -> int:
    if cell is None:
        return 0
    return len(cell) if isinstance(cell, str) else _OTHER_CELL
