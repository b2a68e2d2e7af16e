"""Signal handling of a process that imports."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from tui_importer.api import Run
from tui_importer.errors import ExitCode

#: Seconds after a second signal until the process exits, whatever is unfinished: less than the two that are promised.
LEAVE_WITHIN = 1.7

_SIGNALS = {signal.SIGINT: ExitCode.SIGINT, signal.SIGTERM: ExitCode.SIGTERM}


@contextmanager
def signals_passed_to(act: Callable[[signal.Signals], None], numbers: Collection[signal.Signals]) -> Iterator[None]:
    """Call ``act`` for each of the signals that arrives inside the block, one after the other, in a thread of its own.

    A handler would not do. Python calls it in the main thread, and if the system has delivered the signal to another
    thread, which it may do while the main thread has one pending, then only after whatever the main thread waits for.

    To be entered in the main thread (:func:`signal.set_wakeup_fd`).
    """
    received, sent = os.pipe()
    os.set_blocking(sent, False)

    def pass_on() -> None:
        while arrived := os.read(received, 16):
            for number in arrived:
                if number in numbers:
                    act(signal.Signals(number))

    thread = threading.Thread(target=pass_on, name="signals", daemon=True)
    thread.start()
    wakeup_before = signal.set_wakeup_fd(sent, warn_on_full_buffer=False)
    before = {number: signal.signal(number, lambda number, frame: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup_before)
        os.close(sent)
        thread.join()
        os.close(received)


@contextmanager
def signals_stop(run: Run) -> Iterator[None]:
    """The first SIGINT or SIGTERM stops the run, the second aborts it; SIGHUP is ignored."""
    received: list[signal.Signals] = []

    def act(number: signal.Signals) -> None:
        received.append(number)
        code = _SIGNALS[number]
        # In a thread, since the next signal must not wait for either.
        if len(received) == 1:
            threading.Thread(target=run.stop, args=(f"stopped by {number.name}", code), name="stop").start()
        else:
            threading.Thread(target=run.abort, args=(f"aborted by {number.name}", code), name="abort").start()
            leave = threading.Timer(LEAVE_WITHIN, os._exit, [int(code)])
            leave.daemon = True
            leave.start()

    before_hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_passed_to(act, _SIGNALS):
            yield
    finally:
        signal.signal(signal.SIGHUP, before_hangup)
