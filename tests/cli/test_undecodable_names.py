r"""A file called b"caf\xe9.csv", from the command line to the table."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Program
    from tests.conftest import Database

NAME, SHOWN = os.fsdecode(b"caf\xe9.csv"), r"caf\xe9.csv"


@pytest.fixture
def file(program: Program) -> str:
    try:
        (program.folder / NAME).write_text("id,town\n1,Rome\nx,Oslo\n")
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    return NAME


def test_file_with_undecodable_name_is_imported_and_shown_escaped(
    program: Program, file: str, postgres: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    wanted = (file, "--no-ui", "--type", "id=integer", "--db", postgres.url, "--set", "origin={file}")
    ended = program(*wanted, "--report", "r.json", code=3, TMPDIR=str(folder))
    assert f"{SHOWN} › " in ended.err
    assert json.loads((program.folder / "r.json").read_text())["source"]["file"] == SHOWN
    assert postgres.fetch("SELECT id, town, origin FROM caf_xe9") == [(1, "Rome", SHOWN)]
    assert postgres.scalar("SELECT file FROM tui_importer_run").endswith(f"/{SHOWN}")
    assert (program.folder / r"caf\xe9.rejects.xlsx").exists()
    assert "already imported" in program(*wanted, code=0).err
    assert SHOWN in program("runs", "--db", postgres.url, code=0).out
    assert not [path for path in folder.iterdir() if not path.name.startswith("tui_importer-streams")]


def test_saved_plan_finds_a_file_with_undecodable_name(program: Program, file: str) -> None:
    program("inspect", file, "--save", "plan.toml", code=0)
    plan = (program.folder / "plan.toml").read_text(encoding="utf-8")
    assert json.dumps(SHOWN) in plan
    program(SHOWN, "--schema", "plan.toml", "--db", "new.db", "--no-ui", "-q", code=0)


def test_reports_and_databases_may_have_undecodable_names(program: Program, file: str) -> None:
    others = [os.fsdecode(name) for name in (b"d\xe9.db", b"r\xe9.json", b"x\xe9.xlsx", b"p\xe9.toml")]
    database, report, rejects, plan = others
    wanted = (file, "--no-ui", "--type", "id=integer", "--db", database)
    ended = program(*wanted, "--report", report, "--rejects", rejects, code=3)
    assert ended.lines[-1] == r"rejects are in x\xe9.xlsx"
    written = json.loads((program.folder / report).read_text(encoding="utf-8"))
    assert (written["target"]["database"], written["rejects_file"]) == ("sqlite:///d%E9.db", r"x\xe9.xlsx")
    assert "already imported" in program(SHOWN, *wanted[1:-1], "sqlite:///d%E9.db", code=0).err
    program("inspect", file, "--db", database, "--save", plan, code=0)
    program(file, "--schema", plan, "--no-ui", "--again", code=3)
    assert not [path for path in program.folder.glob("*.db") if path.name != database]


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [("--table", "t\udce9", "table"), ("--rename", "id=\udce9", "rename"), ("--null-if", "\udce9", "null_if")],
)
def test_undecodable_database_values_are_refused(
    program: Program, file: str, option: str, value: str, field: str
) -> None:
    refused = program(file, "--no-ui", option, value, code=2)
    assert refused.lines == [f"tui-importer: {field} has characters that are not UTF-8: write it in UTF-8"]


def test_missing_file_with_undecodable_name_is_shown_escaped(program: Program) -> None:
    assert program(NAME, "--no-ui", code=2).lines[-1] == f"tui-importer: {SHOWN}: no such file"
