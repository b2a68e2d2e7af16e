"""Tables with unusual names, and schemas that are not there yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.once import once

if TYPE_CHECKING:
    from tests.cli.conftest import Program
    from tests.conftest import Database

SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname IN ('Sales', 'fresh')"


@pytest.fixture
def source(program: Program) -> str:
    (program.folder / "s.csv").write_text("n,t\n1,x\n2,y\n")
    return "s.csv"


@pytest.mark.parametrize("name", ['"Sales"."2026.Q1"', *once('"Sales"."Say ""hi"""', "Sales.Orders")])
def test_quoted_table_name_is_used_literally(program: Program, source: str, postgres: Database, name: str) -> None:
    postgres.execute('CREATE SCHEMA "Sales"')
    program(source, "--db", postgres.url, "--table", name, "--no-ui", code=0)
    quoted = name if '"' in name else '"Sales"."Orders"'
    assert postgres.fetch(f"SELECT n, t FROM {quoted} ORDER BY n") == [(1, "x"), (2, "y")]
    again = program(source, "--db", postgres.url, "--table", quoted, "--no-ui", code=0)
    assert "already imported" in again.err
    assert postgres.scalar(f"SELECT count(*) FROM {quoted}") == 2


@pytest.mark.parametrize("mode", ["append", *once("replace")])
def test_staged_rows_reach_a_quoted_table(program: Program, source: str, postgres: Database, mode: str) -> None:
    postgres.execute('CREATE SCHEMA "Sales"')
    options = ("--db", postgres.url, "--table", '"Sales"."a.b"', "--no-ui")
    atomic = ["--atomic"] if mode == "append" else []
    program(source, *options, "--mode", mode, *atomic, code=0)
    assert postgres.scalar('SELECT count(*) FROM "Sales"."a.b"') == 2
    assert "already imported" in program(source, *options, "--mode", mode, *atomic, code=0).err


def test_missing_schema_is_created_only_on_request(program: Program, source: str, postgres: Database) -> None:
    options = ("--db", postgres.url, "--table", "fresh.t", "--no-ui")
    refused = program(source, *options, code=1)
    assert "there is no schema 'fresh': --create-schema makes it" in refused.err
    shown = program(source, *options, "--create-schema", "--ddl", code=0).out
    assert [line for line in shown.splitlines() if line.startswith("CREATE")] == [
        "CREATE SCHEMA fresh;",
        "CREATE TABLE fresh.t (",
    ]
    program(source, *options, "--create-schema", "--dry-run", code=0)
    assert postgres.fetch(SCHEMAS) == []
    program(source, *options, "--create-schema", code=0)
    assert postgres.fetch(SCHEMAS) == [("fresh",)]
    assert postgres.scalar("SELECT count(*) FROM fresh.t") == 2
    program(source, *options, "--create-schema", "--again", code=0)
    assert postgres.scalar("SELECT count(*) FROM fresh.t") == 4


def test_table_name_with_a_dot_requires_a_schema(program: Program, source: str, postgres: Database) -> None:
    refused = program(source, "--db", postgres.url, "--table", '"a.b"', "--no-ui", code=2)
    assert "needs its schema before it" in refused.err


def test_create_schema_is_refused_for_sqlite(program: Program, source: str) -> None:
    refused = program(source, "--db", "t.db", "--table", "a.b", "--create-schema", "--no-ui", code=1)
    assert "schema 'a' cannot be created here: leave the schema out" in refused.err
    program(source, "--db", "t.db", "--table", '"Mixed"', "--no-ui", code=0)


@pytest.mark.once
@pytest.mark.parametrize("mode", ["append", "truncate"])
def test_quoted_table_name_with_a_dot_works_without_schemas(
    program: Program, source: str, sqlite: Database, mode: str
) -> None:
    options = ("--db", sqlite.url, "--table", '"a.b"', "--mode", mode, "--no-ui")
    program(source, *options, code=0)
    assert sqlite.fetch('SELECT n, t FROM "a.b" ORDER BY n') == [(1, "x"), (2, "y")]
    assert "already imported" in program(source, *options, code=0).err
    program(source, *options, "--again", code=0)
    assert sqlite.scalar('SELECT count(*) FROM "a.b"') == (4 if mode == "append" else 2)
