"""Signals to a command that has to clean up before it exits."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tui_importer.api import Run
from tui_importer.console.print_error import print_error
from tui_importer.core.model.report import Report
from tui_importer.errors import StoppedError
from tui_importer.process.signals import signals_passed_to

#: Base of a shell's exit status for a process ended by a signal (POSIX, 2.8.2).
SIGNALLED = 128

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedBySignalError(StoppedError):
    """A signal ended the command."""


class Interruption:
    """Records signals. The first one aborts the current run, the second exits at once, after printing
    ``left_behind``."""

    def __init__(self) -> None:
        self.number: signal.Signals | None = None
        self.left_behind: str | None = None
        self._woken = threading.Event()

    @property
    def exit_code(self) -> int:
        """The exit code of the signal; 0 if there was none."""
        return 0 if self.number is None else SIGNALLED + self.number

    def check(self) -> None:
        """Raise :class:`InterruptedBySignalError` if a signal has arrived."""
        if self.number is not None:
            raise InterruptedBySignalError(f"stopped by {self.number.name}: nothing is left behind")

    def carry_out(self, run: Run) -> Report:
        """Execute the run and return its report. Raises :class:`InterruptedBySignalError` if a signal ended it."""
        self.check()
        reports: list[Report | BaseException] = []

        def execute() -> None:
            try:
                reports.append(run.execute())
            except BaseException as error:  # noqa: BLE001  # raised where the run is waited for
                reports.append(error)
            self._woken.set()

        threading.Thread(target=execute, name="run", daemon=True).start()
        self._woken.wait()
        if self.number is not None:
            self._woken.clear()
            run.abort(f"aborted by {self.number.name}")
            # A file that is still being parsed is not waited for: nothing is written before the plan is resolved, and a
            # run that was aborted by then never writes.
            if not reports and run.resolved_plan is not None:
                self._woken.wait()
            self.check()
        self._woken.clear()
        [report] = reports
        if isinstance(report, BaseException):
            raise report
        return report

    def on_signal(self, number: signal.Signals) -> None:
        """Record the signal; the second one exits. Called in a thread of its own."""
        if self.number is not None:
            if self.left_behind is not None:
                print_error(self.left_behind)
            os._exit(SIGNALLED + number)
        self.number = number
        self._woken.set()


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Handle signals inside the block; restore the previous handlers afterwards."""
    interruption = Interruption()
    with signals_passed_to(interruption.on_signal, _SIGNALS):
        yield interruption
