"""Observing a writer at work."""

from __future__ import annotations

from typing import Protocol

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.counters import WorkerState
from tui_importer.core.writing.ledger import Entry
from tui_importer.events import Retrying


class WriteObserver(Protocol):
    """Is told what one writer does while it does it, to show it to somebody.

    What became of a batch is its :class:`~tui_importer.core.model.batch_outcome.BatchOutcome`.
    """

    def took(self, batch: Batch) -> None:
        """The writer begins to write a batch."""

    def entered(self, state: WorkerState) -> None:
        """The writer's state has changed."""

    def committed(self, entry: Entry) -> None:
        """A transaction was committed; the entry has the counts of it alone."""

    def retrying(self, event: Retrying) -> None:
        """An attempt has failed with a transient error, and another follows."""


class NoObserver:
    """Observes nothing."""

    def took(self, batch: Batch) -> None: ...

    def entered(self, state: WorkerState) -> None: ...

    def committed(self, entry: Entry) -> None: ...

    def retrying(self, event: Retrying) -> None: ...
