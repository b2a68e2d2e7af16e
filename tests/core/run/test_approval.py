"""A run asks before it changes rows that are in its table, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Database
from tui_importer import Options, Plan, Report, Run, Source, Target
from tui_importer.core.model.table_change import TableChange
from tui_importer.core.model.write_mode import WriteKindWord
from tui_importer.inspection import look_at_target


class Asked:
    """Answers every question alike, and keeps what was asked."""

    def __init__(self, *, answer: bool) -> None:
        self.answer = answer
        self.changes: list[TableChange] = []

    def __call__(self, change: TableChange) -> bool:
        self.changes.append(change)
        return self.answer


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "s.csv"
    path.write_text("n,t\n1,x\n2,y\n")
    return path


def run(source: Path, database: Database, mode: WriteKindWord, asked: Asked, **options: object) -> Report:
    target = Target(database=database.url, table="t", mode=mode)
    plan = Plan(source=Source(file=str(source)), target=target, options=Options(**options))  # type: ignore[arg-type]
    return Run(plan, approve=asked).execute()


@pytest.mark.parametrize("database", ["postgresql", "sqlite"], indirect=True)
@pytest.mark.parametrize("mode", ["upsert", "truncate", "replace"])
def test_existing_rows_are_changed_only_with_approval(database: Database, source: Path, mode: WriteKindWord) -> None:
    database.execute("CREATE TABLE t (n bigint PRIMARY KEY, t text); INSERT INTO t VALUES (2, 'old'), (3, 'old')")
    no, yes = Asked(answer=False), Asked(answer=True)
    run(source, database, mode, no, dry_run=mode == "upsert")
    assert [change.rows for change in no.changes] == ([] if mode == "upsert" else [2])
    report = run(source, database, mode, no)
    assert (report.outcome, report.exit_code, report.error) == ("stopped", 4, "not confirmed: nothing was changed")
    assert database.fetch("SELECT n, t FROM t ORDER BY n") == [(2, "old"), (3, "old")]
    assert run(source, database, mode, yes).outcome == "complete"
    assert [(change.rows, change.mode.kind) for change in yes.changes] == [(2, mode)]
    kept = [(3, "old")] if mode == "upsert" else []
    assert database.fetch("SELECT n, t FROM t ORDER BY n") == [(1, "x"), (2, "y"), *kept]


def test_doubled_rows_need_approval_and_are_seen_beforehand(sqlite: Database, source: Path) -> None:
    no = Asked(answer=False)
    assert run(source, sqlite, "append", no).outcome == "complete"
    plan = Plan(source=Source(file=str(source), sheet="s"), target=Target(database=sqlite.url, table="t"))
    assert not look_at_target(plan).doubles
    source.write_text("n,t\n1,x\n2,y\n3,z\n")
    assert look_at_target(plan).doubles
    assert run(source, sqlite, "append", no).outcome == "stopped"
    assert [(change.rows, change.doubles) for change in no.changes] == [(2, True)]
    assert sqlite.scalar("SELECT count(*) FROM t") == 2
