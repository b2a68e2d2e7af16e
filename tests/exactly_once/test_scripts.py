"""``--before`` and ``--after``: executed once, in the transaction that shows the rows if there is one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.exactly_once.conftest import Importer
from tests.support.kills import import_despite_kills
from tui_importer import Options, Plan, PlanError, Source, Target
from tui_importer.backends.sql.scripts import statements
from tui_importer.core.model.scripts import NO_SCRIPTS, read_scripts
from tui_importer.events import BatchCommitted, Noticed
from tui_importer.testing import Failpoint

if TYPE_CHECKING:
    from tests.conftest import Database

BEFORE = """-- 100 % of it; not 'half'
DELETE FROM t WHERE note = 'old; 50 %';
INSERT INTO log VALUES ('before', (SELECT count(*) FROM t))
"""
AFTER = "INSERT INTO log VALUES ('after', (SELECT count(*) FROM t));"


@pytest.fixture(params=["postgresql", "sqlite", "generic"])
def database(request: pytest.FixtureRequest) -> Database:
    """A table with two rows, and a log."""
    name = "postgres" if request.param == "postgresql" else request.param
    found: Database = request.getfixturevalue(name)
    found.execute("CREATE TABLE t (n INTEGER, note TEXT)")
    found.execute("INSERT INTO t VALUES (-1, 'old; 50 %'), (-2, 'kept')")
    found.execute("CREATE TABLE log (word TEXT, rows INTEGER)")
    return found


@pytest.fixture
def scripts(tmp_path: Path) -> dict[str, Any]:
    """The options with both scripts."""
    (tmp_path / "before.sql").write_text(BEFORE)
    (tmp_path / "after.sql").write_text(AFTER)
    return {"before": str(tmp_path / "before.sql"), "after": str(tmp_path / "after.sql")}


def log(database: Database) -> list[tuple[Any, ...]]:
    return database.fetch("SELECT word, rows FROM log ORDER BY rows")


def test_scripts_are_executed_around_the_rows(database: Database, importer: Importer, scripts: dict[str, Any]) -> None:
    report = importer.run(database.url, **scripts)
    assert (report.outcome, report.stats.inserted) == ("complete", 300)
    assert log(database) == [("before", 1), ("after", 301)]
    assert "the script of --before was executed" in [each.message for each in importer.heard(Noticed)]
    assert importer.run(database.url, **scripts).outcome == "already_imported"
    assert len(log(database)) == 2
    assert importer.run(database.url, again=True, **scripts).stats.inserted == 300
    assert len(log(database)) == 4


@pytest.mark.parametrize("how", [{"atomic": True}, {"mode": "truncate"}])
def test_scripts_share_the_transaction_that_shows_the_rows(
    database: Database,
    importer: Importer,
    scripts: dict[str, Any],
    tmp_path: Path,
    how: dict[str, Any],
) -> None:
    (tmp_path / "after.sql").write_text(AFTER + "INSERT INTO nowhere VALUES (1);")
    report = importer.run(database.url, **how, **scripts)
    if report.error is not None and "is not supported" in report.error:
        assert database.kind == "generic"
        return
    assert (report.outcome, report.exit_code) == ("failed", 1)
    assert report.error is not None
    assert report.error.startswith("cannot execute the script of --after: ")
    assert "nowhere" in report.error
    assert (log(database), database.scalar("SELECT count(*) FROM t")) == ([], 2)
    (tmp_path / "after.sql").write_text(AFTER)
    assert importer.run(database.url, **how, **scripts).outcome == "complete"
    assert log(database) == [("before", 1), ("after", 301 if "atomic" in how else 300)]


def test_failed_script_stops_the_import_before_the_first_row(
    database: Database, importer: Importer, scripts: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "before.sql").write_text(BEFORE + "; INSERT INTO nowhere VALUES (1)")
    report = importer.run(database.url, **scripts)
    assert (report.outcome, report.stats.inserted) == ("failed", 0)
    assert not importer.heard(BatchCommitted)
    assert (log(database), database.scalar("SELECT count(*) FROM t")) == ([], 2)
    (tmp_path / "before.sql").write_text(BEFORE)
    assert importer.run(database.url, **scripts).stats.inserted == 300
    assert log(database) == [("before", 1), ("after", 301)]


def test_dry_run_executes_no_script(database: Database, importer: Importer, scripts: dict[str, Any]) -> None:
    assert importer.run(database.url, dry_run=True, **scripts).outcome == "complete"
    assert (log(database), database.scalar("SELECT count(*) FROM t")) == ([], 2)
    said = [each.message for each in importer.heard(Noticed)]
    assert "the script of --before is not executed: nothing is written" in said


@pytest.mark.once
@pytest.mark.parametrize(
    ("database", "failpoint", "atomic"),
    [
        (database, failpoint, (number + place) % 2 == 1)
        for number, database in enumerate(("postgresql", "sqlite", "generic"))
        for place, failpoint in enumerate(Failpoint)
    ],
    indirect=["database"],
)
def test_scripts_are_executed_once_after_kills(
    database: Database,
    importer: Importer,
    scripts: dict[str, Any],
    tmp_path: Path,
    failpoint: Failpoint,
    atomic: bool,  # a parameter of the test
) -> None:
    importer.write([*((number, f"note {number}") for number in range(30)), ("x", "is rejected")])
    plan = Plan(
        source=Source(file=str(importer.file)),
        target=Target(database=database.url, table="t"),
        options=Options(atomic=atomic, batch_size=7, **scripts),
    )
    import_despite_kills(plan, tmp_path, failpoint)
    assert log(database) == [("before", 1), ("after", 31)]


def test_postgresql_script_may_hold_bodies_in_dollar_quotes(postgres: Database, importer: Importer) -> None:
    script = importer.folder / "a.sql"
    script.write_text("DO $$ BEGIN PERFORM 1; CREATE TABLE made (n int); END; $$; INSERT INTO made VALUES (1);")
    assert importer.run(postgres.url, after=str(script)).outcome == "complete"
    assert postgres.scalar("SELECT count(*) FROM made") == 1


def test_sqlite_script_may_hold_triggers(sqlite: Database, importer: Importer) -> None:
    script = importer.folder / "a.sql"
    script.write_text(
        "CREATE TABLE made (n); CREATE TRIGGER r AFTER INSERT ON made BEGIN DELETE FROM made; SELECT 1; END;\n-- end\n"
    )
    assert importer.run(sqlite.url, after=str(script)).outcome == "complete"
    assert sqlite.scalar("SELECT count(*) FROM made") == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("DELETE FROM t;\nCOMMIT;", "line 2 is COMMIT"),
        ("begin transaction ;", "line 1 is BEGIN"),
        ("SELECT 1;\n\n  rollback;", "line 3 is ROLLBACK"),
        (b"\xff", "is not UTF-8 text"),
    ],
)
def test_script_that_cannot_be_executed_is_refused(tmp_path: Path, text: str | bytes, reason: str) -> None:
    file = tmp_path / "a.sql"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PlanError, match=reason):
        read_scripts(None, str(file))
    with pytest.raises(PlanError, match="cannot read the script"):
        read_scripts(str(tmp_path), None)
    assert read_scripts(None, None) == NO_SCRIPTS


def test_verification_is_refused_beside_scripts() -> None:
    with pytest.raises(PlanError, match="--verify compares"):
        Plan(source=Source(file="a.csv"), options=Options(verify=True, after="a.sql"))


def test_statements_are_cut_where_they_end() -> None:
    script = "INSERT INTO t VALUES ('a;b'); -- c;d\nSELECT 1 /* ; */;\n\nSELECT 2\n-- end"
    assert list(statements(script)) == [
        "INSERT INTO t VALUES ('a;b');",
        "-- c;d\nSELECT 1 /* ; */;",
        "SELECT 2\n-- end",
    ]
    assert list(statements("-- nothing\n")) == []


def test_comment_of_a_created_table(postgres: Database, importer: Importer) -> None:
    for atomic in (False, True):
        table = f"made_{atomic}".lower()
        report = importer.run(postgres.url, table=table, comment="it's 100 % new", atomic=atomic)
        assert report.outcome == "complete"
        assert postgres.scalar(f"SELECT obj_description('{table}'::regclass)") == "it's 100 % new"


def test_comment_is_left_out_where_there_are_none(sqlite: Database, importer: Importer) -> None:
    assert importer.run(sqlite.url, table="made", comment="new").outcome == "complete"
