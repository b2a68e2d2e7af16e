"""Columns that are renamed, set, left out or added, from the command line to the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Program
    from tests.conftest import Database


@pytest.fixture(params=["postgresql", "sqlite"])
def database(request: pytest.FixtureRequest) -> Database:
    """A table with a column that wants quoting."""
    found: Database = request.getfixturevalue("postgres" if request.param == "postgresql" else "sqlite")
    found.execute('CREATE TABLE t (id INTEGER PRIMARY KEY, "100 %" TEXT)')
    return found


@pytest.fixture
def file(program: Program) -> str:
    path = program.folder / "a.csv"
    path.write_text("share,id,town\n1 of 2,1,Rome\n\n2 of 2,3,Oslo\n")
    return path.name


def test_renamed_set_and_added_columns_are_in_the_table(program: Program, database: Database, file: str) -> None:
    program(
        *(file, "--no-ui", "--db", database.url, "--table", "t", "--verify"),
        *("--rename", "share=100 %", "--rename", "town=the town", "--extra-columns", "add", "--batch-size", "1"),
        code=0,
    )
    rows = 'SELECT id, "100 %", "the town" FROM t ORDER BY id'
    assert database.fetch(rows) == [(1, "1 of 2", "Rome"), (3, "2 of 2", "Oslo")]
    program(
        *(file, "--no-ui", "--db", database.url, "--table", "u", "--atomic"),
        *("--set", "place={file}!{sheet}:{row}", "--set", "line={row}", "--set", "run={run}", "--set", "none="),
        code=0,
    )
    [first, second] = database.fetch("SELECT town, place, line, none, run FROM u ORDER BY id")
    assert (first[:4], second[:4]) == (("Rome", "a.csv!a:2", 2, None), ("Oslo", "a.csv!a:4", 4, None))
    assert first[4] == second[4]
    assert first[4] in program("runs", "--db", database.url, code=0).out


def test_extra_columns_are_refused_or_left_out(program: Program, database: Database, file: str) -> None:
    wanted = (file, "--no-ui", "--db", database.url, "--table", "t")
    assert "no column for 'share' (column A), 'town' (column C)" in program(*wanted, code=2).err
    program(*wanted, "--extra-columns", "ignore", code=0)
    assert database.fetch("SELECT * FROM t ORDER BY id") == [(1, None), (3, None)]


def test_row_rejected_by_the_table_is_reported_when_a_column_is_set(
    program: Program, database: Database, file: str
) -> None:
    database.execute("CREATE TABLE v (id INTEGER PRIMARY KEY, town TEXT, kind TEXT CHECK (kind <> 'row 4'))")
    ended = program(
        *(file, "--no-ui", "--db", database.url, "--table", "v", "--extra-columns", "ignore"),
        *("--set", "kind=row {row}"),
        code=3,
    )
    assert "a!A4:C4" in ended.err
    assert database.fetch("SELECT id, kind FROM v") == [(1, "row 2")]


def test_ddl_option_prints_statements_without_executing_them(program: Program, database: Database, file: str) -> None:
    before = program.files()
    out = program(
        file, "--ddl", "--db", database.url, "--table", "100 %", "--mode", "upsert", "--key", "id", code=0
    ).out
    assert out.startswith(
        '-- a.csv, sheet a into table 100 %\nCREATE TABLE "100 %" (\n    share TEXT,\n    id BIGINT NOT'
    )
    assert out.endswith("PRIMARY KEY (id)\n);\n")
    added = program(file, "--ddl", "--db", database.url, "--table", "t", "--extra-columns", "add", code=0).out
    assert added.splitlines()[1:] == ["ALTER TABLE t ADD COLUMN share TEXT;", "ALTER TABLE t ADD COLUMN town TEXT;"]
    left = program(file, "--ddl", "--db", database.url, "--table", "t", "--extra-columns", "ignore", code=0).out
    assert left.splitlines()[1:] == ["-- the table is there, with all columns"]
    assert program.files() == before
    program(file, "--ddl", "--db", "new.db", code=0)
    assert program.files() == before
    tables = "SELECT name FROM sqlite_master" if database.kind == "sqlite" else "SELECT tablename FROM pg_tables"
    assert not any("tui_importer" in name or name == "100 %" for (name,) in database.fetch(tables))
