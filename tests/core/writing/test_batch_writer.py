"""Isolation of bad rows: what it costs, counted, and that it finds just them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tui_importer.backends.postgresql.backend import PostgreSQL
from tui_importer.backends.sqlite.backend import SQLite
from tui_importer.core.conversion.convert import Conversion
from tui_importer.core.conversion.mapping import ColumnMapping, MappedColumn
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.batch_outcome import BatchOutcome
from tui_importer.core.model.counters import WorkerCounters, WorkerState
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.model.types import INTEGER
from tui_importer.core.run.live_counters import LiveCounters
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.writing.backend import AsyncSession, Backend, ConnectionSettings, Destination, Session
from tui_importer.core.writing.base import BaseSession
from tui_importer.core.writing.batch_writer import BatchWriter
from tui_importer.core.writing.ledger import Entry
from tui_importer.core.writing.loaded import Loaded
from tui_importer.core.writing.observer import NoObserver
from tui_importer.core.writing.operation import run, run_async
from tui_importer.core.writing.threaded_async_session import ThreadedAsyncSession
from tui_importer.core.writing.writer_spec import WriterSpec
from tui_importer.errors import DataFault, StoppedError, TransientFault, WorkerError
from tui_importer.events import Retrying

if TYPE_CHECKING:
    from tests.conftest import Database

TABLE = Table(name="t", columns=(TableColumn("n", INTEGER, nullable=False),))
MAPPING = ColumnMapping(
    sheet="Sheet1",
    first_column=0,
    headers=("n",),
    columns=(MappedColumn("n", 0, "n", Conversion(INTEGER)),),
    table=TABLE,
)
DESTINATION = Destination(table=TABLE, columns=("n",), types=(INTEGER,))


def batch_of(numbers: Sequence[int]) -> Batch:
    """Sheet rows from 2 on, one column."""
    column = ListColumn(list(numbers))
    rows = range(2, 2 + len(numbers))
    return Batch(
        number=1, sheet="Sheet1", first_row=2, last_row=rows[-1], rows=rows, columns=(column,), origin=(column,)
    )


class FakeSession(BaseSession):
    """A session in memory that refuses negative numbers, in the way that ``offset`` names the refused row: given
    the rows of a load and the place of the first bad one. Keeps transactions honestly and counts statements."""

    def __init__(self, offset: Callable[[int, int], int | None] = lambda size, bad: None) -> None:
        self.stored: list[int] = []
        self.entries: list[Entry] = []
        self.statements = 0
        self._offset = offset
        self._open: list[int] | None = None
        self._saved: list[int] | None = None
        self._failed = False

    def begin(self) -> None:
        assert self._open is None
        self._open, self._failed = [], False

    def commit(self) -> None:
        self._statement()
        assert self._open is not None
        self.stored += self._open
        self._open = None

    def rollback(self) -> None:
        self._open, self._failed = None, False

    def savepoint(self) -> None:
        self._statement()
        assert self._open is not None
        assert self._saved is None, "one savepoint at a time"
        self._saved = list(self._open)

    def release(self) -> None:
        self._statement()
        self._saved = None

    def rollback_to_savepoint(self) -> None:
        self._failed = False
        self._statement()
        self._open, self._saved = self._saved, None

    def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        self._statement()
        assert self._open is not None
        numbers = [number for (number,) in batch.records(start, stop)]
        for place, number in enumerate(numbers):
            assert isinstance(number, int)
            if number < 0:
                self._failed = True
                raise DataFault("negative", offset=self._offset(len(numbers), place), column="n")
            self._open.append(number)
        return Loaded(len(numbers))

    def record(self, entry: Entry) -> bool:
        self._statement()
        self.entries.append(entry)
        return True

    def recorded(self, entry: Entry) -> bool:
        return entry in self.entries

    def close(self) -> None: ...

    def _statement(self) -> None:
        self.statements += 1
        assert not self._failed, "a failed transaction takes no statement but the way back"


class SingleSession:
    """A hand that has one session to give."""

    def __init__(self, session: Session | AsyncSession) -> None:
        self.session = session

    def open(self) -> Any:
        if isinstance(self.session, ThreadedAsyncSession):
            return asyncio.sleep(0, self.session)
        return self.session

    def pause(self) -> Any:
        raise AssertionError("the run is not paused")

    def rest(self, seconds: float) -> Any:
        return True


SETTINGS = ConnectionSettings("t.db", "tui_importer/test", 10)
SPEC = WriterSpec(backend="fake", settings=SETTINGS, destination=DESTINATION, mapping=MAPPING)


def no_retry(event: Retrying) -> None:
    pytest.fail(f"nothing is to be tried again: {event}")


def write(session: Session, numbers: Sequence[int], *, asynchronous: bool = False, each: bool = False) -> BatchOutcome:
    counters = WorkerCounters(worker=1)
    given = SingleSession(ThreadedAsyncSession(session) if asynchronous else session)
    writer = BatchWriter(SPEC, 1, given, RunControl(), LiveCounters(counters, no_retry))
    writing = (writer.write_each if each else writer.write)(batch_of(numbers))
    outcome = asyncio.run(run_async(writing)) if asynchronous else run(writing)
    assert outcome is writer.outcome
    assert counters.state is WorkerState.IDLE
    assert outcome.inserted + outcome.updated + outcome.skipped + len(outcome.rejects) == len(numbers)
    assert (counters.inserted, counters.updated) == (outcome.inserted, outcome.updated)
    assert (counters.skipped, counters.rejected) == (outcome.skipped, len(outcome.rejects))
    return outcome


#: Ways in which a database may say which row it refused.
NAMING: dict[str, Callable[[int, int], int | None]] = {
    "says nothing": lambda size, bad: None,
    "says the row": lambda size, bad: bad,
    "says the first": lambda size, bad: 0,
    "says the last": lambda size, bad: size - 1,
    "says one beyond": lambda size, bad: size,
    "says one too early": lambda size, bad: bad - 1,
}


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("naming", NAMING)
@given(numbers=st.lists(st.integers(-2, 10), min_size=1, max_size=40))
@settings(max_examples=examples(40), deadline=None)
def test_only_bad_rows_are_rejected(naming: str, numbers: list[int], *, asynchronous: bool) -> None:
    session = FakeSession(NAMING[naming])
    outcome = write(session, numbers, asynchronous=asynchronous)
    assert session.stored == [number for number in numbers if number >= 0]
    assert [reject.row for reject in outcome.rejects] == [row for row, n in enumerate(numbers, start=2) if n < 0]
    assert (outcome.first_row, outcome.last_row) == (2, 1 + len(numbers))
    assert outcome.inserted == len(session.stored)


@given(numbers=st.lists(st.integers(-2, 10), min_size=1, max_size=30))
@settings(max_examples=examples(40), deadline=None)
def test_row_by_row_mode_gives_the_same_result(numbers: list[int]) -> None:
    one, other = FakeSession(), FakeSession()
    assert write(one, numbers, each=True).rejects == write(other, numbers).rejects
    assert one.stored == other.stored


@pytest.mark.parametrize("size", [64, 1_024, 8_192])
@pytest.mark.parametrize("naming", NAMING)
def test_statements_for_one_bad_row_are_logarithmic_in_the_batch_size(naming: str, size: int) -> None:
    clean = FakeSession()
    write(clean, range(size))
    for place in (0, 1, size // 3, size - 1):
        numbers = list(range(size))
        numbers[place] = -1
        session = FakeSession(NAMING[naming])
        write(session, numbers)
        # Each of log2(size) halvings: a savepoint, a load, and the way back or on, for both halves.
        assert session.statements - clean.statements <= 6 * (math.log2(size) + 2), place
        if naming == "says the row":
            assert session.statements - clean.statements <= 10


@pytest.mark.parametrize("bad", [2, 10, 50])
def test_statements_for_several_bad_rows_are_at_most_the_sum(bad: int) -> None:
    size = 2_048
    numbers = [-1 if number % (size // bad) == 5 else number for number in range(size)]
    for naming, most in (("says nothing", 6 * (math.log2(size) + 2)), ("says the row", 10)):
        session = FakeSession(NAMING[naming])
        write(session, numbers)
        assert session.statements <= 2 + numbers.count(-1) * most, naming


class CountingSession:
    """Hands everything on to a real session and counts what goes to the database."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.statements = 0

    def __getattr__(self, name: str) -> object:
        if name in ("begin", "commit", "rollback", "savepoint", "release", "rollback_to_savepoint", "load", "insert"):
            self.statements += 1
        return getattr(self._session, name)


@pytest.mark.parametrize("size", [128, 2_048])
def test_real_databases_match_the_statement_bound(sqlite: Database, postgres: Database, size: int) -> None:
    backends: list[tuple[Database, type[Backend]]] = [(sqlite, SQLite), (postgres, PostgreSQL)]
    for database, kind in backends:
        database.execute("CREATE TABLE t (n bigint NOT NULL CHECK (n >= 0))")
        numbers = list(range(size))
        numbers[size // 3] = -1
        url = database.url if database.kind == "postgresql" else f"sqlite:///{database.url}"
        backend = kind(ConnectionSettings(url, "tui_importer/test", 10))  # type: ignore[call-arg]
        session = CountingSession(backend.open_session(DESTINATION))
        try:
            outcome = write(session, numbers)  # type: ignore[arg-type]
        finally:
            session.close()  # type: ignore[operator]
            backend.close()
        assert [reject.row for reject in outcome.rejects] == [2 + size // 3]
        assert database.scalar("SELECT count(*) FROM t") == size - 1
        # Both say which row it was, so the size of the batch does not matter.
        assert session.statements <= 16, database.kind


def test_statement_error_ends_the_worker_with_its_rows() -> None:
    class BrokenSession(FakeSession):
        def load(self, batch: Batch, start: int, stop: int) -> Loaded:
            raise RuntimeError("boom")

    counters = WorkerCounters(worker=3)
    writer = BatchWriter(SPEC, 3, SingleSession(BrokenSession()), RunControl(), LiveCounters(counters, no_retry))
    with pytest.raises(WorkerError, match=r"worker 3 failed at Sheet1 rows 2 to 11: RuntimeError: boom"):
        run(writer.write(batch_of(range(10))))
    assert counters.state is WorkerState.FAILED
    assert counters.inserted == counters.rejected == 0
    assert writer.outcome is not None
    assert (writer.outcome.worker, writer.outcome.last_row, writer.outcome.inserted) == (3, None, 0)


def test_row_by_row_keeps_committed_rows_when_the_worker_fails() -> None:
    class DisconnectingSession(FakeSession):
        def load(self, batch: Batch, start: int, stop: int) -> Loaded:
            if start == 4:
                raise RuntimeError("boom")
            return super().load(batch, start, stop)

    session, counters = DisconnectingSession(), WorkerCounters(worker=1)
    writer = BatchWriter(SPEC, 1, SingleSession(session), RunControl(), LiveCounters(counters, no_retry))
    with pytest.raises(WorkerError):
        run(writer.write_each(batch_of([0, 1, -1, 3, 4, 5])))
    assert session.stored == [0, 1, 3]
    assert (counters.inserted, counters.rejected) == (3, 1)
    outcome = writer.outcome
    assert outcome is not None
    assert (outcome.first_row, outcome.last_row, outcome.inserted, len(outcome.rejects)) == (2, 5, 3, 1)


def test_observers_see_individually_committed_rows() -> None:
    seen: list[tuple[int, int]] = []
    counters = WorkerCounters(worker=1)

    class ObservedSession(FakeSession):
        def begin(self) -> None:
            seen.append((counters.inserted, counters.rejected))
            super().begin()

    writer = BatchWriter(SPEC, 1, SingleSession(ObservedSession()), RunControl(), LiveCounters(counters, no_retry))
    run(writer.write_each(batch_of([1, -2, 3])))
    # The refused row is begun twice: with it, and again for its reject.
    assert [*seen, (counters.inserted, counters.rejected)] == [(0, 0), (1, 0), (1, 0), (1, 1), (2, 1)]


def test_no_statement_follows_an_abort() -> None:
    session, stop = FakeSession(), RunControl()
    stop.abort("enough")
    writer = BatchWriter(SPEC, 1, SingleSession(session), stop, NoObserver())
    with pytest.raises(StoppedError):
        run(writer.write(batch_of(range(5))))
    stop.close()
    assert session.statements == 0
    assert writer.outcome is not None
    assert writer.outcome.last_row is None


def test_outcome_counts_retries() -> None:
    class FlakySession(FakeSession):
        faults = 2

        def begin(self) -> None:
            if self.faults:
                self.faults -= 1
                raise TransientFault("not now")
            super().begin()

    writer = BatchWriter(replace(SPEC, retry_for=60.0), 1, SingleSession(FlakySession()), RunControl(), NoObserver())
    outcome = run(writer.write(batch_of(range(5))))
    assert (outcome.retries, outcome.inserted, outcome.last_row) == (2, 5, 6)
    writer = BatchWriter(SPEC, 1, SingleSession(FlakySession()), RunControl(), NoObserver())
    with pytest.raises(WorkerError, match="not tried again"):
        run(writer.write(batch_of(range(5))))
    assert writer.outcome is not None
    assert (writer.outcome.retries, writer.outcome.last_row) == (0, None)


@pytest.mark.parametrize("each", [False, True])
def test_outcome_counts_come_from_the_session(*, each: bool) -> None:
    class UpsertingSession(FakeSession):
        """Numbers below 10 are new, those below 20 are there already, and others may not be changed."""

        def load(self, batch: Batch, start: int, stop: int) -> Loaded:
            super().load(batch, start, stop)
            kinds = [number // 10 for (number,) in batch.records(start, stop) if isinstance(number, int)]
            return Loaded(kinds.count(0), kinds.count(1), kinds.count(2))

    session = UpsertingSession()
    outcome = write(session, [1, 2, 3, 11, 12, -1, 21], each=each)
    assert (outcome.inserted, outcome.updated, outcome.skipped, len(outcome.rejects)) == (3, 2, 1, 1)
    recorded = [(entry.inserted, entry.updated, entry.skipped, len(entry.rejects)) for entry in session.entries]
    assert [sum(counts) for counts in zip(*recorded, strict=True)] == [3, 2, 1, 1]


def test_suppressed_rows_are_counted_as_skipped(sqlite: Database, tmp_path: Path) -> None:
    sqlite.execute(
        "CREATE TABLE t (n integer); CREATE TRIGGER odd BEFORE INSERT ON t WHEN NEW.n % 2 = 1 "
        "BEGIN SELECT RAISE(IGNORE); END"
    )
    backend = SQLite(ConnectionSettings(f"sqlite:///{sqlite.url}", "tui_importer/test", 10))
    session = backend.open_session(DESTINATION)
    try:
        outcome = write(session, range(10))
    finally:
        session.close()
        backend.close()
    assert (outcome.inserted, outcome.skipped, outcome.rejects) == (5, 5, ())
