"""Some of the rows of a block."""

from __future__ import annotations

from tui_importer import Block, ListColumn
from tui_importer.core.source.block_rows import last_cell, last_filled_row, row_slice, rows_between, selected_rows

BLOCK = Block(first_row=5, columns=(ListColumn(["a", None, "c", None]), ListColumn([1, None, None, None])))


def values(block: Block) -> list[list[object]]:
    return [list(column.values()) for column in block.columns]


def test_rows_between_are_counted_as_in_the_sheet() -> None:
    assert rows_between(BLOCK, 1, None) is BLOCK
    inside = rows_between(BLOCK, 7, 90)
    assert (inside.first_row, values(inside)) == (7, [["c", None], [None, None]])
    assert len(rows_between(BLOCK, 9, 12)) == 0


def test_last_filled_row_and_its_cells() -> None:
    assert last_filled_row(BLOCK) == 2
    assert last_filled_row(row_slice(BLOCK, 3, 4)) is None
    assert [last_cell(column) for column in row_slice(BLOCK, 0, 3).columns] == ["c", None]


def test_selected_rows_keep_their_numbers() -> None:
    block, rows = selected_rows(BLOCK, (5, 6, 7, 8), [True, False, True, False])
    assert (values(block), list(rows)) == ([["a", "c"], [1, None]], [5, 7])
