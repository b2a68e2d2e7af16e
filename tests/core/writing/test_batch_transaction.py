"""A batch's transaction: its entry in the ledger, and what becomes of it when nobody answers."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.core.writing.test_batch_writer import MAPPING, FakeSession, SingleSession, batch_of
from tui_importer.core.model.batch import Batch
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.writing.batch_transaction import BatchProgress, BatchTransactions
from tui_importer.core.writing.isolation import BadRowIsolation
from tui_importer.core.writing.ledger import Entry
from tui_importer.core.writing.observer import NoObserver
from tui_importer.core.writing.operation import run
from tui_importer.core.writing.worker_session import WorkerSession
from tui_importer.errors import ImporterError, SupersededError, TransientFault


class LosesCommitAnswer(FakeSession):
    """Loses the answer to a COMMIT; ``committed`` says whether the server has heard of it."""

    def __init__(self, *, committed: bool) -> None:
        super().__init__()
        self.committed = committed
        self.lost = False

    def commit(self) -> None:
        if self.lost:
            super().commit()
            return
        self.lost = True
        if self.committed:
            super().commit()
        else:
            self.rollback()
            self.entries.pop()
        raise TransientFault("the connection was lost")


class RejectsEntries(FakeSession):
    """Takes no entry; those of the rows up to ``last_row`` are there."""

    last_row = 0

    def record(self, entry: Entry) -> bool:
        return False

    def recorded(self, entry: Entry) -> bool:
        return entry.last_row <= self.last_row


def transactions_on(session: FakeSession) -> tuple[BatchTransactions, WorkerSession]:
    given, control = SingleSession(session), RunControl()
    opened = WorkerSession(given, control)
    run(opened.open())
    return BatchTransactions(opened, BadRowIsolation(opened, MAPPING), given, control, NoObserver()), opened


def rows_from(first_row: int, count: int = 3) -> Batch:
    batch = batch_of(range(count))
    return replace(batch, first_row=first_row, last_row=first_row + count - 1, rows=range(first_row, first_row + count))


def test_adjacent_batch_extends_the_previous_entry() -> None:
    session = FakeSession()
    transactions, _ = transactions_on(session)
    for first_row in (2, 5, 11):
        run(transactions.write_batch(rows_from(first_row), BatchProgress()))
    entries = [(entry.first_row, entry.last_row, entry.previous_last_row) for entry in session.entries]
    assert entries == [(2, 4, None), (2, 7, 4), (11, 13, None)]


def test_rows_written_individually_extend_their_entry() -> None:
    session, progress = FakeSession(), BatchProgress()
    transactions, _ = transactions_on(session)
    run(transactions.write_rows(rows_from(2), progress))
    entries = [(entry.first_row, entry.last_row, entry.previous_last_row) for entry in session.entries]
    assert entries == [(2, 2, None), (2, 3, 2), (2, 4, 3)]
    assert (progress.rows, progress.loaded.inserted, progress.last_row) == (3, 3, 4)


@pytest.mark.parametrize("committed", [False, True])
def test_unacknowledged_commit_is_resolved_by_the_ledger(*, committed: bool) -> None:
    session, progress = LosesCommitAnswer(committed=committed), BatchProgress()
    transactions, _ = transactions_on(session)
    with pytest.raises(TransientFault):
        run(transactions.write_batch(rows_from(2), progress))
    unacknowledged = [transactions.commit_unacknowledged]
    run(transactions.resolve_lost_commit(progress))
    unacknowledged.append(transactions.commit_unacknowledged)
    assert unacknowledged == [True, False]
    assert progress.last_row == (4 if committed else None)
    run(transactions.write_batch(rows_from(2), progress))
    assert (session.stored, progress.loaded.inserted) == ([0, 1, 2], 3)


def test_refused_ledger_entry_raises_superseded_error() -> None:
    session, progress = RejectsEntries(), BatchProgress()
    transactions, _ = transactions_on(session)
    with pytest.raises(SupersededError):
        run(transactions.write_batch(rows_from(2), progress))
    assert (session.stored, progress.last_row) == ([], None)


def test_rows_already_written_are_refused() -> None:
    session, progress = RejectsEntries(), BatchProgress()
    session.last_row = 4
    transactions, _ = transactions_on(session)
    with pytest.raises(ImporterError, match="handed out to be written a second time"):
        run(transactions.write_batch(rows_from(2), progress))
    assert session.stored == []
