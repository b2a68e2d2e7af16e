"""What becomes of a batch's outcome: its rejects are kept before they are told of, and too many of them end the run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from tests.core.scheduling.test_batch_queue_and_run_control import batch
from tests.core.writing.test_batch_writer import FakeSession, batch_of
from tests.core.writing.test_dry_run import RecordingBackend
from tui_importer.core.conversion.convert import Conversion
from tui_importer.core.conversion.mapping import ColumnMapping, MappedColumn
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.counters import WorkerState
from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.model.types import INTEGER
from tui_importer.core.run.account import Account
from tui_importer.core.run.job import ImportJob
from tui_importer.core.scheduling.batch_queue import BatchQueue
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.writing.backend import ConnectionSettings, Destination, Session
from tui_importer.core.writing.dry_run import DryBackend
from tui_importer.core.writing.ledger import Counts
from tui_importer.core.writing.loaded import Loaded
from tui_importer.core.writing.threaded_async_session import ThreadedAsyncSession
from tui_importer.core.writing.writer_spec import WriterSpec
from tui_importer.errors import DatabaseError, StoppedError, WorkerError
from tui_importer.events import (
    BatchCommitted,
    Reject,
    RowRejected,
    WorkerFailed,
    WorkerFinished,
    WorkerStarted,
)

TABLE = Table("t", (TableColumn("n", INTEGER),))
MAPPING = ColumnMapping("S", 0, ("n",), (MappedColumn("n", 0, "n", Conversion(INTEGER)),), TABLE)


class PreparedJob:
    """A job into a database that takes everything, and all that is heard of it in order."""

    def __init__(self, max_rejects: str | None = None, given: Sequence[Session] = ()) -> None:
        self.heard: list[Any] = []
        self.stop = RunControl()
        self.queue = BatchQueue(self.stop)
        self.stop.on_change(self.queue.wake)
        backend: Any = GivenSessions(given) if given else DryBackend(RecordingBackend())
        self.job = ImportJob(
            workers=1,
            queue=self.queue,
            control=self.stop,
            backend=backend,
            spec=WriterSpec(
                backend="fake",
                settings=ConnectionSettings("t.db", "tui_importer/test", 10),
                destination=Destination(TABLE, ("n",), (INTEGER,)),
                mapping=MAPPING,
            ),
            account=Account(self, max_rejects),
            emit=self.heard.append,
        )

    def add_many(self, rejects: Iterable[Reject]) -> None:
        self.heard.append(("kept", [reject.row for reject in rejects]))


class GivenSessions:
    """A database whose sessions are given."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self._sessions = list(sessions)

    def open_session(self, destination: Destination) -> Any:
        return self._sessions.pop(0)

    async def open_async_session(self, destination: Destination) -> Any:
        return self._sessions.pop(0)


def test_worker_writes_all_batches_of_the_queue() -> None:
    arranged = PreparedJob()
    for number in range(3):
        arranged.queue.put(batch(number))
    arranged.queue.end()
    with arranged.job.writer() as writer:
        outcomes = [writer.write(one) for one in arranged.job.batches()]
    assert [type(event) for event in arranged.heard] == [WorkerStarted, *[BatchCommitted] * 3, WorkerFinished]
    assert [(outcome.worker, outcome.inserted) for outcome in outcomes] == [(1, 1)] * 3
    [counters] = arranged.job.counters
    assert (counters.inserted, counters.batches, counters.state) == (3, 3, WorkerState.DONE)
    assert arranged.job.account.total().counts == Counts(inserted=3)
    arranged.stop.close()


@pytest.mark.parametrize("each", [False, True])
def test_rejects_are_stored_before_their_event(*, each: bool) -> None:
    arranged = PreparedJob(given=[FakeSession()])
    with arranged.job.writer() as writer:
        outcome = (writer.write_each if each else writer.write)(batch_of([1, -1, 2, -2]))
    told = [RowRejected(worker=1, reject=reject) for reject in outcome.rejects]
    kept, event = arranged.heard[1:3]
    assert kept == ("kept", [3, 5])
    assert isinstance(event, BatchCommitted)
    assert (event.first_row, event.last_row, event.inserted, event.rejected) == (2, 5, 2, 2)
    assert arranged.heard[3:-1] == told
    assert not arranged.stop.stopping


def test_exceeding_the_reject_limit_stops_the_run() -> None:
    arranged = PreparedJob("1", [FakeSession()])
    with arranged.job.writer() as writer:
        writer.write(batch_of([1, -1]))
        before = arranged.stop.reason
        writer.write(batch_of([2, -2]))
    assert (before, "--max-rejects" in str(arranged.stop.reason)) == (None, True)
    assert list(arranged.job.batches()) == []


@pytest.mark.parametrize("asynchronous", [False, True])
def test_committed_rows_are_reported_before_a_worker_failure(*, asynchronous: bool) -> None:
    class Breaking(FakeSession):
        def insert(self, batch: Batch, row: int) -> Loaded:
            if row == 2:
                raise RuntimeError("boom")
            return super().insert(batch, row)

    session: Any = ThreadedAsyncSession(Breaking()) if asynchronous else Breaking()
    arranged = PreparedJob(given=[session])

    def write() -> None:
        with arranged.job.writer() as writer:
            writer.write_each(batch_of([0, -1, 2, 3]))

    async def async_write() -> None:
        async with arranged.job.async_writer() as writer:
            await writer.write_each(batch_of([0, -1, 2, 3]))

    with pytest.raises(WorkerError, match="boom"):
        asyncio.run(async_write()) if asynchronous else write()
    assert [type(event) for event in arranged.heard[1:]] == [tuple, BatchCommitted, RowRejected, WorkerFailed]
    assert arranged.job.account.total().counts == Counts(inserted=1, rejected=1)


@pytest.mark.parametrize("aborting", [False, True])
def test_failing_worker_stops_the_others_unless_the_run_is_aborting(aborting: bool) -> None:
    arranged = PreparedJob()

    def work() -> None:
        with arranged.job.writer():
            if aborting:
                arranged.stop.abort("enough")
            raise DatabaseError("cancelled")

    with pytest.raises(StoppedError if aborting else DatabaseError):
        work()
    assert arranged.stop.stopping
    assert arranged.stop.reason == ("enough" if aborting else "cancelled")
    assert arranged.job.counters[0].state is WorkerState.FAILED
    arranged.stop.close()
