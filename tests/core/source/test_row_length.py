"""Blocks of long rows are divided, so that a batch is bounded in bytes."""

from __future__ import annotations

from tui_importer.core.model.batch import Block
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.source.row_length import cut, parts, row_characters, rows_within


def block(*columns: list[object]) -> Block:
    return Block(first_row=5, columns=tuple(ListColumn(column) for column in columns))  # type: ignore[arg-type]


def test_length_of_rows_is_estimated_from_some_of_them() -> None:
    assert row_characters(block(["a" * 10] * 1_000, [None] * 1_000)) == 10
    assert row_characters(block(["ab", "abcd"], [1.5, None])) == 7
    assert row_characters(block([])) == row_characters(Block(first_row=1, columns=())) == 0


def test_block_of_long_rows_is_divided() -> None:
    whole = block(["a" * 100] * 10)
    assert (rows_within(whole, 1_000), rows_within(whole, 399), rows_within(whole, 1)) == (10, 3, 1)
    rows = [5, 6, 8, 9, 10, 11, 12, 13, 14, 15]
    found = list(parts(whole, rows, 4))
    assert [part_rows for _, part_rows in found] == [rows[:4], rows[4:8], rows[8:]]
    assert [len(part) for part, _ in found] == [4, 4, 2]


def test_block_that_is_not_cut_is_the_same() -> None:
    whole, rows = block(["a", "b"]), [5, 6]
    assert cut(whole, rows, 0, 2) == (whole, rows)
    assert cut(whole, rows, 0, 2)[0] is whole
    assert cut(whole, rows, 1, 2)[0].columns[0].values() == ["b"]
