"""``--mode replace``: a table of the sheet's columns takes the place of the old one, and nothing is lost unasked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.exactly_once.conftest import Importer
from tests.support.kills import import_despite_kills
from tui_importer import Options, Plan, Run, Source, Target
from tui_importer.events import AnyEvent, BatchCommitted
from tui_importer.testing import Failpoint

if TYPE_CHECKING:
    from tests.conftest import Database


@pytest.fixture(params=["postgresql", "sqlite"])
def database(request: pytest.FixtureRequest) -> Database:
    """A table of other columns, with two rows."""
    found: Database = request.getfixturevalue("postgres" if request.param == "postgresql" else "sqlite")
    found.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, old TEXT); INSERT INTO t VALUES (-1, 'old'), (5, 'old')")
    return found


def rows(database: Database) -> list[tuple[object, ...]]:
    return database.fetch("SELECT * FROM t ORDER BY n")


OLD = [(-1, "old"), (5, "old")]


def test_old_table_is_visible_until_all_rows_are_written(database: Database, importer: Importer) -> None:
    seen: list[object] = []

    def look(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            seen.append(rows(database))

    report = importer.run(database.url, mode="replace", on_event=look, batch_size=50, verify=True)
    assert (report.outcome, report.stats.inserted) == ("complete", 300)
    assert len(seen) >= 6
    assert all(each == OLD for each in seen)
    assert rows(database) == [(number, f"note {number}") for number in range(300)]
    assert importer.run(database.url, mode="replace").outcome == "already_imported"


@pytest.mark.once
@pytest.mark.parametrize("failpoint", list(Failpoint), ids=lambda failpoint: failpoint.name.lower())
def test_killed_run_leaves_the_old_table_and_is_resumed(
    database: Database, importer: Importer, tmp_path: Path, failpoint: Failpoint
) -> None:
    importer.write([*((number, f"note {number}") for number in range(30)), ("x", "bad")])
    plan = Plan(
        source=Source(file=str(importer.file)),
        target=Target(database=database.url, table="t", mode="replace"),
        options=Options(batch_size=8, types={"n": "integer"}),
    )

    def is_untouched() -> None:
        assert rows(database) == OLD

    code, _ = import_despite_kills(plan, tmp_path, failpoint, after_each=is_untouched)
    assert code == 3
    assert rows(database) == [(number, f"note {number}") for number in range(30)]


def test_replacing_with_the_same_columns_keeps_dependent_objects(database: Database, importer: Importer) -> None:
    database.execute("CREATE INDEX by_old ON t (old)")
    database.execute("CREATE VIEW v AS SELECT old FROM t")
    importer.write([(1, "new")], header="N,Old")
    assert importer.run(database.url, mode="replace").outcome == "complete"
    assert rows(database) == [(1, "new")]
    assert database.fetch("SELECT * FROM v") == [("new",)]
    catalog = "pg_indexes WHERE indexname" if database.kind == "postgresql" else "sqlite_master WHERE name"
    assert database.scalar(f"SELECT count(*) FROM {catalog} = 'by_old'") == 1


def test_replacement_that_would_lose_objects_is_refused_and_names_them(database: Database, importer: Importer) -> None:
    database.execute("CREATE UNIQUE INDEX by_old ON t (old, n)")
    wanted = ["index 'by_old'"]
    if database.kind == "postgresql":
        database.execute(
            "CREATE VIEW v AS SELECT old FROM t; GRANT SELECT ON t TO PUBLIC; COMMENT ON COLUMN t.old IS 'x'; "
            "ALTER TABLE t ADD CONSTRAINT positive CHECK (n > -9);"
        )
        wanted += ["view 'v'", "grant to 'PUBLIC'", "comment on 'old'", "check 'positive'"]
    else:
        database.execute("CREATE TRIGGER noted AFTER INSERT ON t BEGIN SELECT 1; END")
        wanted += ["trigger 'noted'"]
    report = importer.run(database.url, mode="replace")
    assert report.exit_code == 2
    for name in wanted:
        assert name in str(report.error)
    assert "would be lost" in str(report.error)
    assert rows(database) == OLD


def test_table_referenced_by_foreign_keys_is_not_replaced(database: Database, importer: Importer) -> None:
    database.execute("CREATE TABLE child (n INTEGER REFERENCES t ON DELETE CASCADE); INSERT INTO child VALUES (5)")
    report = importer.run(database.url, mode="replace")
    assert "rows of 'child' refer to it" in str(report.error)
    assert rows(database) == OLD
    assert database.fetch("SELECT n FROM child") == [(5,)]
