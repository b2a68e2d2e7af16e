"""The number of workers of a live run, which the user can change."""

from __future__ import annotations

import threading

#: More workers than any database benefits from; a key held down must not open connections without end.
MAX_WORKERS = 64


class WorkerCount:
    """The number of workers that are ``wanted``; the strategy's pool asks whether to start or stop one.

    ``flexible`` is true once the strategy has asked.
    """

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.flexible = False
        self._running = wanted
        self._lock = threading.Lock()

    def should_start_worker(self) -> bool:
        """True once for each worker to be started."""
        self.flexible = True
        with self._lock:
            if self._running >= self.wanted:
                return False
            self._running += 1
            return True

    def should_stop_worker(self) -> bool:
        """True once for each worker to be stopped."""
        with self._lock:
            if self._running <= self.wanted:
                return False
            self._running -= 1
            return True
