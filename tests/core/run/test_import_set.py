"""A run with parts of one's own: whatever happens, there is a report, and the end is the last that is heard."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database
from tests.core.run.steps import RejectList, SingleWorker
from tests.core.source.test_reader import LinesReader
from tui_importer.backends.sqlite.backend import SQLite
from tui_importer.core.model.counters import Phase
from tui_importer.core.model.plan import Options, Plan, Source, Target
from tui_importer.core.model.report import Report, SetReport
from tui_importer.core.model.url import parse_address
from tui_importer.core.run.context import Components
from tui_importer.core.run.import_set import ImportSet, PlannedImport
from tui_importer.core.scheduling.executor import ImportQueue
from tui_importer.core.scheduling.strategy import Job
from tui_importer.errors import ExitCode, UsageError
from tui_importer.events import (
    AnyEvent,
    BatchCommitted,
    ImportEvent,
    ImportFinished,
    ImportStarted,
    LoadingStarted,
    Paused,
    ReadingStarted,
    RunFinished,
    RunStarted,
    SourceOpened,
    Stopping,
    Unpaused,
    WorkerStarted,
)
from tui_importer.executors.sequential import Sequential


class PanickingStrategy:
    """A stranger's strategy with a defect that is no Exception."""

    max_workers: int | None = 1

    def run(self, job: Job) -> None:
        raise BaseException("out of\nits mind")


class PreparedRun:
    """A run that reads lines into SQLite, one file for each import, and all that is heard of it."""

    def __init__(
        self,
        folder: Path,
        database: Database,
        strategy: Any = None,
        executor: Any = None,
        imports: int = 1,
        rows: int = 50,
        **options: Any,
    ) -> None:
        planned = []
        for number in range(imports):
            file = folder / f"numbers{number or ''}.lines"
            file.write_text("n\n" + "".join(f"{number * rows + row}\n" for row in range(rows)))
            plan = Plan(
                source=Source(file=str(file)),
                target=Target(database=database.url, table=f"t{number or ''}"),
                options=Options(batch_size=10, **options),
            )
            parts = Components(
                reader_name="lines",
                reader=LinesReader(),
                strategy_name="plain",
                strategy=strategy or SingleWorker(),
                backend_name="sqlite",
                open_backend=SQLite,
                address=parse_address(database.url),
            )
            planned.append(PlannedImport(plan, parts, RejectList()))
        self.heard: list[AnyEvent] = []
        self.on_event: Callable[[AnyEvent], None] = lambda event: None
        self.run = ImportSet(planned, "mine", executor or Sequential(), self._hear)

    def _hear(self, event: AnyEvent) -> None:
        self.heard.append(event)
        self.on_event(event)

    def execute(self) -> Report:
        report = self.run.execute()
        assert isinstance(self.heard[0], RunStarted)
        assert isinstance(self.heard[-1], RunFinished)
        assert self.run.snapshot().phase is Phase.FINISHED
        return report


def test_run_executes_from_the_file_to_the_report(tmp_path: Path, sqlite: Database) -> None:
    arranged = PreparedRun(tmp_path, sqlite)
    report = arranged.execute()
    assert (report.outcome, report.exit_code, report.stats.inserted) == ("complete", ExitCode.OK, 50)
    assert (report.source.reader, report.method, report.target.backend) == ("lines", "plain", "sqlite")
    assert arranged.run.resolved_plans != (None,)
    assert sqlite.scalar("SELECT sum(n) FROM t") == sum(range(50))
    again = PreparedRun(tmp_path, sqlite).execute()
    assert (again.outcome, again.resumes, again.stats.skipped) == ("already_imported", report.run_id, 50)


def test_dry_run_writes_nothing(tmp_path: Path, sqlite: Database) -> None:
    report = PreparedRun(tmp_path, sqlite, dry_run=True).execute()
    assert (report.outcome, report.stats.total_records) == ("complete", 50)
    assert not Path(sqlite.url).exists()


def test_stop_is_reported_once_and_keeps_committed_rows(tmp_path: Path, sqlite: Database) -> None:
    arranged = PreparedRun(tmp_path, sqlite)

    def stop(event: AnyEvent) -> None:
        if isinstance(event, LoadingStarted):
            arranged.run.stop("enough")
            arranged.run.stop("more than enough")

    arranged.on_event = stop
    report = arranged.execute()
    assert (report.outcome, report.exit_code, report.error) == ("stopped", ExitCode.STOPPED, "enough")
    assert [event.reason for event in arranged.heard if isinstance(event, Stopping)] == ["enough"]
    assert sqlite.scalar("SELECT count(*) FROM t") == report.stats.inserted
    assert PreparedRun(tmp_path, sqlite).execute().outcome == "complete"
    assert sqlite.scalar("SELECT count(*) FROM t") == 50


def test_error_in_a_third_party_strategy_is_one_line_in_the_report(tmp_path: Path, sqlite: Database) -> None:
    report = PreparedRun(tmp_path, sqlite, PanickingStrategy()).execute()
    assert (report.outcome, report.exit_code) == ("failed", ExitCode.FAILED)
    assert report.error == "strategy 'plain' failed: BaseException: out of its mind"


def test_failing_listener_fails_the_run_without_losing_counts(tmp_path: Path, sqlite: Database) -> None:
    arranged = PreparedRun(tmp_path, sqlite)

    def fail(event: AnyEvent) -> None:
        if isinstance(event, LoadingStarted):
            raise LookupError("its defect")

    arranged.on_event = fail
    report = arranged.run.execute()
    assert (report.outcome, report.error) == ("failed", "the listener failed: LookupError: its defect")
    assert sqlite.scalar("SELECT count(*) FROM t") == report.stats.inserted


def test_workers_can_only_be_changed_while_some_are_active(tmp_path: Path, sqlite: Database) -> None:
    arranged = PreparedRun(tmp_path, sqlite)
    with pytest.raises(UsageError, match="while rows are being written"):
        arranged.run.change_workers(2)
    arranged.execute()
    with pytest.raises(UsageError, match="while rows are being written"):
        arranged.run.change_workers(2)


# Several imports.


def test_several_imports_are_one_run_with_one_report(tmp_path: Path, sqlite: Database) -> None:
    arranged = PreparedRun(tmp_path, sqlite, imports=3)
    report = arranged.execute()
    assert isinstance(report, SetReport)
    assert (report.outcome, report.exit_code, report.run_id) == ("complete", ExitCode.OK, arranged.run.run_id)
    assert (report.stats.total_records, report.stats.inserted) == (150, 150)
    assert [each.run_id for each in report.imports] == [f"{report.run_id}.{number}" for number in (1, 2, 3)]
    assert [each.stats.inserted for each in report.imports] == [50, 50, 50]
    assert sqlite.fetch("SELECT run_id FROM tui_importer_run ORDER BY run_id") == [
        (each.run_id,) for each in report.imports
    ]
    snapshot = arranged.run.snapshot()
    assert (snapshot.inserted, snapshot.workers, snapshot.by_workers) == (150, (), 150)
    assert [(each.source, each.inserted) for each in snapshot.sources] == [(1, 50), (2, 50), (3, 50)]


def test_every_event_of_an_import_names_its_source(tmp_path: Path, sqlite: Database) -> None:
    arranged = PreparedRun(tmp_path, sqlite, imports=2)
    arranged.execute()
    numbers = [event.source for event in arranged.heard if isinstance(event, ImportEvent)]
    assert numbers == sorted(numbers)
    for number in (1, 2):
        kinds = [type(event) for event in arranged.heard if isinstance(event, ImportEvent) and event.source == number]
        assert (kinds[0], kinds[-1]) == (ImportStarted, ImportFinished)
        assert {ReadingStarted, SourceOpened, LoadingStarted, BatchCommitted, WorkerStarted} <= {*kinds}
    [started] = [event for event in arranged.heard if isinstance(event, RunStarted)]
    assert started.sources == 2


def test_events_of_a_single_import_name_source_1(tmp_path: Path, sqlite: Database) -> None:
    arranged = PreparedRun(tmp_path, sqlite)
    arranged.execute()
    assert not any(isinstance(event, (ImportStarted, ImportFinished)) for event in arranged.heard)
    assert {event.source for event in arranged.heard if isinstance(event, ImportEvent)} == {1}


def test_failing_import_does_not_affect_the_others(tmp_path: Path, sqlite: Database) -> None:
    sqlite.execute("CREATE TABLE t1 (other integer)")
    arranged = PreparedRun(tmp_path, sqlite, imports=3)
    report = arranged.execute()
    assert isinstance(report, SetReport)
    assert [each.outcome for each in report.imports] == ["complete", "failed", "complete"]
    assert (report.outcome, report.exit_code) == ("failed", ExitCode.USAGE)
    assert report.error is not None
    assert "no column for 'n'" in report.error
    assert "numbers1.lines" in report.error
    again = PreparedRun(tmp_path, sqlite, imports=3).execute()
    assert isinstance(again, SetReport)
    assert [each.outcome for each in again.imports] == ["already_imported", "failed", "already_imported"]
    assert [each.resumes for each in again.imports] == [f"{report.run_id}.1", None, f"{report.run_id}.3"]


def test_stop_ends_the_current_import_and_starts_no_other(tmp_path: Path, sqlite: Database) -> None:
    arranged = PreparedRun(tmp_path, sqlite, imports=3)

    def stop(event: AnyEvent) -> None:
        if isinstance(event, LoadingStarted) and event.source == 2:
            arranged.run.stop("enough", ExitCode.SIGTERM)

    arranged.on_event = stop
    report = arranged.execute()
    assert isinstance(report, SetReport)
    assert [each.outcome for each in report.imports] == ["complete", "stopped", "stopped"]
    assert (report.outcome, report.exit_code, report.imports[2].error) == ("stopped", ExitCode.SIGTERM, "enough")
    assert [event.reason for event in arranged.heard if isinstance(event, Stopping)] == ["enough"]
    assert [event.source for event in arranged.heard if isinstance(event, ImportStarted)] == [1, 2]
    assert [event.source for event in arranged.heard if isinstance(event, ImportFinished)] == [1, 2, 3]
    again = PreparedRun(tmp_path, sqlite, imports=3).execute()
    assert isinstance(again, SetReport)
    assert [each.outcome for each in again.imports] == ["already_imported", "complete", "complete"]
    assert [sqlite.scalar(f"SELECT count(*) FROM {table}") for table in ("t", "t1", "t2")] == [50, 50, 50]


def test_abort_before_the_first_import_leaves_no_thread(tmp_path: Path, sqlite: Database) -> None:
    arranged = PreparedRun(tmp_path, sqlite, imports=5)
    arranged.on_event = lambda event: arranged.run.abort("enough") if isinstance(event, RunStarted) else None
    assert arranged.execute().outcome == "stopped"
    assert not any(isinstance(event, ImportStarted) for event in arranged.heard)


def test_pause_applies_to_the_current_and_following_imports(tmp_path: Path, sqlite: Database) -> None:
    arranged = PreparedRun(tmp_path, sqlite, imports=2)
    paused = []

    def pause(event: AnyEvent) -> None:
        match event:
            case ImportFinished(source=1):
                arranged.run.pause(paused=True)
                arranged.run.pause(paused=True)
            case LoadingStarted(source=2):
                paused.append(arranged.run.snapshot().paused)
                arranged.run.pause(paused=False)

    arranged.on_event = pause
    assert arranged.execute().outcome == "complete"
    assert paused == [True]
    assert [type(event) for event in arranged.heard if isinstance(event, (Paused, Unpaused))] == [Paused, Unpaused]


def test_time_limit_applies_to_each_import(tmp_path: Path, sqlite: Database) -> None:
    class SlowStrategy(SingleWorker):
        def run(self, job: Job) -> None:
            for _ in job.batches():
                threading.Event().wait(0.3)

    arranged = PreparedRun(tmp_path, sqlite, SlowStrategy(), imports=2, timeout=0.2)
    report = arranged.execute()
    assert isinstance(report, SetReport)
    assert [each.outcome for each in report.imports] == ["stopped", "stopped"]
    assert [event.source for event in arranged.heard if isinstance(event, Stopping)] == [1, 2]


class FirstImportOnly:
    """A stranger's executor that carries out the first import alone."""

    def run(self, queue: ImportQueue) -> None:
        next(queue.imports()).carry_out()


class BrokenExecutor(FirstImportOnly):
    """A stranger's executor with a defect that is no Exception."""

    def run(self, queue: ImportQueue) -> None:
        super().run(queue)
        raise BaseException("out of\nits mind")


@pytest.mark.parametrize(
    ("executor", "why"),
    [
        (FirstImportOnly(), "executor 'mine' did not carry it out"),
        (BrokenExecutor(), "executor 'mine' failed: BaseException: out of its mind"),
    ],
)
def test_imports_not_executed_by_the_executor_fail(tmp_path: Path, sqlite: Database, executor: Any, why: str) -> None:
    report = PreparedRun(tmp_path, sqlite, executor=executor, imports=2).execute()
    assert isinstance(report, SetReport)
    assert [each.outcome for each in report.imports] == ["complete", "failed"]
    assert (report.outcome, report.imports[1].error) == ("failed", why)


def test_an_executor_that_fails_at_the_end_fails_the_run(tmp_path: Path, sqlite: Database) -> None:
    report = PreparedRun(tmp_path, sqlite, executor=BrokenExecutor()).execute()
    assert (report.outcome, report.exit_code, report.stats.inserted) == ("failed", ExitCode.FAILED, 50)
    assert report.error == "executor 'mine' failed: BaseException: out of its mind"


class ThreadPerImport:
    """An executor with a thread for each import."""

    def run(self, queue: ImportQueue) -> None:
        with ThreadPoolExecutor(4) as pool:
            for future in [pool.submit(each.carry_out) for each in queue.imports()]:
                future.result()


def test_imports_can_run_concurrently(tmp_path: Path, sqlite: Database) -> None:
    arranged = PreparedRun(tmp_path, sqlite, executor=ThreadPerImport(), imports=4, rows=30)
    report = arranged.execute()
    assert isinstance(report, SetReport)
    assert (report.outcome, report.error, report.stats.inserted) == ("complete", None, 120)
    assert [Path(each.source.file).stem for each in report.imports] == ["numbers", "numbers1", "numbers2", "numbers3"]


def test_an_executor_sees_that_the_run_is_being_stopped(tmp_path: Path, sqlite: Database) -> None:
    seen: list[bool] = []

    class InspectingExecutor(FirstImportOnly):
        def run(self, queue: ImportQueue) -> None:
            imports = queue.imports()
            next(imports).carry_out()
            seen.append(queue.stopping)
            arranged.run.stop("enough")
            seen.append(queue.stopping)

    arranged = PreparedRun(tmp_path, sqlite, imports=2, executor=InspectingExecutor())
    assert arranged.execute().outcome == "stopped"
    assert seen == [False, True]
