"""Finishing an import: staged rows are published, the table is checked, and the ledger knows the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database
from tests.core.run.steps import Steps
from tui_importer.core.run.finishing import finish, note_table_effects, record_end
from tui_importer.core.run.loading import load
from tui_importer.core.run.stages import AlreadyDone, Checked, Loading, Recorded
from tui_importer.errors import DatabaseError, ReconciliationError, StoppedError, VerificationError
from tui_importer.events import Verified


def state(sqlite: Database) -> tuple[str, str | None]:
    [found] = sqlite.fetch("SELECT state, error FROM tui_importer_run")
    return found


@pytest.mark.parametrize("verify", [False, True])
@pytest.mark.parametrize("atomic", [False, True])
def test_finished_import_is_recorded(tmp_path: Path, sqlite: Database, atomic: bool, verify: bool) -> None:
    steps = Steps(tmp_path, atomic=atomic, verify=verify)
    with steps.ready() as (ready, database):
        checked = finish(steps.context, load(steps.context, ready, database.backend), database.backend)
        record_end(steps.context, None)
    assert isinstance(steps.context.stage, Recorded)
    assert (checked.verification is not None, checked.suppressed_late) == (verify, 0)
    assert [event.rows for event in steps.events if isinstance(event, Verified)] == [50] * verify
    assert sqlite.scalar("SELECT count(*) FROM t") == 50
    assert state(sqlite) == ("complete", None)


def test_missing_rows_in_the_table_fail_the_import(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path)
    with steps.ready() as (ready, database):
        loading = load(steps.context, ready, database.backend)
        sqlite.execute("DELETE FROM t WHERE n = 7")
        with pytest.raises(VerificationError, match="holds 49 rows, though 50 were written"):
            finish(steps.context, loading, database.backend)
    assert not isinstance(steps.context.stage, Checked)


def test_inconsistent_counts_prevent_publication(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path, atomic=True)
    with steps.ready() as (ready, database):
        loading = load(steps.context, ready, database.backend)
        steps.context.reader.rows_read += 1
        with pytest.raises(ReconciliationError):
            finish(steps.context, loading, database.backend)
    assert sqlite.fetch("SELECT name FROM sqlite_master WHERE name = 't'") == []


def test_rows_suppressed_by_a_trigger_are_noted(tmp_path: Path, sqlite: Database) -> None:
    sqlite.execute(
        "CREATE TABLE t (n integer);"
        "CREATE TRIGGER guard BEFORE INSERT ON t WHEN new.n = 7 BEGIN SELECT raise(IGNORE); END"
    )
    steps = Steps(tmp_path)
    with steps.ready() as (ready, database):
        note_table_effects(steps.context)
        assert steps.notes == []
        load(steps.context, ready, database.backend)
        note_table_effects(steps.context)
    [note] = steps.notes
    assert "1 row was taken without an error" in note


@pytest.mark.parametrize(
    ("error", "aborts", "found"),
    [
        (None, False, ("stopped", "enough")),
        (StoppedError("enough"), False, ("stopped", "enough")),
        (DatabaseError("cancelled"), True, ("stopped", "cancelled")),
        (LookupError("its\ndefect"), False, ("failed", "its defect")),
    ],
)
def test_failed_or_stopped_import_is_recorded(
    tmp_path: Path, sqlite: Database, error: BaseException | None, aborts: bool, found: tuple[str, str]
) -> None:
    steps = Steps(tmp_path)
    with steps.ready() as (ready, database):
        load(steps.context, ready, database.backend)
        if aborts:
            steps.context.control.abort("enough")
        elif error is None:
            steps.context.control.stop("enough")
        record_end(steps.context, error)
    steps.context.control.close()
    assert state(sqlite) == found
    assert type(steps.context.stage) is Loading


def test_failure_to_record_the_end_is_noted(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path)
    with steps.ready() as (ready, database):
        load(steps.context, ready, database.backend)
        history: Any = ready.history

        def refuse(*arguments: object) -> None:
            raise DatabaseError("not now")

        history.finish = refuse
        record_end(steps.context, LookupError("its defect"))
    assert steps.notes == ["the ledger does not know how this run ended: not now"]


def test_run_that_wrote_nothing_is_not_recorded_as_ended(tmp_path: Path, sqlite: Database) -> None:
    first = Steps(tmp_path, "first")
    record_end(first.context, LookupError("its defect"))  # nothing was opened
    with first.ready() as (ready, database):
        finish(first.context, load(first.context, ready, database.backend), database.backend)
        record_end(first.context, None)
    steps = Steps(tmp_path, "second")
    with steps.ready():
        record_end(steps.context, None)
    assert type(steps.context.stage) is AlreadyDone
    assert sqlite.fetch("SELECT run_id FROM tui_importer_run") == [("first",)]
