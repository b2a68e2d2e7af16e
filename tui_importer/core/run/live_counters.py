"""The counters of one worker, kept while its writer works."""

from __future__ import annotations

from collections.abc import Callable

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.batch_outcome import BatchOutcome
from tui_importer.core.model.counters import WorkerCounters, WorkerState
from tui_importer.core.run.account import Totals
from tui_importer.core.writing.ledger import Entry
from tui_importer.events import Retrying


class LiveCounters:
    """Observes a writer (:class:`~tui_importer.core.writing.observer.WriteObserver`) to show what it is doing.

    Rows are counted as they are committed, so that a viewer sees those of a batch that is written row by row. At the
    end of each batch the counters take over the numbers of the run's account.
    """

    def __init__(self, counters: WorkerCounters, emit: Callable[[Retrying], None]) -> None:
        self.counters = counters
        self._emit = emit

    def took(self, batch: Batch) -> None:
        self.counters.in_hand_first_row, self.counters.in_hand_last_row = batch.first_row, batch.last_row

    def entered(self, state: WorkerState) -> None:
        self.counters.state = state

    def committed(self, entry: Entry) -> None:
        counters = self.counters
        counters.inserted += entry.inserted
        counters.updated += entry.updated
        counters.skipped += entry.skipped
        counters.rejected += len(entry.rejects)

    def retrying(self, event: Retrying) -> None:
        self.counters.retries += 1
        self._emit(event)

    def accounted(self, outcome: BatchOutcome, total: Totals) -> None:
        """The outcome of a batch is in the account, which has this total for the worker."""
        counters, rows = self.counters, total.counts
        counters.inserted, counters.updated = rows.inserted, rows.updated
        counters.skipped, counters.rejected = rows.skipped, rows.rejected
        counters.retries, counters.batches, counters.busy_seconds = total.retries, total.batches, total.seconds
        if outcome.last_row is not None:
            counters.last_batch_seconds = outcome.seconds
            counters.in_hand_first_row = counters.in_hand_last_row = None
