"""``--dry-run``: every row is tried in its table, and nothing is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.exactly_once.conftest import Importer
from tests.support.once import once_sets
from tui_importer import Report
from tui_importer.events import Noticed

if TYPE_CHECKING:
    from tests.conftest import Database

CREATE = """
CREATE TABLE parent (id INTEGER PRIMARY KEY);
CREATE TABLE t (n INTEGER PRIMARY KEY, note TEXT CHECK (note <> 'bad'), parent INTEGER REFERENCES parent (id));
INSERT INTO parent VALUES (1);
INSERT INTO t VALUES (0, 'old', 1), (7, 'old', 1)
"""
ROWS = [
    (number % 190, "bad" if number % 31 == 5 else f"note {number}", 2 if number == 150 else 1) for number in range(200)
]


@pytest.fixture(params=["postgresql", "sqlite"])
def database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue("postgres" if request.param == "postgresql" else "sqlite")
    for statement in CREATE.split(";"):
        found.execute(statement)
    return found


def table(database: Database) -> list[tuple[Any, ...]]:
    return database.fetch("SELECT n, note, parent FROM t ORDER BY n")


def outcome(report: Report) -> dict[str, Any]:
    stats = report.stats
    rejects = [(reject.row, reject.reason) for reject in report.rejects]
    counts = (stats.inserted, stats.updated, stats.skipped, stats.error_count)
    return {"counts": counts, "rejects": rejects, "code": report.exit_code}


APPEND: dict[str, Any] = {}
UPSERT, SKIP = {"mode": "upsert", "key": ["n"]}, {"key": ["n"]}


@pytest.mark.parametrize(
    ("strategy", "mode"),
    [
        *(("batched", mode) for mode in (APPEND, UPSERT, SKIP)),
        *once_sets(("sequential", UPSERT), ("threaded", APPEND), ("async", SKIP)),
    ],
)
def test_dry_run_reports_what_the_import_then_does(
    database: Database, importer: Importer, strategy: str, mode: dict[str, Any]
) -> None:
    importer.write(ROWS, header="n,note,parent")
    before = table(database)
    # One worker: of rows of the same key, the one that is written first is in.
    options = {**mode, "strategy": strategy, "batch_size": 23, "workers": 1}
    tried = importer.run(database.url, dry_run=True, **options)
    assert tried.error is None
    assert not [each for each in importer.heard(Noticed) if "not tried" in each.message]
    assert table(database) == before
    done = importer.run(database.url, **options)
    assert done.stats.error_count >= 7
    assert outcome(tried) == outcome(done)
    assert tried.rejects_file is None


def test_dry_run_of_an_atomic_import_says_what_a_conflict_would_do(database: Database, importer: Importer) -> None:
    importer.write(ROWS, header="n,note,parent")
    before = table(database)
    tried = importer.run(database.url, dry_run=True, atomic=True)
    assert tried.stats.error_count == 18
    assert any("would fail as a whole" in each.message for each in importer.heard(Noticed))
    assert table(database) == before
    assert importer.run(database.url, atomic=True).outcome == "failed"


def test_triggers_are_tried_and_leave_nothing(sqlite: Database, importer: Importer) -> None:
    sqlite.execute("CREATE TABLE t (n INTEGER, note TEXT)")
    sqlite.execute("CREATE TABLE log (n INTEGER)")
    sqlite.execute("CREATE TRIGGER r BEFORE INSERT ON t WHEN new.n > 297 BEGIN SELECT raise(ABORT, 'too many'); END")
    sqlite.execute("CREATE TRIGGER s AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.n); END")
    report = importer.run(sqlite.url, dry_run=True)
    assert (report.stats.inserted, report.stats.error_count) == (298, 2)
    assert sqlite.scalar("SELECT count(*) FROM log") == 0


@pytest.mark.parametrize("how", [{"table": "made"}, {"mode": "truncate"}])
def test_it_is_said_where_rows_are_not_tried(database: Database, importer: Importer, how: dict[str, Any]) -> None:
    importer.write(ROWS, header="n,note,parent")
    before = table(database)
    report = importer.run(database.url, dry_run=True, **how)
    assert report.stats.error_count == 0
    assert any("the rows are not tried in table" in each.message for each in importer.heard(Noticed))
    assert table(database) == before
