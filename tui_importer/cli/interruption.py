"""Stopping a command that has something to take away before it leaves."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from tui_importer.api import Run
from tui_importer.console.print_error import print_error
from tui_importer.core.model.report import Report
from tui_importer.errors import StoppedError

#: What a shell makes of a process that a signal has ended (POSIX, 2.8.2).
SIGNALLED = 128

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedBySignalError(StoppedError):
    """A signal ended the command."""


class Interruption:
    """Whether a signal has come. The first cancels what is running, the second leaves at once, with a word on what is
    ``left_behind`` then."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.left_behind: str | None = None
        self._woken = threading.Event()

    @property
    def exit_code(self) -> int:
        """That of the signal; 0 where there was none."""
        return 0 if self.number is None else SIGNALLED + self.number

    def check(self) -> None:
        """Raise :class:`InterruptedBySignalError` where a signal has come."""
        if self.number is not None:
            raise InterruptedBySignalError(f"stopped by {signal.Signals(self.number).name}: nothing is left behind")

    def carry_out(self, run: Run) -> Report:
        """The run's report; raises :class:`InterruptedBySignalError` once a signal has ended it."""
        self.check()
        reports: list[Report | BaseException] = []

        def execute() -> None:
            try:
                reports.append(run.execute())
            except BaseException as error:  # noqa: BLE001  # raised where the run is waited for
                reports.append(error)
            self._woken.set()

        threading.Thread(target=execute, name="run", daemon=True).start()
        # A signal's handler runs in this thread, and wakes it.
        self._woken.wait()
        if self.number is not None:
            self._woken.clear()
            run.abort(f"stopped by {signal.Signals(self.number).name}")
            # A file that is still being parsed is not waited for: before it is known what goes where, nothing is
            # written, and a run that is told to stop by then writes nothing afterwards.
            if not reports and run.resolved_plan is not None:
                self._woken.wait()
            self.check()
        self._woken.clear()
        [report] = reports
        if isinstance(report, BaseException):
            raise report
        return report

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Note the signal; the second one leaves."""
        if self.number is not None:
            if self.left_behind is not None:
                print_error(self.left_behind)
            os._exit(SIGNALLED + number)
        self.number = number
        self._woken.set()


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Signals are noted meanwhile; afterwards they do what they did before."""
    interruption = Interruption()
    before: list[tuple[int, Callable[[int, FrameType | None], object] | int | None]] = [
        (number, signal.signal(number, interruption.on_signal)) for number in _SIGNALS
    ]
    try:
        yield interruption
    finally:
        for number, handler in before:
            signal.signal(number, handler)
