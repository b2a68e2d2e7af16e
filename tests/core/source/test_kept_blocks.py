"""A small sheet is read once for its types and its rows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.model.batch import Block
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.source import kept_blocks
from tui_importer.core.source.kept_blocks import KeptBlocks, memory


class Sheet:
    """A sheet of so many rows, whose only cells are their numbers; counts how often it is read."""

    name = "numbers"
    row_hint = None

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.reads = 0

    def blocks(self, rows: int) -> Iterator[Block]:
        self.reads += 1
        for start in range(1, self.rows + 1, rows):
            stop = min(start + rows, self.rows + 1)
            yield Block(first_row=start, columns=(ListColumn([f"row {row}" for row in range(start, stop)]),))


def rows_of(blocks: Iterator[Block], most: int) -> list[tuple[int, object]]:
    """The sheet row of each cell, and the cell."""
    found: list[tuple[int, object]] = []
    for block in blocks:
        assert 0 < len(block) <= most
        found += zip(range(block.first_row, block.first_row + len(block)), block.columns[0].values(), strict=True)
    return found


@given(rows=st.integers(0, 60), first=st.integers(1, 20), then=st.integers(1, 30))
def test_rows_are_the_same_however_they_are_cut(rows: int, first: int, then: int) -> None:
    sheet = Sheet(rows)
    kept = KeptBlocks(sheet)
    wanted = [(row, f"row {row}") for row in range(1, rows + 1)]
    assert rows_of(kept.read_and_keep(first), first) == wanted
    assert rows_of(kept.read(then), then) == wanted
    # Larger blocks cannot be made of smaller ones.
    assert sheet.reads == (1 if then <= first or rows <= first else 2)
    assert rows_of(kept.read(then), then) == wanted


def test_kept_blocks_are_given_away() -> None:
    sheet = Sheet(25)
    kept = KeptBlocks(sheet)
    list(kept.read_and_keep(10))
    first = list(kept.read(10))
    assert sheet.reads == 1
    assert len(list(kept.read(10))) == len(first) == 3
    assert sheet.reads == 2


def test_large_sheets_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_blocks, "_MOST_BYTES", 1_000)
    for rows, reads in ((15, 1), (20, 2)):
        sheet = Sheet(rows)
        kept = KeptBlocks(sheet)
        list(kept.read_and_keep(10))
        list(kept.read(10))
        assert sheet.reads == reads


def test_a_sheet_that_was_not_read_to_its_end_is_read_again() -> None:
    sheet = Sheet(25)
    kept = KeptBlocks(sheet)
    next(kept.read_and_keep(10))
    assert rows_of(kept.read(10), 10)[-1] == (25, "row 25")
    assert sheet.reads == 2


def test_of_a_sheet_that_is_expected_to_be_large_nothing_is_kept() -> None:
    sheet = Sheet(25)
    kept = KeptBlocks(sheet)
    list(kept.read_and_keep(10, memory(10_000_000, 10.0, 1)))
    list(kept.read(10))
    assert sheet.reads == 2
