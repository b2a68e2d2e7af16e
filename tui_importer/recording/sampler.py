"""The one thread that looks at a run's counters now and then."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from tui_importer.core.model.counters import Snapshot

SnapshotSource = Callable[[], Snapshot]

_log = logging.getLogger(__name__)


class Sampler:
    """Hands a snapshot to ``callback`` every ``period`` seconds, the first after one period, until :meth:`stop`."""

    def __init__(self, snapshot: SnapshotSource, period: float, callback: Callable[[Snapshot], None]) -> None:
        self._snapshot = snapshot
        self._period = period
        self._callback = callback
        self._stopped = threading.Event()
        self._complained = False
        # A daemon: a view that hangs on a dead terminal must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it; afterwards ``callback`` is not called. Harmless when repeated."""
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._period):
            try:
                self._callback(self._snapshot())
            except Exception:  # noqa: BLE001 - whatever a view does wrong, the import goes on
                if not self._complained:
                    self._complained = True
                    _log.debug("the progress view failed", exc_info=True)
