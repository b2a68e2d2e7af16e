"""What a run has put in is taken out again, and nothing else; the import then begins anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Database
from tui_importer import Options, Plan, Report, Run, Source, Target
from tui_importer.core.model.url import parse_address
from tui_importer.core.run.undo import Undoing, carry_out, look_up
from tui_importer.core.writing.ledger import Ledger
from tui_importer.errors import BusyError, ImporterError, UsageError
from tui_importer.events import AnyEvent, BatchCommitted
from tui_importer.plugins.connecting import connected
from tui_importer.undo import undo_run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "s.csv"
    path.write_text("id,t\n" + "".join(f"{row},x\n" for row in range(100)))
    return path


def plan_of(source: Path, database: Database, **options: object) -> Plan:
    return Plan(
        source=Source(file=str(source)),
        target=Target(database=database.url, table="t"),
        options=Options(batch_size=10, workers=1, **{"lineage": True, **options}),  # type: ignore[arg-type]
    )


def imported(plan: Plan, listen: Callable[[Run, AnyEvent], None] = lambda run, event: None) -> Report:
    run = Run(plan, listener=lambda event: listen(run, event))
    return run.execute()


@contextmanager
def looked_up(database: Database, run_id: str, column: str = "_run") -> Iterator[tuple[Ledger, Undoing]]:
    with connected(parse_address(database.url), "test") as backend:
        ledger = backend.ledger(None)
        try:
            yield ledger, look_up(backend, ledger, run_id, column)
        finally:
            ledger.close()


def refused(database: Database, run_id: str, kind: type[ImporterError] = UsageError) -> str:
    with pytest.raises(kind) as caught, looked_up(database, run_id):
        pass
    return str(caught.value)


def test_undo_removes_only_the_rows_of_the_run_and_allows_a_new_import(
    tmp_path: Path, source: Path, database: Database
) -> None:
    other = tmp_path / "other.csv"
    other.write_text("id,t\n1000,y\n")
    first, second = imported(plan_of(source, database)), imported(plan_of(other, database))
    database.execute("DELETE FROM t WHERE id = 7")
    with looked_up(database, first.run_id) as (ledger, undoing):
        assert (undoing.rows, undoing.inserted) == (99, 100)
        assert database.scalar("SELECT count(*) FROM t") == 100
        assert carry_out(ledger, undoing) == 99
    assert database.fetch("SELECT id FROM t") == [(1000,)]
    assert "were taken out of table 't' already" in refused(database, first.run_id)
    again = imported(plan_of(source, database))
    assert (again.outcome, again.stats.inserted) == ("complete", 100)
    assert any("were taken out of table 't' since: starting over" in note for note in again.notes)
    assert imported(plan_of(other, database)).outcome == "already_imported"
    assert second.stats.inserted == 1


def test_undo_of_a_resumed_import_removes_the_rows_of_all_its_runs(source: Path, database: Database) -> None:
    def stop(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            run.stop("enough")

    stopped = imported(plan_of(source, database), stop)
    resumed = imported(plan_of(source, database))
    assert 0 < stopped.stats.inserted < 100
    with looked_up(database, stopped.run_id) as (ledger, undoing):
        assert [run.run_id for run in undoing.runs] == [resumed.run_id, stopped.run_id]
        assert carry_out(ledger, undoing) == 100
    assert database.scalar("SELECT count(*) FROM t") == 0


def test_undo_of_a_running_import_is_refused(source: Path, database: Database) -> None:
    said: list[str] = []

    def look(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted) and not said:
            run.pause()
            said.append(refused(database, run.run_id, BusyError))
            run.unpause()

    report = imported(plan_of(source, database), look)
    assert report.outcome == "complete"
    assert said == [f"run {report.run_id} is not over: wait for it, or stop it"]


def test_refused_undo_names_the_reason(source: Path, sqlite: Database) -> None:
    report = imported(plan_of(source, sqlite, lineage=False))
    assert "has no column '_run'" in refused(sqlite, report.run_id)
    assert "--lineage" in refused(sqlite, report.run_id)
    assert "knows no run 'nope'" in refused(sqlite, "nope")
    sqlite.execute("DROP TABLE t")
    assert "there is no table 't' any more" in refused(sqlite, report.run_id)


def test_undo_of_updates_is_refused(source: Path, sqlite: Database) -> None:
    sqlite.execute(
        "CREATE TABLE t (id integer PRIMARY KEY, t text, _file text, _sheet text, _row integer, _run text);"
        "INSERT INTO t (id, t) VALUES (1, 'old')"
    )
    plan = plan_of(source, sqlite)
    target = Target(database=sqlite.url, table="t", mode="upsert", key=("id",))
    report = imported(Plan(source=plan.source, target=target, options=plan.options))
    assert report.stats.updated == 1
    assert "has updated 1 rows of table 't'" in refused(sqlite, report.run_id)


def test_undo_accepts_any_column_with_the_run_id(source: Path, sqlite: Database) -> None:
    report = imported(plan_of(source, sqlite, lineage=False, set={"loaded_by": "{run}"}))
    with looked_up(sqlite, report.run_id, "LOADED_BY") as (ledger, undoing):
        assert carry_out(ledger, undoing) == 100


def test_lineage_columns_hold_the_origin_of_each_row(source: Path, database: Database) -> None:
    report = imported(plan_of(source, database))
    assert database.fetch("SELECT id, _file, _sheet, _row, _run FROM t ORDER BY id")[99] == (
        *(99, "s.csv", "s", 101),
        report.run_id,
    )


def test_public_function_asks_before_it_takes_rows_out(source: Path, database: Database) -> None:
    report = imported(plan_of(source, database))
    asked: list[Undoing] = []

    def refuse(undoing: Undoing) -> bool:
        asked.append(undoing)
        return False

    assert undo_run(report.run_id, database.url, confirm=refuse) is None
    assert [(each.rows, each.table.name) for each in asked] == [(report.stats.inserted, "t")]
    assert undo_run(report.run_id, database.url, confirm=lambda undoing: True) == report.stats.inserted
    with pytest.raises(UsageError, match="already"):
        undo_run(report.run_id, database.url, confirm=lambda undoing: True)
    with pytest.raises(UsageError, match="not recorded here"):
        undo_run("20200101-000000-0000000", confirm=lambda undoing: True)
