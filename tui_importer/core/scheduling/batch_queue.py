"""The bounded queue between the reading thread and the workers, and the rate limiter."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from tui_importer.core.model.batch import Batch
from tui_importer.core.scheduling.run_control import RunControl

#: How many converted batches may wait for a worker. Enough that no worker waits while the reader converts, few enough
#: that memory holds only a handful of batches (measured: 2 to 32 load equally fast).
QUEUE_BATCHES = 4


class BatchQueue:
    """A queue of batches from one producer to any number of consumers.

    ``put`` blocks while the queue is full, ``take`` while it is empty; both return at once when the run is stopped.
    """

    def __init__(self, control: RunControl, capacity: int = QUEUE_BATCHES) -> None:
        self.capacity = capacity
        self._control = control
        self._waiting: deque[Batch] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._abandoned = False

    @property
    def depth(self) -> int:
        """The number of waiting batches."""
        return len(self._waiting)

    def put(self, batch: Batch) -> bool:
        """Add a batch; False if it was not added because the run is stopping or the queue was abandoned."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._waiting) < self.capacity or self._control.stopping or self._abandoned
            )
            if self._control.stopping or self._abandoned:
                return False
            self._waiting.append(batch)
            self._changed.notify()
            return True

    def end(self) -> None:
        """Signal that no more batches will be added."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Signal that no more batches will be taken."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    def take(self) -> Batch | None:
        """The next batch; None when there are no more or the run is stopping.

        Each batch is returned once. Blocks while the run is paused.
        """
        control = self._control
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    control.stopping or (not control.paused and self._waiting) or (self._ended and not self._waiting)
                )
            )
            if control.stopping or not self._waiting:
                return None
            batch = self._waiting.popleft()
            self._changed.notify_all()
            return batch

    def wake(self) -> None:
        """Let waiting threads check the state of the run again."""
        with self._changed:
            self._changed.notify_all()


class RateLimiter:
    """Limits a stream of rows to a rate. ``wait`` sleeps and returns whether the run is stopping."""

    def __init__(
        self,
        rows_per_second: float,
        wait: Callable[[float], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = rows_per_second
        self._wait = wait
        self._clock = clock
        self._free_at = clock()

    def acquire(self, rows: int) -> bool:
        """Wait until ``rows`` more rows are allowed; False if the run begins to stop meanwhile."""
        now = self._clock()
        if now < self._free_at and self._wait(self._free_at - now):
            return False
        self._free_at = max(self._free_at, self._clock()) + rows / self._rate
        return True
