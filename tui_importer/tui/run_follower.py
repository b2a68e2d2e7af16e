"""The thread that follows a run for the screen: it builds a view from new lines and posts one view per period."""

from __future__ import annotations

import threading
from collections.abc import Callable

from textual.message import Message

from tui_importer.errors import ExitCode, ImporterError
from tui_importer.tui.messages import OpenRun, RunOpened, RunRefused, ShownRun, ViewChanged
from tui_importer.tui.view_builder import ViewBuilder

#: Seconds between two views: the period at which a recording has new counters.
PERIOD = 0.25


class RunFollower:
    """Opens a run and follows it to its end, or until :meth:`close`. ``post`` is called from the follower's thread;
    ``shown`` is the run once it is open."""

    def __init__(self, open_run: OpenRun, post: Callable[[Message], object], period: float = PERIOD) -> None:
        self.shown: ShownRun | None = None
        self._open_run = open_run
        self._post = post
        self._period = period
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="watching", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and wait for it."""
        self._closed.set()
        self._thread.join()

    def _follow(self) -> None:
        try:
            self.shown = shown = self._open_run()
        except ImporterError as error:
            self._post(RunRefused(str(error), int(error.exit_code)))
            return
        except OSError as error:
            self._post(RunRefused(f"the run cannot be shown: {error}", int(ExitCode.FAILED)))
            return
        self._post(RunOpened(shown))
        watched, builder = shown.watched, ViewBuilder()
        try:
            while not self._closed.is_set():
                lines = watched.poll()
                for line in lines:
                    builder.feed(line)
                ended = watched.ended and not lines
                report = watched.report() if ended else None
                self._post(ViewChanged(builder.view(watched.now(), ended=ended, report=report)))
                # Lines that are already in the recording are read without waiting.
                if ended or self._closed.wait(0.0 if len(lines) > 1_000 else self._period):
                    return
        finally:
            watched.close()
