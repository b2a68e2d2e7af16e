"""The engine with parts of one's own: whatever happens, there is a report, and the end is the last that is heard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database
from tests.core.run.steps import KeptRejects, OneByOne
from tests.core.source.test_reader import LinesReader
from tui_importer.backends.sqlite.backend import SQLite
from tui_importer.core.model.counters import Phase
from tui_importer.core.model.plan import Options, Plan, Source, Target
from tui_importer.core.model.report import Report
from tui_importer.core.model.url import parse_address
from tui_importer.core.run.context import Components
from tui_importer.core.run.engine import Engine
from tui_importer.core.scheduling.strategy import Job
from tui_importer.errors import ExitCode, UsageError
from tui_importer.events import AnyEvent, LoadingStarted, RunFinished, RunStarted, Stopping


class Panicking:
    """A stranger's strategy with a defect that is no Exception."""

    max_workers: int | None = 1

    def run(self, job: Job) -> None:
        raise BaseException("out of\nits mind")


class Arranged:
    """An engine that reads lines into SQLite, and all that is heard of it."""

    def __init__(self, folder: Path, database: Database, strategy: Any = None, **options: Any) -> None:
        file = folder / "numbers.lines"
        file.write_text("n\n" + "".join(f"{number}\n" for number in range(50)))
        plan = Plan(
            source=Source(file=str(file)),
            target=Target(database=database.url, table="t"),
            options=Options(batch_size=10, **options),
        )
        parts = Components(
            reader_name="lines",
            reader=LinesReader(),
            strategy_name="plain",
            strategy=strategy or OneByOne(),
            backend_name="sqlite",
            open_backend=SQLite,
            address=parse_address(database.url),
        )
        self.heard: list[AnyEvent] = []
        self.on_event: Callable[[AnyEvent], None] = lambda event: None
        self.engine = Engine(plan, parts, KeptRejects(), self._hear)

    def _hear(self, event: AnyEvent) -> None:
        self.heard.append(event)
        self.on_event(event)

    def execute(self) -> Report:
        report = self.engine.execute()
        assert isinstance(self.heard[0], RunStarted)
        assert isinstance(self.heard[-1], RunFinished)
        assert self.engine.snapshot().phase is Phase.FINISHED
        return report


def test_a_run_from_the_file_to_the_report(tmp_path: Path, sqlite: Database) -> None:
    arranged = Arranged(tmp_path, sqlite)
    report = arranged.execute()
    assert (report.outcome, report.exit_code, report.stats.inserted) == ("complete", ExitCode.OK, 50)
    assert (report.source.reader, report.method, report.target.backend) == ("lines", "plain", "sqlite")
    assert arranged.engine.headers == ("n",)
    assert arranged.engine.resolved_plan is not None
    assert sqlite.scalar("SELECT sum(n) FROM t") == sum(range(50))
    again = Arranged(tmp_path, sqlite).execute()
    assert (again.outcome, again.resumes, again.stats.skipped) == ("already_imported", report.run_id, 50)


def test_a_rehearsal_writes_nothing(tmp_path: Path, sqlite: Database) -> None:
    report = Arranged(tmp_path, sqlite, dry_run=True).execute()
    assert (report.outcome, report.stats.total_records) == ("complete", 50)
    assert not Path(sqlite.url).exists()


def test_a_stop_is_told_once_and_leaves_what_is_in(tmp_path: Path, sqlite: Database) -> None:
    arranged = Arranged(tmp_path, sqlite)

    def stop(event: AnyEvent) -> None:
        if isinstance(event, LoadingStarted):
            arranged.engine.stop("enough")
            arranged.engine.stop("more than enough")

    arranged.on_event = stop
    report = arranged.execute()
    assert (report.outcome, report.exit_code, report.error) == ("stopped", ExitCode.STOPPED, "enough")
    assert [event.reason for event in arranged.heard if isinstance(event, Stopping)] == ["enough"]
    assert sqlite.scalar("SELECT count(*) FROM t") == report.stats.inserted
    assert Arranged(tmp_path, sqlite).execute().outcome == "complete"
    assert sqlite.scalar("SELECT count(*) FROM t") == 50


def test_a_defect_of_a_stranger_s_strategy_is_a_line_in_the_report(tmp_path: Path, sqlite: Database) -> None:
    report = Arranged(tmp_path, sqlite, Panicking()).execute()
    assert (report.outcome, report.exit_code) == ("failed", ExitCode.FAILED)
    assert report.error == "strategy 'plain' failed: BaseException: out of its mind"


def test_a_listener_that_fails_fails_the_run_and_costs_no_row_its_account(tmp_path: Path, sqlite: Database) -> None:
    arranged = Arranged(tmp_path, sqlite)

    def fail(event: AnyEvent) -> None:
        if isinstance(event, LoadingStarted):
            raise LookupError("its defect")

    arranged.on_event = fail
    report = arranged.engine.execute()
    assert (report.outcome, report.error) == ("failed", "the listener failed: LookupError: its defect")
    assert sqlite.scalar("SELECT count(*) FROM t") == report.stats.inserted


def test_workers_are_changed_only_while_there_are_some(tmp_path: Path, sqlite: Database) -> None:
    arranged = Arranged(tmp_path, sqlite)
    with pytest.raises(UsageError, match="while rows are being written"):
        arranged.engine.change_workers(2)
    arranged.execute()
    with pytest.raises(UsageError, match="while rows are being written"):
        arranged.engine.change_workers(2)
