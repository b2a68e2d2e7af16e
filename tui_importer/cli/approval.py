"""Asks on the terminal before an import changes rows that are in its table."""

from __future__ import annotations

import select
import sys

from tui_importer.api import Run
from tui_importer.console.lines import SafeStream
from tui_importer.console.progress import Progress
from tui_importer.core.model.table_change import TableChange

#: Seconds after which a run that is being stopped no longer waits for an answer.
_PERIOD = 0.1


class Approval:
    """Asks once for each table, while nothing else is drawn. ``run`` is the run that asks, once there is one."""

    def __init__(self, progress: Progress) -> None:
        self.run: Run | None = None
        self._progress = progress
        self._approved: set[str] = set()

    def __call__(self, change: TableChange) -> bool:
        """Whether the change is approved. No if the input ends, or if the run is stopped meanwhile."""
        if change.table in self._approved:
            return True
        self._progress.stop()
        try:
            approved = self._answer(f"{change.question} [y/N] ")
        finally:
            if self.run is not None:
                self._progress.start(self.run.snapshot)
        if approved:
            self._approved.add(change.table)
        return approved

    def _answer(self, question: str) -> bool:
        err = SafeStream(sys.stderr)
        err.write(question)
        err.flush()
        # Signals only stop the run: they do not end what the main thread waits for.
        while not select.select([sys.stdin], [], [], _PERIOD)[0]:
            if self.run is not None and self.run.stopping:
                return False
        return sys.stdin.readline().strip().lower() in ("y", "yes")
