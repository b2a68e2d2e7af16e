"""What every strategy promises on every kind of database: one suite, run over each pair."""

from __future__ import annotations

import itertools
import multiprocessing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from openpyxl import Workbook
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from tests.support.make_sample import BAD_ROWS, SAMPLE_PATH, good_rows
from tests.support.once import once_sets
from tests.support.pairs import in_pairs
from tui_importer import Options, Plan, Report, Source, Target, run_import
from tui_importer.events import AnyEvent, BatchCommitted, RowRejected, RunFinished
from tui_importer.plugins.registry import load_registry

if TYPE_CHECKING:
    from tests.conftest import Database

STRATEGIES = load_registry(found=[]).strategy_names()
KINDS = ("postgresql", "sqlite", "generic")
BUSINESS_COLUMNS = "name, category, phone, email, address, city, country, website, description"


@pytest.fixture(params=STRATEGIES)
def strategy(request: pytest.FixtureRequest) -> str:
    name = request.param
    assert isinstance(name, str)
    return name


def workbook(path: Path, rows: list[list[Any]]) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def load(path: Path, database: Database, *, table: str | None = None, **options: Any) -> tuple[Report, list[AnyEvent]]:
    """Import a file; every report of this suite has to add up."""
    heard: list[AnyEvent] = []
    rejects = path.with_suffix(".rejects.xlsx") if path != SAMPLE_PATH else None
    if rejects is not None:
        rejects.unlink(missing_ok=True)
    report = run_import(
        Plan(
            source=Source(file=str(path)),
            target=Target(database=database.url, table=table),
            options=Options(**options),
        ),
        listener=heard.append,
        rejects_file=rejects,
    )
    stats = report.stats
    assert stats.total_records == stats.inserted + stats.updated + stats.skipped + stats.error_count
    assert stats.success_count == stats.inserted + stats.updated
    return report, heard


@pytest.mark.parametrize(
    ("database", "strategy"),
    [
        *((kind, strategy) for kind in KINDS for strategy in ("batched", "async")),
        # 10,000 commits each.
        *once_sets(("postgresql", "threaded"), ("sqlite", "sequential")),
    ],
    indirect=["database"],
)
def test_sample_file_is_imported_by_every_strategy(
    database: Database, strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report, heard = load(SAMPLE_PATH, database, strategy=strategy)
    assert (report.outcome, report.exit_code, report.method) == ("complete_with_rejects", 3, strategy)
    stats = report.stats
    assert (stats.total_records, stats.success_count, stats.error_count) == (10_000, 9_987, 13)
    # Value for value: as a bag, since the order of identities is the workers' own.
    stored = database.fetch(f"SELECT {BUSINESS_COLUMNS} FROM businesses")
    assert sorted(map(repr, stored)) == sorted(map(repr, good_rows()))
    assert database.scalar("SELECT count(DISTINCT id) FROM businesses") == 9_987
    assert [reject.row for reject in report.rejects] == sorted(BAD_ROWS)
    assert {reject.row: reject.column for reject in report.rejects} == {
        row: bad.column for row, bad in BAD_ROWS.items()
    }
    # What was told while it went is what came of it, and the end is said last.
    committed = [event for event in heard if isinstance(event, BatchCommitted)]
    assert sum(event.inserted for event in committed) == 9_987
    assert sum(event.rejected for event in committed) == 13
    assert sorted(event.reject.row for event in heard if isinstance(event, RowRejected)) == sorted(BAD_ROWS)
    assert isinstance(heard[-1], RunFinished)


CONSTRAINED = {
    "postgresql": """
        CREATE TABLE parents (code varchar(3) PRIMARY KEY);
        INSERT INTO parents VALUES ('a'), ('b');
        CREATE TABLE items (
            id integer PRIMARY KEY, name varchar(5) NOT NULL, price numeric(6, 2) CHECK (price >= 0),
            parent varchar(3) REFERENCES parents, label text UNIQUE DEFERRABLE INITIALLY DEFERRED
        )
    """,
    "sqlite": """
        CREATE TABLE parents (code text PRIMARY KEY);
        INSERT INTO parents VALUES ('a'), ('b');
        CREATE TABLE items (
            id integer PRIMARY KEY, name varchar(5) NOT NULL, price numeric(6, 2) CHECK (price >= 0),
            parent varchar(3), label text UNIQUE
        )
    """,
}
CONSTRAINED["generic"] = CONSTRAINED["sqlite"]

#: (id, name, price, parent, label) and whether every database takes it.
ITEMS: list[tuple[list[Any], bool]] = [
    ([1, "one", 1.5, "a", "x1"], True),
    ([2, "toolong", 1, "a", "x2"], False),
    ([3, None, 1, "a", "x3"], False),
    ([4, "four", -1, "b", "x4"], False),
    ([5, "five", 0, None, "x5"], True),
    ([1, "again", 1, "a", "x6"], False),
    (["seven", "seven", 1, "a", "x7"], False),
    ([8, "eight", 1.234, "a", "x8"], False),
    ([9, "nine", 9999.99, "b", "x9"], True),
    ([10, "ten", 10000, "b", "x10"], False),
    ([11, "elf", 1, "b", "x1"], False),
    ([12, "dozen", 1, "b", None], True),
    ([13, "last", 1, "a", None], True),
]


def test_constraint_violations_reject_only_their_row(database: Database, strategy: str, tmp_path: Path) -> None:
    database.execute(CONSTRAINED[database.kind])
    path = workbook(tmp_path / "items.xlsx", [["id", "name", "price", "parent", "label"], *(row for row, _ in ITEMS)])
    report, _ = load(path, database, table="items", strategy=strategy, workers=1)
    assert report.error is None
    bad = [number for number, (_, good) in enumerate(ITEMS, start=2) if not good]
    assert [reject.row for reject in report.rejects] == bad
    assert database.fetch("SELECT id FROM items ORDER BY id") == [(row[0],) for row, good in ITEMS if good]
    reasons = {reject.row: reject for reject in report.rejects}
    # What conversion can tell names its cell; what only the database can tell comes with its words.
    assert (reasons[3].cell, reasons[3].column) == ("Sheet!B3", "name")
    assert (reasons[8].cell, reasons[8].value) == ("Sheet!A8", "seven")
    assert "price" in reasons[5].reason or "CHECK" in reasons[5].reason
    if database.kind == "postgresql":
        assert (reasons[5].sqlstate, reasons[7].sqlstate, reasons[12].sqlstate) == ("23514", "23505", "23505")
    assert (reasons[5].cell, reasons[5].column, reasons[5].value) == ("Sheet!C5", "price", "-1")
    assert reasons[7].cell == "Sheet!A7"
    assert reasons[12].cell == "Sheet!E12"


@pytest.mark.once
@pytest.mark.parametrize("atomic", [False, True])
@in_pairs
def test_check_violation_names_the_first_cell_of_the_condition(
    database: Database, atomic: bool, strategy: str, tmp_path: Path
) -> None:
    database.execute(
        "CREATE TABLE spans (note text CHECK (note <> 'low'), low float CHECK (low > 0.5), high float, "
        "CONSTRAINT in_order CHECK (low <= high), CONSTRAINT whole CHECK (1 < 2 OR note = 'high'))"
    )
    rows: list[list[Any]] = [["fine", 1, 2], ["low", 1, 2], ["low value", 0.25, 2], ["odd", 3, 2]]
    file = workbook(tmp_path / "spans.xlsx", [["note", "low", "high"], *rows])
    report, _ = load(file, database, strategy=strategy, atomic=atomic)
    assert [(reject.cell, reject.column, reject.value) for reject in report.rejects] == [
        ("Sheet!A3", "note", "low"),
        ("Sheet!B4", "low", "0.25"),
        ("Sheet!B5", "low", "3"),
    ]
    assert database.fetch("SELECT note FROM spans") == [("fine",)]


def test_dialect_without_constraint_reflection_imports_rows(
    generic: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*arguments: Any, **options: Any) -> Any:
        raise NotImplementedError

    for name in ("get_unique_constraints", "get_check_constraints"):
        monkeypatch.setattr(SQLiteDialect, name, unknown)
    generic.execute("CREATE TABLE t (n integer CHECK (n < 2), note text UNIQUE)")
    report, _ = load(workbook(tmp_path / "t.xlsx", [["n", "note"], [1, "a"], [2, "b"]]), generic, table="t")
    assert (report.error, report.stats.success_count, report.stats.error_count) == (None, 1, 1)
    report, _ = load(workbook(tmp_path / "u.xlsx", [["n", "note"], [0, "c"]]), generic, table="t", atomic=True)
    assert (report.error, report.stats.success_count) == (None, 1)


def test_foreign_key_violation_rejects_its_row(postgres: Database, strategy: str, tmp_path: Path) -> None:
    postgres.execute(CONSTRAINED["postgresql"])
    path = workbook(
        tmp_path / "items.xlsx",
        [["id", "name", "parent"], *([number, "n", "z" if number == 7 else "a"] for number in range(1, 20))],
    )
    report, _ = load(path, postgres, table="items", strategy=strategy, batch_size=5, workers=3)
    assert [(reject.row, reject.sqlstate) for reject in report.rejects] == [(8, "23503")]
    assert postgres.scalar("SELECT count(*) FROM items") == 18


def test_value_refused_by_the_database_is_reported_with_its_cell(
    postgres: Database, strategy: str, tmp_path: Path
) -> None:
    postgres.execute("CREATE TABLE orders (n integer, spec jsonb, key uuid)")
    key = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    rows = [[1, "{}", key], [2, "{bad", key], [3, '{"a": 1}', "no key"], [4, "[]", key]]
    file = workbook(tmp_path / "orders.xlsx", [["n", "spec", "key"], *rows])
    report, _ = load(file, postgres, strategy=strategy)
    assert [(reject.cell, reject.column, reject.value, reject.sqlstate) for reject in report.rejects] == [
        ("Sheet!B3", "spec", "{bad", "22P02"),
        ("Sheet!C4", "key", "no key", "22P02"),
    ]
    assert sorted(postgres.fetch("SELECT n, spec FROM orders")) == [(1, {}), (4, [])]


_BATCH_SIZES_AND_WORKERS = itertools.cycle(((1, 1), (100, 2), (100_000, 5)))


@pytest.mark.parametrize(
    ("database", "strategy", "batch_size", "workers"),
    [
        *((kind, strategy, 7, 3) for kind in KINDS for strategy in STRATEGIES),
        *once_sets(*((kind, name, *next(_BATCH_SIZES_AND_WORKERS)) for kind in KINDS for name in STRATEGIES)),
    ],
    indirect=["database", "strategy"],
)
def test_result_is_independent_of_batch_size_and_workers(
    database: Database, strategy: str, tmp_path: Path, batch_size: int, workers: int
) -> None:
    """Rows and rejects are the same for any batch size and any number of workers."""
    # Some rows are refused by the conversion (no word), others by the database only (the CHECK).
    database.execute("CREATE TABLE t (number integer PRIMARY KEY CHECK (number % 17 <> 3), word varchar(4) NOT NULL)")
    rows = [(number, None if number % 23 == 0 else f"w{number}") for number in range(150)]
    path = workbook(tmp_path / "t.xlsx", [["number", "word"], *map(list, rows)])
    bad = [row for row, (number, word) in enumerate(rows, start=2) if word is None or number % 17 == 3]
    report, _ = load(path, database, table="t", strategy=strategy, batch_size=batch_size, workers=workers)
    assert sorted(database.fetch("SELECT number, word FROM t")) == [
        record for row, record in enumerate(rows, start=2) if row not in bad
    ]
    assert [reject.row for reject in report.rejects] == bad
    assert report.batch_size == batch_size


@pytest.mark.parametrize(
    ("database", "workers"), [*((kind, 2) for kind in KINDS), *once_sets(("postgresql", 5))], indirect=["database"]
)
def test_concurrent_workers_neither_lose_nor_duplicate_rows(
    database: Database, strategy: str, tmp_path: Path, workers: int
) -> None:
    path = workbook(tmp_path / "t.xlsx", [["number", "word"], *([number, f"w{number}"] for number in range(500))])
    report, _ = load(path, database, strategy=strategy, batch_size=7, workers=workers)
    assert (report.outcome, report.stats.inserted) == ("complete", 500)
    assert sorted(database.fetch("SELECT number FROM t")) == [(number,) for number in range(500)]
    if database.kind != "postgresql":
        assert report.workers == 1
        assert any("one" in note for note in report.notes), report.notes
    elif strategy != "sequential":
        assert report.workers == workers


def test_sheet_with_only_a_header_gives_an_empty_table(database: Database, strategy: str, tmp_path: Path) -> None:
    path = workbook(tmp_path / "empty.xlsx", [["a", "b"]])
    report, _ = load(path, database, strategy=strategy)
    assert (report.outcome, report.exit_code, report.stats.total_records) == ("complete", 0, 0)
    assert database.fetch("SELECT * FROM empty") == []


def test_sheet_of_only_bad_rows_reports_each_row(database: Database, strategy: str, tmp_path: Path) -> None:
    database.execute("CREATE TABLE t (n integer NOT NULL)")
    path = workbook(tmp_path / "t.xlsx", [["n"], *(["x"] for _ in range(20))])
    report, _ = load(path, database, table="t", strategy=strategy, batch_size=6)
    assert (report.exit_code, report.stats.error_count, report.stats.inserted) == (3, 20, 0)
    assert [reject.row for reject in report.rejects] == list(range(2, 22))
    assert database.fetch("SELECT * FROM t") == []


def test_no_connection_and_no_process_remains(postgres: Database, strategy: str, tmp_path: Path) -> None:
    """Leaked threads are checked in every test of the suite."""
    path = workbook(tmp_path / "t.xlsx", [["n"], *([number] for number in range(100))])
    report, _ = load(path, postgres, strategy=strategy, workers=3, batch_size=10)
    assert report.exit_code == 0
    # The server notices closed sockets by itself and soon; what a run left open would stay.
    postgres.execute(
        """DO $$ BEGIN
            FOR attempt IN 1..1200 LOOP
                PERFORM pg_stat_clear_snapshot();
                EXIT WHEN NOT EXISTS (
                    SELECT FROM pg_stat_activity
                    WHERE application_name LIKE 'tui_importer/%' AND datname = current_database()
                );
                PERFORM pg_sleep(0.05);
            END LOOP;
        END $$"""
    )
    left = "FROM pg_stat_activity WHERE application_name LIKE 'tui_importer/%' AND datname = current_database()"
    assert postgres.fetch(f"SELECT * {left}") == []
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(("alias", "name"), [("concurrent", "threaded"), ("batch", "batched")])
def test_strategy_names_of_the_original_program_are_accepted(
    sqlite: Database, tmp_path: Path, alias: str, name: str
) -> None:
    path = workbook(tmp_path / "t.xlsx", [["n"], [1]])
    report, _ = load(path, sqlite, strategy=alias)
    assert (report.exit_code, report.method) == (0, name)
