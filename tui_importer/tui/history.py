"""The throughput of a whole run in bounded memory."""

from __future__ import annotations

from typing import Self

from tui_importer.core.model.rates import rows_per_second

#: Maximum number of points: two for each column of a wide terminal. When it is exceeded, every second point is dropped.
MAX_POINTS = 600
#: Minimum seconds over which a rate is measured: a shorter span shows single batches instead of the run.
MIN_SPAN = 1.0


class History:
    """The number of finished rows over time. ``peak`` is the best rate over a second or more."""

    def __init__(self) -> None:
        self.peak = 0.0
        self._points: list[tuple[float, int]] = []
        self._spacing = 0.0

    @property
    def first_at(self) -> float | None:
        """The time of the last point before the first row was finished; None if no row is."""
        return self._points[0][0] if self._points else None

    @property
    def seconds(self) -> float:
        """Seconds between the first and the last point."""
        return self._points[-1][0] - self._points[0][0] if self._points else 0.0

    def add(self, at: float, finished: int) -> None:
        """Add a point: how many rows are finished at a time. The time before the first row does not count."""
        points = self._points
        if not finished:
            self._points = [(at, 0)]
            return
        if points and at - points[-1][0] < self._spacing and len(points) > 1:
            points[-1] = (at, finished)
        else:
            points.append((at, finished))
        before = next((point for point in reversed(points) if at - point[0] >= MIN_SPAN), None)
        if before is not None:
            self.peak = max(self.peak, rows_per_second(finished - before[1], at - before[0]))
        if len(points) > MAX_POINTS:
            del points[1:-1:2]
            self._spacing = 2 * (points[-1][0] - points[0][0]) / MAX_POINTS

    def rates(self, columns: int) -> list[float]:
        """Return rows per second in each of ``columns`` equal spans between the first and the last point."""
        if len(self._points) < 2 or columns < 1 or self.seconds <= 0:
            return []
        start, width = self._points[0][0], self.seconds / columns
        rates, finished, place = [], float(self._points[0][1]), 0
        for column in range(columns):
            end = start + (column + 1) * width
            while place < len(self._points) - 2 and self._points[place + 1][0] < end:
                place += 1
            (at, rows), (later, more) = self._points[place], self._points[place + 1]
            share = min(1.0, (end - at) / (later - at)) if later > at else 1.0
            reached = rows + share * (more - rows)
            rates.append(max(0.0, reached - finished) / width)
            finished = reached
        return rates

    def copy(self) -> Self:
        """Return a copy, which later points do not change."""
        twin = type(self)()
        twin.peak, twin._points, twin._spacing = self.peak, list(self._points), self._spacing
        return twin
