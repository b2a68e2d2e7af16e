"""The account of what workers do: rejects are kept before they are told of, and too many of them end the run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.scheduling.test_batch_queue_and_run_control import batch
from tests.core.writing.test_dry_run import Asked
from tui_importer.core.conversion.convert import Conversion
from tui_importer.core.conversion.mapping import ColumnMapping, MappedColumn
from tui_importer.core.model.counters import WorkerState
from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.model.types import INTEGER
from tui_importer.core.run.job import MIN_ROWS_FOR_PERCENT, ImportJob, reject_limit
from tui_importer.core.scheduling.batch_queue import BatchQueue
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.writing.backend import Destination
from tui_importer.core.writing.dry_run import DryBackend
from tui_importer.errors import DatabaseError, StoppedError
from tui_importer.events import BatchCommitted, Reject, RowRejected, WorkerFinished, WorkerStarted

TABLE = Table("t", (TableColumn("n", INTEGER),))
MAPPING = ColumnMapping("S", 0, ("n",), (MappedColumn("n", 0, "n", Conversion(INTEGER)),), TABLE)


class Arranged:
    """A job into a database that takes everything, and all that is heard of it in order."""

    def __init__(self, max_rejects: str | None = None) -> None:
        self.heard: list[Any] = []
        self.stop = RunControl()
        self.queue = BatchQueue(self.stop)
        self.stop.on_change(self.queue.wake)
        self.job = ImportJob(
            workers=1,
            queue=self.queue,
            control=self.stop,
            backend=DryBackend(Asked()),
            mapping=MAPPING,
            destination=Destination(TABLE, ("n",), (INTEGER,)),
            rejects=self,
            max_rejects=max_rejects,
            retry_for=0,
            emit=self.heard.append,
        )

    def add_many(self, rejects: Iterable[Reject]) -> None:
        self.heard.append(("kept", list(rejects)))


def committed(inserted: int, rejects: list[Reject]) -> BatchCommitted:
    return BatchCommitted(
        worker=1, first_row=2, last_row=9, inserted=inserted, skipped=0, rejected=len(rejects), seconds=0.1
    )


REJECT = Reject(sheet="S", row=2, faults=(), values=())


def test_a_worker_writes_what_the_feed_has() -> None:
    arranged = Arranged()
    for number in range(3):
        arranged.queue.put(batch(number))
    arranged.queue.end()
    with arranged.job.writer() as writer:
        for one in arranged.job.batches():
            writer.write(one)
    assert [type(event) for event in arranged.heard] == [WorkerStarted, *[BatchCommitted] * 3, WorkerFinished]
    [counters] = arranged.job.counters
    assert (counters.inserted, counters.state) == (3, WorkerState.DONE)
    arranged.stop.close()


def test_rejects_are_kept_before_anybody_hears_of_them() -> None:
    arranged, event = Arranged(), committed(3, [REJECT, REJECT])
    arranged.job.committed(event, [REJECT, REJECT])
    told = RowRejected(worker=1, reject=REJECT)
    assert arranged.heard == [("kept", [REJECT, REJECT]), event, told, told]
    assert not arranged.stop.stopping


def test_too_many_rejects_end_the_run() -> None:
    arranged = Arranged("1")
    arranged.job.committed(committed(5, [REJECT]), [REJECT])
    before = arranged.stop.reason
    arranged.job.committed(committed(5, [REJECT]), [REJECT])
    assert (before, "--max-rejects" in str(arranged.stop.reason)) == (None, True)
    assert list(arranged.job.batches()) == []


def test_a_percentage_of_rejects_is_of_all_rows_whatever_became_of_them() -> None:
    arranged, rejects = Arranged("1%"), [REJECT] * 20
    updated = msgspec.structs.replace(committed(0, rejects), updated=MIN_ROWS_FOR_PERCENT, skipped=980)
    arranged.job.committed(updated, rejects)
    assert not arranged.stop.stopping
    arranged.job.committed(committed(0, [REJECT]), [REJECT])
    assert arranged.stop.stopping


@pytest.mark.parametrize("aborting", [False, True])
def test_a_worker_that_fails_ends_the_others_unless_we_made_it_fail(aborting: bool) -> None:
    arranged = Arranged()

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


@given(st.integers(0, 100), st.integers(0, 5_000), st.integers(0, 5_000))
def test_limits(limit: int, rejected: int, settled: int) -> None:
    assert not reject_limit(None)(rejected, settled)
    assert reject_limit(str(limit))(rejected, settled) == (rejected > limit)
    of_percent = reject_limit(f"{limit}%")(rejected, settled)
    assert of_percent == (settled >= MIN_ROWS_FOR_PERCENT and rejected > limit / 100 * settled)
