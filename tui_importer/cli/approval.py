"""Asks on the terminal before an import changes rows that are in its table."""

from __future__ import annotations

import select
import sys
import threading

from tui_importer.api import Run
from tui_importer.console.lines import SafeStream
from tui_importer.console.progress import Progress
from tui_importer.core.model.table_change import TableChange
from tui_importer.events import AnyEvent

#: Seconds after which a run that is being stopped no longer waits for an answer.
_PERIOD = 0.1


class Approval:
    """Asks once for each table, while nothing else is drawn, one question at a time. ``run`` is the run that asks, once
    there is one. Threads may share it."""

    def __init__(self, progress: Progress) -> None:
        self.run: Run | None = None
        self._progress = progress
        self._answers: dict[str, bool] = {}
        self._one = threading.Lock()
        self._drawing = threading.Lock()
        self._held: list[AnyEvent] | None = None

    def __call__(self, change: TableChange) -> bool:
        """Whether the change is approved. No if the input ends, or if the run is stopped meanwhile."""
        with self._one:
            if self.run is not None and self.run.stopping:
                return False
            if change.table not in self._answers:
                self._answers[change.table] = self._ask(change)
            return self._answers[change.table]

    def on_event(self, event: AnyEvent) -> None:
        """Have an event shown, once there is no question on the screen: other imports may go on meanwhile."""
        with self._drawing:
            if self._held is None:
                self._progress.on_event(event)
            else:
                self._held.append(event)

    def _ask(self, change: TableChange) -> bool:
        self._progress.stop()
        with self._drawing:
            self._held = []
        try:
            return self._answer(f"{change.question} [y/N] ")
        finally:
            with self._drawing:
                held, self._held = self._held, None
                for event in held:
                    self._progress.on_event(event)
            if self.run is not None:
                self._progress.start(self.run.snapshot)

    def _answer(self, question: str) -> bool:
        err = SafeStream(sys.stderr)
        err.write(question)
        err.flush()
        # Signals only stop the run: they do not end what the main thread waits for.
        while not select.select([sys.stdin], [], [], _PERIOD)[0]:
            if self.run is not None and self.run.stopping:
                return False
        return sys.stdin.readline().strip().lower() in ("y", "yes")
