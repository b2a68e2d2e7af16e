"""Taking back a run from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conftest import sqlite_database

if TYPE_CHECKING:
    from tests.cli.conftest import Program


@pytest.fixture
def run_id(program: Program) -> str:
    (program.folder / "s.csv").write_text("n,t\n1,x\n2,y\n")
    report = json.loads(program("s.csv", "--db", "u.db", "--lineage", "--no-ui", "-q", "--report", "-", code=0).out)
    return str(report["run_id"])


def count(program: Program) -> int:
    return int(sqlite_database(program.folder / "u.db").scalar("SELECT count(*) FROM s"))


def test_undo_without_yes_only_shows_the_rows(program: Program, run_id: str) -> None:
    ended = program("undo", run_id, code=2)
    assert ended.lines[0].endswith(f"s.csv › s was imported into table s of u.db by run {run_id}")
    assert ended.lines[1] == "tui-importer: this takes 2 rows out of table s: --yes does it"
    assert count(program) == 2


def test_undo_with_yes_removes_the_rows_once(program: Program, run_id: str) -> None:
    assert program("undo", run_id, "--yes", code=0).lines[-1] == "2 rows taken out of table s"
    assert count(program) == 0
    assert "already" in program("undo", run_id, "--yes", "--db", "u.db", code=2).err
    assert "inserted 2" in program("s.csv", "--db", "u.db", "--lineage", "--no-ui", code=0).err


def test_undo_of_an_unknown_run_asks_for_its_database(program: Program, run_id: str) -> None:
    assert "is not recorded here: name its database with --db" in program("undo", "20200101-000000-0000000", code=2).err
    assert "knows no run" in program("undo", "20200101-000000-0000000", "--db", "u.db", code=2).err
    assert count(program) == 2
