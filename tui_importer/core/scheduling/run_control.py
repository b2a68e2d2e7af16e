"""Whether a run goes, rests or is being stopped, and why: one object that everyone who waits has an ear on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tui_importer.errors import ExitCode

#: How often an abort is repeated to those who have not let go: a cancel request that arrives between two
#: statements is lost (PostgreSQL manual, 34.7).
CANCEL_PERIOD = 0.25


class RunControl:
    """How a run is paused and ended. It goes from running to stopping to aborting and never back.

    Stopping: no further batch is taken, those in flight are finished. Aborting: what is in flight is cancelled at
    the database as well. The first reason given stays. A run that is not being stopped can be ``paused`` and go on
    again: no further batch is taken meanwhile, and whoever writes row by row waits before the next row. Once the run is
    over, it is too late for any of this.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._cancels: list[Callable[[], None]] = []
        self._wakes: list[Callable[[], None]] = []
        self._canceller: threading.Thread | None = None
        self._closed = False
        self.stopping = False
        self.aborting = False
        self.paused = False
        self.reason: str | None = None
        self.exit_code = ExitCode.STOPPED

    def stop(self, reason: str, exit_code: ExitCode = ExitCode.STOPPED) -> bool:
        """Stop after what is in flight; True where this call began it."""
        with self._changed:
            first = not self.stopping and not self._closed
            if first:
                self.reason, self.exit_code, self.stopping = reason, exit_code, True
                self.paused = False
            self._changed.notify_all()
            wakes = list(self._wakes)
        for wake in wakes:
            wake()
        return first

    def abort(self, reason: str, exit_code: ExitCode = ExitCode.STOPPED) -> bool:
        """Stop now; True where this call began it."""
        self.stop(reason, exit_code)
        with self._changed:
            first = not self.aborting and not self._closed
            if first:
                self.aborting = True
                self._canceller = threading.Thread(target=self._cancel_all, name="canceller", daemon=True)
                self._canceller.start()
            self._changed.notify_all()
        return first

    def pause(self, *, paused: bool) -> bool:
        """Let the run rest, or go on; True where that is a change."""
        with self._changed:
            changed = paused is not self.paused and not self.stopping and not self._closed
            if changed:
                self.paused = paused
            self._changed.notify_all()
            wakes = list(self._wakes)
        for wake in wakes:
            wake()
        return changed

    def on_change(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` whenever the run begins to stop, to rest or to go on, so that whoever waits looks up."""
        with self._changed:
            self._wakes.append(wake)

    def wait(self, seconds: float) -> bool:
        """Wait, but no longer than until the run is being stopped; True when it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self.stopping or self._closed, seconds)

    def wait_while_paused(self) -> None:
        """Wait until the run goes on or is being stopped."""
        with self._changed:
            self._changed.wait_for(lambda: not self.paused or self.stopping or self._closed)

    @contextmanager
    def cancelling(self, cancel: Callable[[], None]) -> Iterator[None]:
        """While inside, ``cancel`` is called (from another thread, repeatedly) once the run is aborted."""
        with self._changed:
            self._cancels.append(cancel)
        try:
            yield
        finally:
            with self._changed:
                self._cancels.remove(cancel)

    def close(self) -> None:
        """The run is over: nobody is cancelled any more."""
        with self._changed:
            self._closed, self.paused = True, False
            self._changed.notify_all()
        if self._canceller is not None:
            self._canceller.join()

    def _cancel_all(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                cancels = list(self._cancels)
            for cancel in cancels:
                # A stranger's code; whoever fails to let go is asked again, and keeps nobody else from being asked.
                with suppress(Exception):
                    cancel()
            with self._changed:
                self._changed.wait_for(lambda: self._closed, CANCEL_PERIOD)
