"""The rows that earlier runs have completed, compared with sets."""

from __future__ import annotations

from itertools import compress, pairwise

from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.model.completed_rows import CompletedRows, Interval, merged

ROWS = st.integers(1, 60)
INTERVALS = st.lists(st.tuples(ROWS, st.integers(0, 12)).map(lambda pair: Interval(pair[0], pair[0] + pair[1])))


@given(INTERVALS)
def test_merged_intervals_hold_the_same_rows_and_are_not_adjacent(intervals: list[Interval]) -> None:
    result = merged(intervals)
    assert [row for first, last in result for row in range(first, last + 1)] == sorted(
        {row for first, last in intervals for row in range(first, last + 1)}
    )
    assert all(left.last + 1 < right.first for left, right in pairwise(result))


@given(INTERVALS, st.sets(ROWS, min_size=1), st.sets(ROWS))
def test_pending_rows_are_in_no_interval(intervals: list[Interval], rows: set[int], rejected: set[int]) -> None:
    completed, ordered = CompletedRows(intervals, rejected), sorted(rows)
    inside = {row for first, last in intervals for row in range(first, last + 1)}
    selected = completed.pending_mask(ordered)
    kept = ordered if selected is None else list(compress(ordered, selected))
    assert kept == [row for row in ordered if row not in inside]
    if selected is not None:
        assert completed.rejected_among(ordered, selected) == len(rejected & rows & inside)
    assert completed.rejected == len(rejected)
    assert bool(completed) is bool(intervals)


@given(INTERVALS, ROWS)
def test_first_gap_is_the_first_row_in_no_interval(intervals: list[Interval], start: int) -> None:
    inside = {row for first, last in intervals for row in range(first, last + 1)}
    assert CompletedRows(intervals).first_gap(start) == next(row for row in range(start, 200) if row not in inside)
