"""Sheets and folders in one command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from openpyxl import Workbook

from tests.conftest import sqlite_database

if TYPE_CHECKING:
    from tests.cli.conftest import Program

HEAD = ["id", "town"]


@pytest.fixture
def months(program: Program) -> str:
    """A workbook of two months, other sheets, and one without cells."""
    book = Workbook()
    book.active.title = "Jan"
    for name, rows in {
        "Jan": [HEAD, [1, "Rome"], [2, "Oslo"]],
        "Feb": [HEAD, [3, "Bern"]],
        "Empty": [],
        "People": [["name", "age"], ["Ann", 31], ["Bob", 27]],
    }.items():
        page = book[name] if name in book.sheetnames else book.create_sheet(name)
        for row in rows:
            page.append(row)
    book.create_sheet("Secret").append(HEAD)
    book["Secret"].sheet_state = "hidden"
    book.save(program.folder / "months.xlsx")
    return "months.xlsx"


def rows(program: Program, query: str, name: str = "m.db") -> list[tuple[object, ...]]:
    return sqlite_database(program.folder / name).fetch(query)


def test_several_sheets_are_imported_into_one_table(program: Program, months: str) -> None:
    program(months, "--sheet", "Feb", "--sheet", "1", "--table", "towns", "--db", "m.db", "--no-ui", code=0)
    assert rows(program, "SELECT id FROM towns ORDER BY rowid") == [(3,), (1,), (2,)]
    again = program(months, "--sheet", "[FJ]*", "--table", "towns", "--db", "m.db", "--no-ui", code=0)
    assert again.err.count("already imported by run") >= 2
    assert rows(program, "SELECT count(*) FROM towns") == [(3,)]


def test_sheets_of_the_same_columns_are_imported_into_one_table(program: Program, months: str) -> None:
    report = json.loads(program(months, "--sheet", "all", "--db", "m.db", "--no-ui", "-q", "--report", "-", code=0).out)
    assert [each["source"]["sheet"] for each in report["imports"]] == ["Jan", "Feb", None, "People"]
    assert "sheet 'Empty' is empty: passed over" in report["imports"][2]["notes"][0]
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'tui_importer%' ORDER BY name"
    assert rows(program, tables) == [("months",), ("people",)]
    assert rows(program, "SELECT id FROM months ORDER BY id") == [(1,), (2,), (3,)]


def test_command_that_was_typed_continues_the_run(program: Program) -> None:
    for name, line in (("a.csv", "1"), ("b.csv", "2.5"), ("c.csv", "3")):
        (program.folder / name).write_text(f"{'m' if name == 'c.csv' else 'n'}\n{line}\n")
    program("a.csv", "b.csv", "c.csv", "--db", "m.db", "--no-ui", code=0)
    commands = [command for (command,) in rows(program, "SELECT command FROM tui_importer_run ORDER BY run_id")]
    folder = program.folder.name.lower()
    assert commands == [
        f"tui-importer {name}.csv --db m.db --table {table} --no-ui"
        for name, table in (("a", folder), ("b", folder), ("c", "c"))
    ]
    [run] = json.loads(program("runs", "--json", code=0).out)[:1]
    assert run["resume"] is None


def test_definition_of_a_shared_table_is_printed_once(program: Program) -> None:
    folder = program.folder / "in"
    folder.mkdir()
    for name, text in (("a", "id,size\n1,2\n"), ("b", "size,id\n1.5,2\n"), ("c", "town\nx\n")):
        (folder / f"{name}.csv").write_text(text)
    printed = program("in", "--ddl", "--db", "m.db", code=0).out
    assert printed.splitlines() == [
        "-- in/a.csv, sheet a; in/b.csv, sheet b into table in",
        'CREATE TABLE "in" (',
        "    id BIGINT,",
        "    size DOUBLE",
        ");",
        "-- in/c.csv, sheet c into table c",
        "CREATE TABLE c (",
        "    town TEXT",
        ");",
    ]
    program("in", "--db", "m.db", "--no-ui", code=0)
    left = program("in", "--ddl", "--db", "m.db", code=0).out
    assert left.count("-- the table is there, with all columns") == 2
    (folder / "d.csv").write_text("town\ny\n")
    for arguments in (["--ddl"], ["--no-ui"], ["--no-ui", "--report", "-"]):
        refused = program("in", *arguments, "--db", "m.db", code=2)
        assert "in/a.csv and in/c.csv have different columns, and would both go into table 'in'" in refused.err


def test_table_is_named_after_file_and_sheet(program: Program, months: str) -> None:
    program(months, "--sheet", "*n", "--table", "{file}_{sheet}_in", "--db", "m.db", "--no-ui", code=0)
    assert rows(program, "SELECT count(*) FROM months_jan_in") == [(2,)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sheet", "X*"), "there is no sheet that matches 'X*': there are 'Jan', 'Feb'"),
        (("--sheet", "Jan", "--table", "{shet}"), "'{shet}' names {shet}: known are {file}, {sheet}"),
        (("--sheet", "all", "--rejects", "r.xlsx"), "--rejects names one file: import the sheets one by one"),
    ],
)
def test_contradictory_options_are_refused(
    program: Program, months: str, arguments: tuple[str, ...], said: str
) -> None:
    ended = program(months, *arguments, "--db", "m.db", "--no-ui", code=2)
    assert said in ended.lines[-1]


@pytest.mark.parametrize("command", ["inspect", "bench"])
def test_single_sheet_commands_refuse_several_sheets(program: Program, months: str, command: str) -> None:
    assert "look at them one by one" in program(command, months, "--sheet", "all", code=2).err
    program(command, months, "--sheet", "J*", code=0)


def test_folder_is_expanded_to_its_files(program: Program) -> None:
    folder = program.folder / "in"
    folder.mkdir()
    for name in ("b.csv", "a.csv", "~$a.csv", ".hidden.csv", "notes.md"):
        (folder / name).write_text(f"name\n{name}\nx\n")
    (folder / "sub.csv").mkdir()
    program("in", "--table", "t", "--db", "m.db", "--no-ui", code=0)
    assert rows(program, "SELECT name FROM t WHERE name <> 'x' ORDER BY rowid") == [("a.csv",), ("b.csv",)]
    (program.folder / "none").mkdir()
    assert "none: is a folder without a file that a reader opens" in program("none", "--no-ui", code=2).err
