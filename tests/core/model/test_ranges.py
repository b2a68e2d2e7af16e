"""Ranges as a user types them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.model.cells import MAX_COLUMNS, MAX_ROWS
from tui_importer.core.model.ranges import CellRange, parse_range
from tui_importer.errors import PlanError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A5:F900", CellRange(5, 900, 0, 5)),
        (" $b$3:$c$4 ", CellRange(3, 4, 1, 2)),
        ("A:F", CellRange(1, None, 0, 5)),
        ("5:900", CellRange(5, 900, 0, None)),
        ("B3", CellRange(3, None, 1, None)),
        ("B3:", CellRange(3, None, 1, None)),
        ("A5:F", CellRange(5, None, 0, 5)),
    ],
)
def test_ranges_are_parsed(text: str, found: CellRange) -> None:
    assert parse_range(text) == found


@pytest.mark.parametrize(
    "text", ["", ":", "A", "5", "A:F900", "5:F900", "A5:900", "F9:A1", "A9:B2", "XFE1", "A0", "A1048577"]
)
def test_invalid_ranges_are_refused(text: str) -> None:
    with pytest.raises(PlanError, match="range"):
        parse_range(text)


def test_range_with_a_sheet_name_is_refused() -> None:
    with pytest.raises(PlanError, match="--sheet"):
        parse_range("Sheet1!A1:B2")


ROWS, COLUMNS = st.integers(1, MAX_ROWS), st.integers(0, MAX_COLUMNS - 1)


@given(st.tuples(ROWS, ROWS).map(sorted), st.tuples(COLUMNS, COLUMNS).map(sorted), st.sampled_from(range(4)))
def test_formatted_range_parses_to_the_same_range(rows: list[int], columns: list[int], shape: int) -> None:
    [first_row, last_row], [first_column, last_column] = rows, columns
    shown = (
        CellRange(first_row, last_row, first_column, last_column),
        CellRange(first_row, None, first_column, last_column),
        CellRange(first_row, None, first_column, None),
        CellRange(first_row, last_row, 0, None),
    )[shape]
    assert parse_range(str(shown)) == shown
