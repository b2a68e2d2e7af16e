"""What a viewer sees of a writer: its state, and its rows as they are committed."""

from __future__ import annotations

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.batch_outcome import BatchOutcome
from tui_importer.core.model.counters import WorkerCounters, WorkerState
from tui_importer.core.run.account import Totals
from tui_importer.core.run.live_counters import LiveCounters
from tui_importer.core.writing.ledger import Counts, Entry
from tui_importer.events import Reject, Retrying

BATCH = Batch(number=1, sheet="S", first_row=2, last_row=9, rows=range(2, 10), columns=(), origin=())
REJECT = Reject(sheet="S", row=2, faults=(), values=())


def test_live_counters_match_the_account_at_the_end() -> None:
    counters = WorkerCounters(worker=1)
    live = LiveCounters(counters, lambda event: None)
    live.took(BATCH)
    live.entered(WorkerState.WRITING)
    assert (counters.in_hand_first_row, counters.in_hand_last_row, counters.state) == (2, 9, WorkerState.WRITING)
    live.committed(Entry(2, 3, inserted=1, updated=1, skipped=1))
    live.committed(Entry(2, 4, 3, rejects=[REJECT]))
    assert (counters.inserted, counters.updated, counters.skipped, counters.rejected) == (1, 1, 1, 1)
    outcome = BatchOutcome(worker=1, first_row=2, last_row=9, inserted=6, skipped=1, rejects=(REJECT,), seconds=2.0)
    live.accounted(outcome, Totals(Counts(16, 2, 3, 4), batches=2, retries=5, seconds=7.0))
    assert (counters.inserted, counters.updated, counters.skipped, counters.rejected) == (16, 2, 3, 4)
    assert (counters.batches, counters.retries, counters.busy_seconds, counters.last_batch_seconds) == (2, 5, 7.0, 2.0)
    assert counters.in_hand_first_row is counters.in_hand_last_row is None


def test_batch_without_a_commit_stays_assigned_to_its_worker() -> None:
    counters = WorkerCounters(worker=1)
    live = LiveCounters(counters, lambda event: None)
    live.took(BATCH)
    live.accounted(BatchOutcome(worker=1, first_row=2, last_row=None, retries=3), Totals(retries=3))
    assert (counters.in_hand_first_row, counters.retries, counters.batches) == (2, 3, 0)


def test_retries_are_counted_and_emitted() -> None:
    counters, heard = WorkerCounters(worker=1), list[Retrying]()
    event = Retrying(worker=1, first_row=2, last_row=9, attempt=1, seconds=0.1, error="lost", sqlstate=None)
    LiveCounters(counters, heard.append).retrying(event)
    assert (counters.retries, heard) == (1, [event])
