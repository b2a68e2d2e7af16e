"""The rows of a sheet that earlier runs have completed, which a resumed import skips."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import compress
from typing import NamedTuple


class Interval(NamedTuple):
    """Sheet rows ``first`` to ``last`` (from 1, both inclusive)."""

    first: int
    last: int


class CompletedRows:
    """Completed sheet rows (written or rejected), as sorted disjoint intervals, and which of them were rejected."""

    def __init__(self, intervals: Iterable[Interval] = (), rejected: Iterable[int] = ()) -> None:
        self.intervals: list[Interval] = merged(intervals)
        self._lasts = [interval.last for interval in self.intervals]
        self._rejected = array("q", sorted(rejected))

    def __bool__(self) -> bool:
        return bool(self.intervals)

    @property
    def rejected(self) -> int:
        """The number of rejected rows."""
        return len(self._rejected)

    def first_gap(self, first_row: int) -> int:
        """The first sheet row from ``first_row`` on that is not completed."""
        for first, last in self.intervals:
            if first <= first_row <= last:
                first_row = last + 1
        return first_row

    def pending_mask(self, rows: Sequence[int]) -> Sequence[bool] | None:
        """Whether each of these rows (ascending) is still to be written; None if all are."""
        place = bisect_left(self._lasts, rows[0])
        if place == len(self.intervals) or self.intervals[place].first > rows[-1]:
            return None
        selected = [True] * len(rows)
        for first, last in self.intervals[place:]:
            if first > rows[-1]:
                break
            start, stop = bisect_left(rows, first), bisect_right(rows, last)
            selected[start:stop] = [False] * (stop - start)
        return selected

    def rejected_among(self, rows: Sequence[int], selected: Sequence[bool]) -> int:
        """The number of rejected rows among those that are not selected."""
        if not self._rejected:
            return 0
        start = bisect_left(self._rejected, rows[0])
        among = set(self._rejected[start : bisect_right(self._rejected, rows[-1])])
        return sum(row in among for row in compress(rows, (not kept for kept in selected))) if among else 0


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The intervals in order, with adjacent and overlapping ones merged."""
    result: list[Interval] = []
    for first, last in sorted(intervals):
        if result and first <= result[-1].last + 1:
            result[-1] = Interval(result[-1].first, max(last, result[-1].last))
        else:
            result.append(Interval(first, last))
    return result
