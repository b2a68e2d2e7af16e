"""Signal handling of a process that imports."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tui_importer.api import Run
from tui_importer.errors import ExitCode

#: Seconds after a second signal until the process exits, whatever is unfinished: less than the two that are promised.
LEAVE_WITHIN = 1.7

_SIGNALS = {signal.SIGINT: ExitCode.SIGINT, signal.SIGTERM: ExitCode.SIGTERM}


@contextmanager
def signals_stop(run: Run) -> Iterator[None]:
    """The first SIGINT or SIGTERM stops the run, the second aborts it; SIGHUP is ignored."""
    received: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        received.append(number)
        name, code = signal.Signals(number).name, _SIGNALS[signal.Signals(number)]
        if len(received) == 1:
            # In a thread: a handler runs between two instructions of code that may hold the locks it needs.
            threading.Thread(target=run.stop, args=(f"stopped by {name}", code), name="signal").start()
        else:
            threading.Thread(target=run.abort, args=(f"aborted by {name}", code), name="signal").start()
            leave = threading.Timer(LEAVE_WITHIN, os._exit, [int(code)])
            leave.daemon = True
            leave.start()

    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    before_hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.signal(signal.SIGHUP, before_hangup)
