"""What goes wrong while an import runs: it ends cleanly, says what it was, and its numbers are those of the table."""

from __future__ import annotations

import gc
import os
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psycopg
import pytest
import xlsxwriter
from openpyxl import Workbook

from tests.support.pairs import in_pairs
from tui_importer import (
    BackendSpec,
    Batch,
    Block,
    ConnectionSettings,
    Destination,
    Job,
    Loaded,
    Options,
    Plan,
    ReaderSpec,
    Report,
    Run,
    Session,
    Source,
    StrategySpec,
    Target,
    ThreadedAsyncSession,
)
from tui_importer.backends.postgresql.backend import PostgreSQL
from tui_importer.core.scheduling.batch_queue import QUEUE_BATCHES
from tui_importer.events import (
    AnyEvent,
    BatchCommitted,
    Listener,
    LoadingStarted,
    SourceOpened,
    WorkerFailed,
    WorkerStarted,
    ignore,
)
from tui_importer.plugins.registry import Owner, Registry, load_registry
from tui_importer.readers.delimited.reader import DelimitedFile, DelimitedReader
from tui_importer.readers.delimited.records import Dialect

if TYPE_CHECKING:
    from tests.conftest import Database

pytestmark = pytest.mark.once

STRATEGIES = load_registry(found=[]).strategy_names()
ROWS = 300


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """A workbook with one column of 300 numbers."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in [["n"], *([number] for number in range(ROWS))]:
        sheet.append(row)
    path = tmp_path / "numbers.xlsx"
    book.save(path)
    return path


class ObservedRun:
    """A run with an ear on it. ``on_event`` may act on the run while it goes."""

    def __init__(
        self,
        path: Path,
        database: str,
        *,
        registry: Registry | None = None,
        on_event: Callable[[Run, AnyEvent], None] = lambda run, event: None,
        table: str | None = None,
        limit: int | None = None,
        **options: Any,
    ) -> None:
        self.events: list[AnyEvent] = []

        def listener(event: AnyEvent) -> None:
            self.events.append(event)
            on_event(self.run, event)

        plan = Plan(
            source=Source(file=str(path), limit=limit),
            target=Target(database=database, table=table),
            options=Options(**options),
        )
        rejects = path.with_suffix(".rejects.xlsx")
        rejects.unlink(missing_ok=True)
        self.run = Run(plan, listener=listener, registry=registry, rejects_file=rejects)

    def execute(self) -> Report:
        report = self.run.execute()
        stats = report.stats
        if report.outcome != "failed" or "do not add up" not in (report.error or ""):
            assert stats.total_records == stats.inserted + stats.updated + stats.skipped + stats.error_count
        return report

    def heard(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def registry_with(**offers: Any) -> Registry:
    registry = load_registry(found=[])
    registry.add(object(), Owner("test", "test", "1"), {kind: partial(list, specs) for kind, specs in offers.items()})
    return registry


# A worker raises.


class FailingSession:
    """A session of PostgreSQL that breaks at some batches, as code with a defect would."""

    def __init__(self, session: Session, error: Callable[[Batch], None]) -> None:
        self._session = session
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        self._error(batch)
        return self._session.load(batch, start, stop)

    def insert(self, batch: Batch, row: int) -> Loaded:
        self._error(batch)
        return self._session.insert(batch, row)


class FailingBackend(PostgreSQL):
    """Its sessions fail."""

    def __init__(self, settings: ConnectionSettings, error: Callable[[Batch], None]) -> None:
        url = settings.url.replace("failing:", "postgresql:")
        super().__init__(ConnectionSettings(url, settings.application_name, settings.connect_timeout))
        self._error = error

    def open_session(self, destination: Destination) -> Any:
        return FailingSession(super().open_session(destination), self._error)

    async def open_async_session(self, destination: Destination) -> Any:
        return ThreadedAsyncSession(self.open_session(destination))


class FailingEncoder(FailingBackend):
    """It cannot bring batches into any form."""

    def encode(self, batch: Batch) -> Any:
        return self._error(batch)


def failing(error: Callable[[Batch], None]) -> Registry:
    spec = BackendSpec("failing", "", lambda settings: FailingBackend(settings, error), schemes=("failing",))
    return registry_with(backend=[spec])


@pytest.mark.parametrize(
    ("strategy", "workers"), [("sequential", 1), ("threaded", 3), ("batched", 1), ("batched", 3), ("async", 3)]
)
def test_failing_worker_ends_the_run_and_is_named(
    numbers: Path, postgres: Database, strategy: str, workers: int
) -> None:
    def error(batch: Batch) -> None:
        if batch.number == 4:
            raise ZeroDivisionError("a defect")

    url = postgres.url.replace("postgresql:", "failing:")
    observed = ObservedRun(numbers, url, registry=failing(error), strategy=strategy, workers=workers, batch_size=20)
    report = observed.execute()
    assert (report.outcome, report.exit_code) == ("failed", 1)
    assert "failed at Sheet rows 61 to 80: ZeroDivisionError: a defect" in (report.error or "")
    [failed] = observed.heard(WorkerFailed)
    assert (failed.first_row, failed.last_row) == (61, 80)
    assert postgres.scalar("SELECT count(*) FROM numbers") == report.stats.inserted
    assert report.stats.inserted < ROWS


@pytest.mark.parametrize("strategy", ["threaded", "batched", "async"])
def test_all_failing_workers_are_named(numbers: Path, postgres: Database, strategy: str) -> None:
    together = threading.Barrier(3, timeout=60)

    def error(batch: Batch) -> None:
        together.wait()
        raise ValueError(f"defect at batch {batch.number}")

    url = postgres.url.replace("postgresql:", "failing:")
    report = ObservedRun(numbers, url, registry=failing(error), strategy=strategy, workers=3, batch_size=20).execute()
    assert (report.outcome, report.exit_code, report.stats.inserted) == ("failed", 1, 0)
    for number in (1, 2, 3):
        assert f"defect at batch {number}" in (report.error or "")


@pytest.mark.parametrize("strategy", ["batched", "async"])
def test_a_backend_that_cannot_encode_is_named(numbers: Path, postgres: Database, strategy: str) -> None:
    def error(batch: Batch) -> None:
        if batch.number == 4:
            raise ZeroDivisionError("a defect")

    spec = BackendSpec("failing", "", lambda settings: FailingEncoder(settings, error), schemes=("failing",))
    url = postgres.url.replace("postgresql:", "failing:")
    registry = registry_with(backend=[spec])
    report = ObservedRun(numbers, url, registry=registry, strategy=strategy, batch_size=20).execute()
    assert (report.outcome, report.exit_code) == ("failed", 1)
    assert "backend 'failing' failed: ZeroDivisionError: a defect" in (report.error or "")
    assert postgres.scalar("SELECT count(*) FROM numbers") == report.stats.inserted < ROWS


# A strategy that does not do its work.


def strategy_of(run: Callable[[Job], None]) -> Registry:
    class Strategy:
        max_workers: int | None = None

        def run(self, job: Job) -> None:
            run(job)

    return registry_with(strategy=[StrategySpec("odd", "", Strategy)])


def test_strategy_that_drops_batches_fails_the_run(numbers: Path, sqlite: Database) -> None:
    def swallow(job: Job) -> None:
        with job.writer() as writer:
            for batch in job.batches():
                if batch.number % 2:
                    writer.write(batch)

    report = ObservedRun(numbers, sqlite.url, registry=strategy_of(swallow), strategy="odd", batch_size=20).execute()
    assert (report.outcome, report.exit_code) == ("failed", 1)
    assert "300" in (report.error or "")
    assert "159" in (report.error or "")


class RustPanic(BaseException):
    """What Rust code raises that panics: no Exception."""


class PanickingSheet(DelimitedFile):
    """Panics when its second block is asked for."""

    def blocks(self, rows: int) -> Iterator[Block]:
        yield next(super().blocks(rows))
        raise RustPanic("index out of bounds")


class PanickingReader(DelimitedReader):
    """Panics when it opens the file, or the ``sheet``."""

    def __init__(self, *, sheet: bool) -> None:
        self._sheet = sheet

    def open(self, path: Path) -> DelimitedFile:
        if not self._sheet:
            raise RustPanic("index out of bounds")
        return PanickingSheet(path, "utf-8", Dialect(","))


@pytest.mark.parametrize("where", ["file", "sheet", "strategy"])
def test_base_exception_fails_the_run(numbers: Path, sqlite: Database, where: str) -> None:
    def panic(job: Job) -> None:
        raise RustPanic("index out of bounds")

    text = numbers.with_suffix(".odd")
    text.write_text("n\n" + "1\n" * ROWS)
    if where == "strategy":
        registry = strategy_of(panic)
        report = ObservedRun(numbers, sqlite.url, registry=registry, strategy="odd").execute()
    else:
        reader = ReaderSpec("odd", "", partial(PanickingReader, sheet=where == "sheet"), (".odd",))
        report = ObservedRun(text, sqlite.url, registry=registry_with(reader=[reader])).execute()
    assert (report.outcome, report.exit_code) == ("failed", 1)
    assert "Panic: index out of bounds" in (report.error or "")
    assert where == "sheet" or "'odd' failed" in (report.error or "")


@pytest.mark.parametrize("batches", [0, 1])
def test_strategy_that_returns_early_leaves_no_thread_waiting(numbers: Path, sqlite: Database, batches: int) -> None:
    def end_early(job: Job) -> None:
        with job.writer() as writer:
            for _, batch in zip(range(batches), job.batches(), strict=False):
                writer.write(batch)

    # More batches than the queue holds: the reader is waiting for room when the strategy ends.
    assert QUEUE_BATCHES + batches < ROWS / 10
    report = ObservedRun(numbers, sqlite.url, registry=strategy_of(end_early), strategy="odd", batch_size=10).execute()
    assert (report.outcome, report.exit_code) == ("failed", 1)
    assert sqlite.scalar("SELECT count(*) FROM numbers") == 9 * batches  # the header is a row of the first block


def test_strategy_that_writes_a_batch_twice_fails_the_run(numbers: Path, sqlite: Database) -> None:
    def twice(job: Job) -> None:
        with job.writer() as writer:
            for batch in job.batches():
                writer.write(batch)
                if batch.number == 1:
                    writer.write(batch)

    report = ObservedRun(numbers, sqlite.url, registry=strategy_of(twice), strategy="odd", batch_size=100).execute()
    assert (report.outcome, report.exit_code) == ("failed", 1)


# Somebody else holds the table.


@contextmanager
def held(database: Database, table: str) -> Iterator[None]:
    """Another program that has locked the table."""
    if database.kind == "postgresql":
        with psycopg.connect(database.url) as other:
            other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield
            other.rollback()
    else:
        with closing(sqlite3.connect(database.url, isolation_level=None, check_same_thread=False)) as plain:
            plain.execute("BEGIN EXCLUSIVE")
            yield
            plain.execute("ROLLBACK")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_time_limit_interrupts_a_worker_waiting_for_the_database(
    postgres: Database, sqlite: Database, numbers: Path, strategy: str
) -> None:
    for database in (postgres, sqlite):
        database.execute("CREATE TABLE numbers (n integer)")
        # What reads definitions would wait too; so the lock is taken when the workers begin.
        locked: list[Any] = []

        def lock(run: Run, event: AnyEvent, database: Database = database, locked: list[Any] = locked) -> None:
            if isinstance(event, LoadingStarted):
                locked.append(held(database, "numbers"))
                locked[-1].__enter__()

        for timeout in (1.0, 8.0, 60.0):
            observed = ObservedRun(numbers, database.url, on_event=lock, strategy=strategy, workers=2, timeout=timeout)
            report = observed.execute()
            if locked:  # else the time was up before anybody began: the machine is slow
                break
        locked[-1].__exit__(None, None, None)
        assert (report.outcome, report.exit_code) == ("stopped", 4), database.kind
        assert "--timeout" in (report.error or "")
        assert report.stats.inserted == 0
        assert database.scalar("SELECT count(*) FROM numbers") == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_abort_interrupts_a_worker_waiting_for_the_database(postgres: Database, numbers: Path, strategy: str) -> None:
    postgres.execute("CREATE TABLE numbers (n integer)")
    locks: list[Any] = []

    def lock_then_cancel(run: Run, event: AnyEvent) -> None:
        if isinstance(event, LoadingStarted):
            locks.append(held(postgres, "numbers"))
            locks[-1].__enter__()
        if isinstance(event, WorkerStarted):
            waiting = (
                "DO $$ BEGIN FOR attempt IN 1..3000 LOOP PERFORM pg_stat_clear_snapshot(); "
                "EXIT WHEN EXISTS (SELECT FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock' AND datname = current_database()); "
                "PERFORM pg_sleep(0.02); END LOOP; END $$"
            )

            def cancel() -> None:
                postgres.execute(waiting)
                run.abort("enough")

            threading.Thread(target=cancel).start()

    report = ObservedRun(numbers, postgres.url, on_event=lock_then_cancel, strategy=strategy, workers=1).execute()
    locks[-1].__exit__(None, None, None)
    assert (report.outcome, report.exit_code, report.error) == ("stopped", 4, "enough")
    assert postgres.scalar("SELECT count(*) FROM numbers") == 0


def test_released_lock_only_delays_the_run(sqlite: Database, numbers: Path) -> None:
    sqlite.execute("CREATE TABLE numbers (n integer)")
    locks: list[Any] = []

    def lock_for_a_while(run: Run, event: AnyEvent) -> None:
        if isinstance(event, WorkerStarted):
            locks.append(held(sqlite, "numbers"))
            locks[-1].__enter__()
            threading.Timer(0.5, locks[-1].__exit__, (None, None, None)).start()

    report = ObservedRun(numbers, sqlite.url, on_event=lock_for_a_while).execute()
    assert (report.outcome, report.stats.inserted) == ("complete", ROWS)


# The database goes away.


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_terminated_connections_neither_lose_nor_duplicate_rows(
    postgres: Database, numbers: Path, strategy: str
) -> None:
    def kill(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted) and event.first_row == 2:
            postgres.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE 'tui_importer/%' AND datname = current_database()"
            )

    report = ObservedRun(numbers, postgres.url, on_event=kill, strategy=strategy, workers=2, batch_size=20).execute()
    assert (report.outcome, report.stats.inserted) == ("complete", ROWS)
    assert report.stats.retries > 0
    assert postgres.scalar("SELECT count(*) FROM numbers") == ROWS
    assert postgres.scalar("SELECT count(DISTINCT n) FROM numbers") == ROWS


def test_table_dropped_during_the_run_fails_it_in_one_line(postgres: Database, numbers: Path) -> None:
    def drop(run: Run, event: AnyEvent) -> None:
        if isinstance(event, LoadingStarted):
            postgres.execute("DROP TABLE numbers")

    report = ObservedRun(numbers, postgres.url, on_event=drop).execute()
    assert (report.outcome, report.exit_code) == ("failed", 1)
    assert 'relation "numbers" does not exist' in (report.error or "")
    assert "\n" not in (report.error or "")


def test_full_disk_fails_in_one_line_and_keeps_committed_rows(numbers: Path, tmp_path: Path) -> None:
    """A file size limit stands in for the full disk: SQLite sees both as a failed write."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("S")
    sheet.append(["n", "text"])
    for number in range(4_000):
        sheet.append([number, f"{number:04}" * 50])
    path = tmp_path / "wide.xlsx"
    book.save(path)
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "tui_importer",
            str(path),
            "--db",
            "full.db",
            "--batch-size",
            "100",
            "-q",
            "--retry-for",
            "1",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
    )
    assert ended.returncode == 4, ended.stderr
    [line] = ended.stderr.splitlines()
    assert line.startswith("tui-importer: worker 1 failed at S rows ")
    assert "gave up" in line
    with closing(sqlite3.connect(tmp_path / "full.db")) as database:
        [[rows, distinct]] = database.execute("SELECT count(*), count(DISTINCT n) FROM s").fetchall()
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert rows == distinct
    assert (rows + 1) % 100 == 0  # the header is a row of the first block
    assert 0 < rows < 4_000


# Limits that the user sets.


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_exceeding_the_reject_limit_stops_the_run(sqlite: Database, numbers: Path, strategy: str) -> None:
    sqlite.execute("CREATE TABLE numbers (n integer CHECK (n % 10 <> 0))")
    report = ObservedRun(numbers, sqlite.url, strategy=strategy, batch_size=10, max_rejects="5").execute()
    assert (report.outcome, report.exit_code) == ("stopped", 4)
    assert "--max-rejects" in (report.error or "")
    assert 6 <= report.stats.error_count < 30
    assert sqlite.scalar("SELECT count(*) FROM numbers") == report.stats.inserted


@in_pairs
def test_stop_finishes_batches_in_flight_and_starts_no_other(database: Database, numbers: Path, strategy: str) -> None:
    def stop(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            run.stop("that will do")

    report = ObservedRun(numbers, database.url, on_event=stop, strategy=strategy, workers=2, batch_size=10).execute()
    assert (report.outcome, report.exit_code, report.error) == ("stopped", 4, "that will do")
    assert 0 < report.stats.inserted < ROWS
    assert database.scalar("SELECT count(*) FROM numbers") == report.stats.inserted


@in_pairs
def test_limit_bounds_rows_and_dry_run_writes_none(database: Database, numbers: Path, strategy: str) -> None:
    rehearsed = ObservedRun(numbers, database.url, strategy=strategy, dry_run=True, limit=120).execute()
    assert (rehearsed.outcome, rehearsed.stats.total_records) == ("complete", 120)
    assert not Path(database.url).exists() or database.kind == "postgresql"
    report = ObservedRun(numbers, database.url, strategy=strategy, limit=120).execute()
    assert report.stats.inserted == 120
    assert database.fetch("SELECT min(n), max(n), count(*) FROM numbers") == [(0, 119, 120)]


def test_back_pressure_limits_the_number_of_batches_in_memory(sqlite: Database, numbers: Path) -> None:
    """While a worker is blocked on the first batch, the reader gets ahead only by the queue's capacity."""
    reached: list[int] = []

    def observe(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            # The reading thread may run as long as it likes here; what it has read by now is all it could.
            for _ in range(2_000):
                if run.snapshot().queue_depth == QUEUE_BATCHES:
                    break
                threading.Event().wait(0.001)
            reached.append(run.snapshot().read)

    ObservedRun(numbers, sqlite.url, on_event=observe, strategy="batched", batch_size=10).execute()
    # The first batch is in, the queue is full, and one more batch waits for room.
    assert reached[0] <= 10 * (1 + QUEUE_BATCHES + 1)


@pytest.mark.parametrize(
    ("rows", "options", "expected"),
    [
        (300, {}, 2_000),
        (60_000, {}, 6_000),
        (60_000, {"workers": 1}, 10_000),
        (300, {"max_rate": 1_500.0}, 1_500),
        (60_000, {"batch_size": 7_000}, 7_000),
    ],
)
def test_default_batch_size_grows_with_the_expected_rows(
    tmp_path: Path, postgres: Database, rows: int, options: dict[str, Any], expected: int
) -> None:
    path = tmp_path / "many.xlsx"
    book = xlsxwriter.Workbook(path, {"constant_memory": True})
    sheet = book.add_worksheet()
    sheet.write(0, 0, "n")
    for row in range(1, rows + 1):
        sheet.write(row, 0, row)
    book.close()
    report = ObservedRun(path, postgres.url, **options).execute()
    assert (report.batch_size, report.stats.total_records) == (expected, rows)


def test_listener_receives_one_event_at_a_time(postgres: Database, numbers: Path) -> None:
    inside: list[int] = []
    overlaps: list[int] = []

    def listen(run: Run, event: AnyEvent) -> None:
        if inside:
            overlaps.append(1)
        inside.append(1)
        os.sched_yield()
        inside.pop()

    ObservedRun(numbers, postgres.url, on_event=listen, strategy="threaded", workers=4, batch_size=5).execute()
    assert overlaps == []


def test_failing_listener_ends_the_run_without_losing_rows(sqlite: Database, numbers: Path) -> None:
    def fail(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            raise LookupError("a defect of the listener")

    report = ObservedRun(numbers, sqlite.url, on_event=fail, batch_size=10).execute()
    assert (report.outcome, report.exit_code) == ("failed", 1)
    assert report.error == "the listener failed: LookupError: a defect of the listener"
    assert sqlite.scalar("SELECT count(*) FROM numbers") == report.stats.inserted > 0


def test_written_batches_are_released(sqlite: Database, numbers: Path) -> None:

    def living() -> int:
        return sum(isinstance(thing, Batch) for thing in gc.get_objects())

    gc.collect()
    before = living()
    most: list[int] = []
    committed = 0

    def count(run: Run, event: AnyEvent) -> None:
        nonlocal committed
        if isinstance(event, BatchCommitted):
            committed += 1
            if committed % 10 == 0:  # every object of the process is looked at
                most.append(living() - before)

    ObservedRun(numbers, sqlite.url, on_event=count, strategy="batched", batch_size=5).execute()
    assert len(most) > ROWS / 5 / 10 - 1
    # Those waiting, the one that waits for room, those in hand and just let go.
    assert max(most) <= QUEUE_BATCHES + 5
    assert living() == before


@pytest.mark.parametrize(("mode", "atomic"), [("append", False), ("create", True)])
def test_table_created_concurrently_is_used(
    mode: Literal["append", "create"], atomic: bool, numbers: Path, tmp_path: Path, database: Database
) -> None:
    other = tmp_path / "other.csv"
    other.write_text("n\n" + "\n".join(map(str, range(1_000, 1_050))) + "\n")

    def imported(file: Path, mode: Literal["append", "create"], listener: Listener = ignore) -> Report:
        target = Target(database=database.url, table="shared", mode=mode)
        plan = Plan(source=Source(file=str(file)), target=target, options=Options(atomic=atomic))
        return Run(plan, listener=listener).execute()

    def overtake(event: AnyEvent) -> None:
        if isinstance(event, SourceOpened):  # the table was looked for while the file was being opened
            assert imported(other, "append").outcome == "complete"

    report = imported(numbers, mode, overtake)
    rows = database.scalar("SELECT count(*) FROM shared")
    if mode == "append":
        assert (report.outcome, report.target.created, rows) == ("complete", False, ROWS + 50)
        assert any("another run has made table 'shared' meanwhile" in note for note in report.notes)
    else:
        assert (report.outcome, rows) == ("failed", 50)
        assert "shared" in (report.error or "")
