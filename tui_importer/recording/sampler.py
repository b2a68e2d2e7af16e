"""Samples a run's counters at regular intervals, in one thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from tui_importer.core.model.counters import Snapshot

SnapshotSource = Callable[[], Snapshot]

_log = logging.getLogger(__name__)


class Sampler:
    """Calls ``callback`` with a snapshot every ``period`` seconds, first after one period, until :meth:`stop`."""

    def __init__(self, snapshot: SnapshotSource, period: float, callback: Callable[[Snapshot], None]) -> None:
        self._snapshot = snapshot
        self._period = period
        self._callback = callback
        self._stopped = threading.Event()
        self._failure_logged = False
        # A daemon: a view that blocks on a dead terminal must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it; ``callback`` is not called afterwards. May be called again."""
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._period):
            try:
                self._callback(self._snapshot())
            except Exception:  # noqa: BLE001  # an error of a view must not stop the import
                if not self._failure_logged:
                    self._failure_logged = True
                    _log.debug("the progress view failed", exc_info=True)
