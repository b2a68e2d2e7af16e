"""Preparing an import: every stage is reached in order, and nothing is read or written before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database
from tests.core.run.steps import Steps
from tui_importer.core.run.counts import sample
from tui_importer.core.run.finishing import finish, record_end
from tui_importer.core.run.loading import load
from tui_importer.core.run.preparation import claim, prepare_table, wait_for_source
from tui_importer.core.run.stages import AlreadyDone, Claimed, Identified, Opened, PreparedImport, Ready, Resolved
from tui_importer.errors import DatabaseError, ImporterError, PlanError
from tui_importer.events import AlreadyImported, Resumed, SourceOpened, TableCreated


def import_all(steps: Steps) -> None:
    with steps.ready() as (ready, database):
        finish(steps.context, load(steps.context, ready, database.backend), database.backend)
        record_end(steps.context, None)


def test_an_import_is_ready_once_its_columns_are_resolved(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path)
    with steps.ready() as (ready, _):
        assert type(steps.context.stage) is type(ready) is Ready
        assert (ready.resolved.mapping.headers, ready.resolved.create) == (("n",), True)
        assert (ready.choices.workers, ready.choices.batch_size) == (1, 10)
        assert [type(event) for event in steps.events] == [SourceOpened]
        assert sqlite.fetch("SELECT name FROM sqlite_master") == []


def test_table_is_created_for_a_claimed_import(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path)
    with steps.ready() as (ready, database):
        claimed, completed = claim(steps.context, ready, database.backend)
        assert type(steps.context.stage) is Claimed
        assert (claimed.created, bool(completed)) == (True, False)
        prepared = prepare_table(steps.context, claimed, database.backend)
        assert type(steps.context.stage) is PreparedImport
        assert (prepared.stage_table, prepared.filled_table.name) == (None, "t")
        assert [type(event) for event in steps.events] == [SourceOpened, TableCreated]
    assert sqlite.scalar("SELECT count(*) FROM t") == 0


def test_staging_table_is_created_for_an_atomic_import(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path, atomic=True)
    with steps.ready() as (ready, database):
        prepared = prepare_table(steps.context, claim(steps.context, ready, database.backend)[0], database.backend)
    assert prepared.stage_table == prepared.filled_table
    tables = [name for (name,) in sqlite.fetch("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert prepared.filled_table.name in tables
    assert "t" not in tables


def test_table_created_concurrently_by_another_run_is_used(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path)
    with steps.ready() as (ready, database):
        claimed, _ = claim(steps.context, ready, database.backend)
        sqlite.execute("CREATE TABLE t (n integer)")
        prepared = prepare_table(steps.context, claimed, database.backend)
    assert not prepared.created
    assert steps.notes == ["another run has made table 't' meanwhile: its rows go there too"]


def test_table_created_concurrently_with_other_columns_is_refused(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path)
    with steps.ready() as (ready, database):
        claimed, _ = claim(steps.context, ready, database.backend)
        sqlite.execute("CREATE TABLE t (m integer)")
        with pytest.raises(DatabaseError):
            prepare_table(steps.context, claimed, database.backend)
    assert steps.context.stage is claimed


def test_completed_import_is_recognised(tmp_path: Path, sqlite: Database) -> None:
    import_all(Steps(tmp_path, "first"))
    steps = Steps(tmp_path, "second")
    with steps.ready() as (ready, _):
        assert isinstance(ready, AlreadyDone)
        assert ready.past.run_id == "first"
        assert isinstance(steps.events[-1], AlreadyImported)
        counts = sample(steps.context)
        assert (counts.read, counts.skipped, counts.inserted, counts.all_read) == (50, 50, 0, True)


def test_stopped_import_is_resumed(tmp_path: Path, sqlite: Database) -> None:
    stopped = Steps(tmp_path, "first")
    emit = stopped.context.emit

    def stop(event: Any) -> None:
        emit(event)
        if type(event).__name__ == "BatchCommitted":
            stopped.context.control.stop("enough")

    stopped.context.emit = stop
    with stopped.ready() as (ready, database):
        load(stopped.context, ready, database.backend)
        record_end(stopped.context, None)
    steps = Steps(tmp_path, "second")
    with steps.ready() as (ready, database):
        claimed, completed = claim(steps.context, ready, database.backend)
        assert completed
        assert claimed.resume_point is not None
        [resumed] = [event for event in steps.events if isinstance(event, Resumed)]
        assert (resumed.run_id, resumed.rows) == ("first", claimed.resume_point.counts.rows)


def test_failed_resolution_keeps_the_opened_stage(tmp_path: Path, sqlite: Database) -> None:
    sqlite.execute("CREATE TABLE t (m integer)")
    steps = Steps(tmp_path)
    with pytest.raises(PlanError, match="no column for 'n'"), steps.ready():
        pytest.fail("it is not ready")
    stage = steps.context.stage
    assert isinstance(stage, Identified)
    assert not isinstance(stage, Resolved)
    assert stage.history is not None


def test_failing_reader_is_named(tmp_path: Path) -> None:
    class BrokenOpening:
        def result(self) -> Any:
            raise LookupError("its defect")

    steps, opening = Steps(tmp_path), BrokenOpening()
    broken: Any = opening
    with pytest.raises(ImporterError, match="reader 'lines' failed: LookupError: its defect"):
        wait_for_source(steps.context, broken)
    assert not isinstance(steps.context.stage, Opened)
