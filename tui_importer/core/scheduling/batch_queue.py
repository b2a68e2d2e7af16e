"""The bounded queue between the reading thread and the workers: back-pressure, and the end of a run."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from tui_importer.core.model.batch import Batch
from tui_importer.core.scheduling.run_control import RunControl

#: How many finished batches may wait for a worker. Enough that no worker waits while the reader converts, few
#: enough that memory stays at a handful of batches (measured: 2 to 32 load equally fast).
QUEUE_BATCHES = 4


class BatchQueue:
    """Batches on their way from one producer to any number of consumers.

    ``put`` blocks while the queue is full, ``take`` while it is empty; both end at once when the run is stopped.
    """

    def __init__(self, stop: RunControl, capacity: int = QUEUE_BATCHES) -> None:
        self.capacity = capacity
        self._control = stop
        self._waiting: deque[Batch] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._abandoned = False

    @property
    def depth(self) -> int:
        """How many batches are waiting."""
        return len(self._waiting)

    def put(self, batch: Batch) -> bool:
        """Hand a batch over; False when it was not taken in: the run is being stopped, or nobody takes batches."""
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
        """No more batches will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Nobody will take batches any more."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    def take(self) -> Batch | None:
        """The next batch, each given out once; None when there are no more or the run is being stopped.

        Nothing is given out while the run is paused.
        """
        stop = self._control
        with self._changed:
            self._changed.wait_for(
                lambda: stop.stopping or (not stop.paused and self._waiting) or (self._ended and not self._waiting)
            )
            if self._control.stopping or not self._waiting:
                return None
            batch = self._waiting.popleft()
            self._changed.notify_all()
            return batch

    def wake(self) -> None:
        """Let those who wait look at the stop switch again."""
        with self._changed:
            self._changed.notify_all()


class RateLimiter:
    """Holds a stream of rows below a rate. ``wait`` sleeps and says whether the run is being stopped."""

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
        """Wait until ``rows`` more may go; False when the run is being stopped meanwhile."""
        now = self._clock()
        if now < self._free_at and self._wait(self._free_at - now):
            return False
        self._free_at = max(self._free_at, self._clock()) + rows / self._rate
        return True
