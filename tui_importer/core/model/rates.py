"""How fast a run is and how long it still takes: the one definition, for every display, recording and answer.

A rate counts the rows that the workers of this run have completed. Rows that the reading thread passes over, such as
those of an earlier run, cost next to nothing and would make every rate and remaining time wrong.
"""

from __future__ import annotations

from collections import deque

from tui_importer.core.model.counters import Snapshot, WorkerKey, total

#: Seconds over which the current rate and the remaining time are averaged: batches come in bursts.
RATE_SECONDS, ETA_SECONDS = 3.0, 10.0
#: No remaining time is given before this many seconds: the first batches come in bursts and would make it jump.
MIN_ETA_SECONDS = 1.0


def rows_per_second(rows: int, seconds: float) -> float:
    """The rate at which these rows were completed in this time; 0 if no time passed."""
    return max(0, rows) / seconds if seconds > 0 else 0.0


def rate(earlier: Snapshot, later: Snapshot) -> float:
    """Rows per second that the workers completed between two snapshots."""
    return rows_per_second(later.by_workers - earlier.by_workers, later.at - earlier.at)


def eta(earlier: Snapshot, now: Snapshot) -> float | None:
    """The remaining time in seconds at the rate between two snapshots; None if it cannot be estimated."""
    rows = total(now)
    if rows is None or now.paused:
        return None
    left = rows - now.finished
    if left <= 0:
        return 0.0
    current = rate(earlier, now)
    if current == 0 or now.at - earlier.at < MIN_ETA_SECONDS:
        return None
    return left / current


class RateWindow:
    """The latest snapshots of a run, however often they are taken, and what follows from them."""

    def __init__(self) -> None:
        self._snapshots: deque[Snapshot] = deque()

    def add(self, snapshot: Snapshot) -> None:
        """Add the next snapshot, and drop those that are no longer needed."""
        snapshots = self._snapshots
        snapshots.append(snapshot)
        while len(snapshots) > 2 and snapshot.at - snapshots[1].at >= ETA_SECONDS:
            snapshots.popleft()

    def rate(self) -> float:
        """The current rate in rows per second; 0 before the second snapshot."""
        recent = self.recent()
        return rate(recent[0], recent[-1]) if recent else 0.0

    def worker_rates(self) -> dict[WorkerKey, float]:
        """The current rate of each worker."""
        first: dict[WorkerKey, tuple[float, int]] = {}
        rates: dict[WorkerKey, float] = {}
        for snapshot in self.recent():
            for worker in snapshot.workers:
                at, completed = first.setdefault(worker.key, (snapshot.at, worker.finished))
                rates[worker.key] = rows_per_second(worker.finished - completed, snapshot.at - at)
        return rates

    def eta(self) -> float | None:
        """The remaining time in seconds; None if it cannot be estimated."""
        recent = self._last(ETA_SECONDS)
        return eta(recent[0], recent[-1]) if recent else None

    def recent(self) -> list[Snapshot]:
        """The snapshots over which the current rate is measured, the oldest first."""
        return self._last(RATE_SECONDS)

    def _last(self, seconds: float) -> list[Snapshot]:
        """The snapshots from the latest one on that is at least ``seconds`` old, or all of them."""
        snapshots = list(self._snapshots)
        start = next(
            (place for place in reversed(range(len(snapshots))) if snapshots[-1].at - snapshots[place].at >= seconds), 0
        )
        return snapshots[start:]
