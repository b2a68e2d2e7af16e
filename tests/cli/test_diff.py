"""``tui-importer diff``: what an upsert would do, and then does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from openpyxl import load_workbook

if TYPE_CHECKING:
    from tests.cli.conftest import Program
    from tests.conftest import Database

TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'none' NOT NULL, price NUMERIC(8, 2), day DATE)"
ROWS = "INSERT INTO t VALUES (1, 'one', 1.50, '2026-01-01'), (2, 'two', NULL, NULL), (3, 'three', 3, '2026-03-03')"
FILE = """id,name,price,day
1,one,1.5,2026-01-01
2,zwei,2,2026-02-02
2,deux,2,
3,,3.00,2026-03-03
4,[4],4,
x,bad,1,
"""


@pytest.fixture(params=["postgresql", "sqlite"])
def database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue("postgres" if request.param == "postgresql" else "sqlite")
    found.execute(TABLE)
    found.execute(ROWS)
    return found


@pytest.fixture
def file(program: Program) -> str:
    (program.folder / "a.csv").write_text(FILE)
    return "a.csv"


def test_differences_are_listed_and_nothing_is_written(program: Program, database: Database, file: str) -> None:
    before = database.fetch("SELECT * FROM t ORDER BY id"), program.files()
    database.execute("INSERT INTO t VALUES (9, 'nine', 9, NULL)")
    out = program("diff", file, "--db", database.url, "--table", "t", code=1).out.splitlines()
    assert out == [
        "a.csv and table t",
        "~ row 4  id='2'  name: 'two' -> 'deux', price: NULL -> '2'",
        "+ row 6  id='4'",
        "- id='9'",
        "1 to insert, 1 to update, 2 unchanged, 1 missing in the sheet",
        "1 row superseded by a later one of the same key",
        "1 row cannot be converted and would be rejected",
    ]
    database.execute("DELETE FROM t WHERE id = 9")
    assert (database.fetch("SELECT * FROM t ORDER BY id"), program.files()) == before


def test_upsert_makes_the_changes_that_diff_reported(program: Program, database: Database, file: str) -> None:
    into = (file, "--db", database.url, "--table", "t")
    found: dict[str, Any] = json.loads(program("diff", *into, "--json", code=1).out)
    stats = json.loads(program(*into, "--mode", "upsert", "--no-ui", "-q", "--report", "-", code=3).out)["stats"]
    assert (stats["inserted"], stats["error_count"]) == (found["inserted"], found["rejected"]) == (1, 1)
    assert stats["updated"] == found["updated"] + found["superseded"] == 2
    assert stats["skipped"] == found["unchanged"] == 2
    [insert] = [each for each in found["changes"] if each["kind"] == "insert"]
    assert insert == {"kind": "insert", "row": 6, "key": {"id": "4"}, "values": []}
    again = json.loads(program("diff", *into, "--json", code=1).out)
    assert (again["changes"], again["unchanged"]) == ([], 4)


def test_workbook_has_every_difference_as_text(program: Program, database: Database, file: str) -> None:
    (program.folder / file).write_text(FILE + "5,=1+1,,\n")
    into = (file, "--db", database.url, "--table", "t", "--output", "d.xlsx")
    program("diff", *into, code=1)
    path = program.folder / "d.xlsx"
    assert path.stat().st_mode & 0o777 == 0o600
    sheet = load_workbook(path).worksheets[0]
    assert list(sheet.iter_rows(values_only=True)) == [
        ("Change", "Row", "id", "Column", "Old", "New"),
        ("update", "4", "2", "name", "two", "deux"),
        ("update", "4", "2", "price", None, "2"),
        ("insert", "6", "4", None, None, None),
        ("insert", "8", "5", None, None, None),
    ]
    assert "is there already" in program("diff", *into, code=2).err
    assert "has to end in .xlsx" in program("diff", *into[:-1], "d.ods", code=2).err


def test_equal_tables_end_with_0(program: Program, database: Database, file: str) -> None:
    (program.folder / file).write_text(FILE.replace("x,bad,1,\n", ""))
    program(file, "--db", database.url, "--table", "t", "--mode", "upsert", "--no-ui", "-q", code=0)
    out = program("diff", file, "--db", database.url, "--table", "t", code=0).out
    assert "0 to insert, 0 to update, 4 unchanged, 0 missing in the sheet" in out


def test_only_selected_columns_are_compared(program: Program, database: Database, file: str) -> None:
    out = program("diff", file, "--db", database.url, "--table", "t", "--update", "price", code=1).out
    assert "~ row 4  id='2'  price: NULL -> '2'" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--table", "nope"), "table 'nope' is not there"),
        (("--table", "t", "--key", "name"), "does not keep 'name' unique"),
        (("--table", "t", "--sheet", "x*"), "there is no sheet that matches"),
    ],
)
def test_invalid_comparisons_are_refused(
    program: Program, database: Database, file: str, arguments: tuple[str, ...], said: str
) -> None:
    assert said in program("diff", file, "--db", database.url, *arguments, code=2).lines[-1]


def test_control_characters_in_values_are_escaped_in_the_output(program: Program, database: Database) -> None:
    (program.folder / "evil.csv").write_text("id,name\n2,\x1b[2J\n")
    out = program("diff", "evil.csv", "--db", database.url, "--table", "t", code=1).out
    assert "\x1b" not in out
    assert r"\x1b[2J" in out.replace(r"\\x", r"\x")
