"""How many workers a live run wants, which its user may change, and who begins or ends for that."""

from __future__ import annotations

import threading

#: More workers than any database is glad of; a key held down must not open connections without end.
MAX_WORKERS = 64


class WorkerCount:
    """``wanted`` workers are to be at work; those of a strategy's pool ask whether they are too few or too many.

    ``flexible`` says that the strategy asks at all.
    """

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.flexible = False
        self._present = wanted
        self._lock = threading.Lock()

    def should_start_worker(self) -> bool:
        """True once for each worker that is to begin beside those at work."""
        self.flexible = True
        with self._lock:
            if self._present >= self.wanted:
                return False
            self._present += 1
            return True

    def should_stop_worker(self) -> bool:
        """True once for each worker that is one too many."""
        with self._lock:
            if self._present <= self.wanted:
                return False
            self._present -= 1
            return True
