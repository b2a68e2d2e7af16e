"""The state of a run (running, paused, stopping, aborting) and its reason, for every thread that waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tui_importer.errors import ExitCode

#: How often a cancel request is repeated during an abort, in seconds: a request that arrives between two statements is
#: lost (PostgreSQL manual, 34.7).
CANCEL_PERIOD = 0.25


class RunControl:
    """Pauses and ends a run. A run goes from running to stopping to aborting and never back.

    Stopping: no further batch is taken; those in flight are finished. Aborting: statements in flight are also cancelled
    at the database. The first reason given is kept. A run that is not stopping can be ``paused`` and unpaused: no batch
    is taken meanwhile, and a worker that writes row by row waits before its next row. After :meth:`close`, none of
    these has an effect.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._cancel_callbacks: list[Callable[[], None]] = []
        self._wake_callbacks: list[Callable[[], None]] = []
        self._canceller: threading.Thread | None = None
        self._closed = False
        self.stopping = False
        self.aborting = False
        self.paused = False
        self.reason: str | None = None
        self.exit_code = ExitCode.STOPPED

    def stop(self, reason: str, exit_code: ExitCode = ExitCode.STOPPED) -> bool:
        """Stop after what is in flight; True if this call began it."""
        with self._changed:
            first = not self.stopping and not self._closed
            if first:
                self.reason, self.exit_code, self.stopping = reason, exit_code, True
                self.paused = False
            self._changed.notify_all()
            callbacks = list(self._wake_callbacks)
        for wake in callbacks:
            wake()
        return first

    def abort(self, reason: str, exit_code: ExitCode = ExitCode.STOPPED) -> bool:
        """Stop now; True if this call began it."""
        self.stop(reason, exit_code)
        with self._changed:
            first = not self.aborting and not self._closed
            if first:
                self.aborting = True
                self._start_cancelling()
            self._changed.notify_all()
        return first

    def pause(self, *, paused: bool) -> bool:
        """Pause or unpause the run; True if that changed its state."""
        with self._changed:
            changed = paused is not self.paused and not self.stopping and not self._closed
            if changed:
                self.paused = paused
            self._changed.notify_all()
            callbacks = list(self._wake_callbacks)
        for wake in callbacks:
            wake()
        return changed

    def on_change(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` whenever the run stops, pauses or unpauses, so that waiting threads check its state."""
        with self._changed:
            self._wake_callbacks.append(wake)

    def wait(self, seconds: float) -> bool:
        """Wait for this time, but not after the run begins to stop; True if it is stopping."""
        with self._changed:
            return self._changed.wait_for(lambda: self.stopping or self._closed, seconds)

    def wait_while_paused(self) -> None:
        """Wait until the run is unpaused or begins to stop."""
        with self._changed:
            self._changed.wait_for(lambda: not self.paused or self.stopping or self._closed)

    @contextmanager
    def cancelling(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Within the context, call ``cancel`` repeatedly from another thread once the run is aborted."""
        with self._changed:
            self._cancel_callbacks.append(cancel)
            self._start_cancelling()
        try:
            yield
        finally:
            with self._changed:
                self._cancel_callbacks.remove(cancel)

    def close(self) -> None:
        """End the run: nothing is cancelled any more."""
        with self._changed:
            self._closed, self.paused = True, False
            self._changed.notify_all()
        if self._canceller is not None:
            self._canceller.join()

    def _start_cancelling(self) -> None:
        """Start the canceller once the run is aborted and there is something to cancel."""
        if self.aborting and self._cancel_callbacks and self._canceller is None and not self._closed:
            self._canceller = threading.Thread(target=self._cancel_all, name="canceller", daemon=True)
            self._canceller.start()

    def _cancel_all(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                callbacks = list(self._cancel_callbacks)
            for cancel in callbacks:
                # Third-party code. If a cancel fails, it is repeated, and the others are still called.
                with suppress(Exception):
                    cancel()
            with self._changed:
                self._changed.wait_for(lambda: self._closed, CANCEL_PERIOD)
