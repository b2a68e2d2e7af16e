"""What is checked before anything is touched: commands, files, every option, and the places that are written to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from tui_importer.cli.main import COMMANDS, group

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, Program

pytestmark = pytest.mark.once

PLAN = '[source]\nfile = "a.csv"\n'
#: Option of ``import`` -> values that it cannot have. Flags take none; what only the sheet or the database can tell
#: (a column's name, a table's) is no matter of the option.
BAD: dict[str, list[str]] = {
    "--sheet": [""],
    "--range": ["nonsense", "B2:A1", "", "A0", "ZZZZ1"],
    "--header-row": ["0", "-1", "x", "99999999999999999999", "1.5"],
    "--reader": ["calamime", ""],
    "--encoding": ["klingon", "rot13", ""],
    "--delimiter": ["ab", ""],
    "--totals": ["maybe", ""],
    "--quote": ["ab", ""],
    "-o": ["nothing.pause=1", "pause", ""],
    "--limit": ["0", "-1", "many", "9" * 30],
    "--db": ["", " ", ":memory:", "sqlite://", "sqlite://x", "mysqll://h/d", "postgresql://u:canary@x@h/d", "://"],
    "--table": [""],
    "--schema": ["nosuch", "missing.toml", "broken.toml", "typo.toml", "value.toml", ""],
    "--type": ["n", "n=", "=integer", "n=intger", "n=numeric(0,9)"],
    "--skip": [],
    "--executor": ["nope", ""],
    "--plugin": ["missing.py", ""],
    "--jobs": ["0", "-1", "many", ""],
    "--rename": ["a", "a=", "=b", ""],
    "--set": ["a", "=b", ""],
    "--extra-columns": ["keep", ""],
    "--date-format": ["soon", "n=soon", "n=", "DD.MM", ""],
    "--decimal-mark": [";", "n=x", ""],
    "--null-if": ["n=", ""],
    "--true-words": ["n=", ""],
    "--false-words": ["n=", ""],
    "--round-column": [],
    "--error-cells": ["bogus", "", "NULL "],
    "--uncalculated": ["bogus", "", "NULL "],
    "--mode": ["upsrt", ""],
    "--key": [""],
    "--on-conflict": ["ignore", ""],
    "--update": ["", "a"],
    "--before": ["missing.sql", "commit.sql", "folder.xlsx", ""],
    "--after": ["missing.sql", "commit.sql", ""],
    "--comment": [""],
    "--ledger-schema": ["", " ", "books"],
    "--connect-timeout": ["0", "-1", "nan", "inf", "x", "1e300"],
    "--strategy": ["bathced", ""],
    "--workers": ["0", "-1", "x", "1.5", "9" * 30],
    "--batch-size": ["0", "x", "9" * 5000],
    "--max-rejects": ["many", "-1", "101%", "5 %", ""],
    "--max-rate": ["0", "nan", "inf", "-5"],
    "--timeout": ["0", "-1", "nan", "inf", "1e300"],
    "--retry-for": ["-1", "nan", "inf"],
    "--stall-timeout": ["-1", "nan", "inf"],
    "--rejects": ["r.csv", "no/such/r.xlsx", "folder.xlsx", "taken.xlsx", "a.csv", "r\n.txt"],
    "--report": ["no/such/r.json", "folder.xlsx", ".", "a.csv", "a.db", "plan.toml"],
    "--log-format": ["xml", ""],
}


@pytest.fixture
def folder(program: Program) -> Path:
    """Two files to import, and what is in the way."""
    for name in ("a.csv", "b.csv"):
        (program.folder / name).write_text("n,c\n1,x\n2,y\n")
    (program.folder / "folder.xlsx").mkdir()
    (program.folder / "taken.xlsx").write_text("somebody is mending it")
    (program.folder / "plan.toml").write_text(PLAN)
    (program.folder / "commit.sql").write_text("DELETE FROM t;\ncommit;\n")
    (program.folder / "broken.toml").write_text("[source\n")
    (program.folder / "typo.toml").write_text(PLAN + "[options]\nworkrs = 2\n")
    (program.folder / "value.toml").write_text(PLAN + "[options]\nworkers = 0\n")
    return program.folder


def refused(program: Program, *arguments: str) -> str:
    """The one line with which a request is refused that leaves no trace."""
    before = {path: path.stat().st_mtime_ns for path in program.folder.rglob("*")}
    state = program.folder.parent / "state"
    ended: Ended = program(*arguments, code=2, XDG_STATE_HOME=str(state))
    [line] = ended.lines
    assert line.startswith("tui-importer: ")
    assert ended.out == ""
    assert {path: path.stat().st_mtime_ns for path in program.folder.rglob("*")} == before
    assert not state.exists() or not list(state.rglob("events.jsonl"))
    return line


@pytest.mark.parametrize("option", BAD)
def test_invalid_option_value_is_refused_before_any_file_is_opened(program: Program, folder: Path, option: str) -> None:
    for value in BAD[option]:
        files = ["a.csv"] if option == "--rejects" else ["a.csv", "b.csv"]
        line = refused(program, *files, option, value, *(["--schema", "plan.toml"] if value == "plan.toml" else []))
        assert "canary" not in line


def test_every_option_has_invalid_values_in_this_test() -> None:
    command = group.get_command(click.Context(group), "import")
    assert command is not None
    taking = {
        max(option.opts, key=len)
        for option in command.params
        if isinstance(option, click.Option) and not option.is_flag and option.name != "help"
    }
    assert taking == set(BAD)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["inpsect", "a.csv"], "no such command 'inpsect': did you mean 'inspect'?"),
        (["inpsect", "--save", "p.toml", "a.csv"], "no such command 'inpsect': did you mean 'inspect'?"),
        (["INSPECT", "a.csv"], "did you mean 'inspect'?"),
        (["run"], "no such command 'run': did you mean 'runs'?"),
        (["run", "--json"], "no such command 'run': did you mean 'runs'?"),
        (["plan"], "'plan' is neither a command nor a file: did you mean plan.toml?"),
        (["zzzzzz"], "'zzzzzz' is neither a command nor a file: the commands are import, inspect,"),
        (["--no-ui", "inspect", "a.csv"], "inspect: no such file (a command comes first: tui-importer inspect ...)"),
        (["aa.csv"], "aa.csv: no such file (did you mean a.csv?)"),
        (["import", "run"], "run: no such file"),
        (["no/such/run"], "no/such/run: no such file"),
    ],
)
def test_unknown_word_is_refused_with_a_suggestion(
    program: Program, folder: Path, arguments: list[str], said: str
) -> None:
    line = refused(program, *arguments)
    assert said in line
    assert "0 bytes" not in line


def test_existing_file_named_like_a_mistyped_command_is_imported(program: Program, folder: Path) -> None:
    (folder / "inpsect").write_text("n\n1\n")
    program("inpsect", "--reader", "csv", "-q", code=0)
    assert "inpsect.db" in program.files()


def test_all_missing_files_are_reported_together_before_the_import(program: Program, folder: Path) -> None:
    os.mkfifo(folder / "pipe.csv")
    line = refused(program, "a.csv", "missing.xlsx", "b.csv", "gone.csv", "folder.xlsx", "pipe.csv")
    for said in ("missing.xlsx: no such file", "gone.csv: no such file", "folder.xlsx: is a folder", "is a pipe"):
        assert said in line
    assert "a.csv: " not in line


def test_file_without_a_reader_refuses_the_whole_request(program: Program, folder: Path) -> None:
    (folder / "word.docx").write_text("x")
    assert "word.docx" in refused(program, "a.csv", "word.docx")


@pytest.mark.parametrize("name", COMMANDS)
def test_repeated_single_value_option_is_refused_by_every_command(name: str) -> None:
    """Every command refuses a repeated single-value option before it does anything."""
    command = group.get_command(click.Context(group), name)
    assert command is not None
    single = [
        option
        for option in command.params
        if isinstance(option, click.Option) and not (option.is_flag or option.multiple or option.name == "help")
    ]
    for option in single:
        for spelled in option.opts:
            with pytest.raises(click.UsageError, match=f"{max(option.opts, key=len)} takes one value and is given 2"):
                group.main([name, spelled, "1", "x.csv", option.opts[0], "2"], standalone_mode=False)


def test_repeated_option_is_refused_in_one_line_and_flags_may_repeat(program: Program, folder: Path) -> None:
    assert "--table takes one value and is given 2 times" in refused(program, "a.csv", "--table", "A", "--table=B")
    program("a.csv", "-q", "-q", "--again", "--again", "--type", "n=text", "--type", "c=text", code=0)


def test_refused_request_does_not_leave_an_earlier_report(program: Program, folder: Path) -> None:
    program("a.csv", "-q", "--report", "r.json", code=0)
    program("a.csv", "-q", "--report", "r.json", "--strategy", "nope", code=2)
    assert "unknown strategy 'nope'" in (folder / "r.json").read_text()
    before = (folder / "a.db").read_bytes()
    program("a.csv", "-q", "--report", "a.db", "--strategy", "nope", code=2)
    assert (folder / "a.db").read_bytes() == before


def test_rejects_option_does_not_overwrite_other_files(program: Program, folder: Path) -> None:
    assert "is there already, and no reject workbook" in refused(program, "a.csv", "--rejects", "taken.xlsx")
    assert "--rejects names one file" in refused(program, "a.csv", "b.csv", "--rejects", "r.xlsx")
    assert (folder / "taken.xlsx").read_text() == "somebody is mending it"
    assert "no folder" in refused(program, "a.csv", "--rejects", "nowhere/r.xlsx")
    assert "is named for something else" in refused(program, "a.csv", "--report", "r.xlsx", "--rejects", "r.xlsx")


@pytest.mark.skipif(not os.path.ismount("/proc"), reason="needs a folder that takes no file even from root")
def test_unwritable_folder_for_rejects_is_refused_before_the_import(program: Program, folder: Path) -> None:
    database = folder / "t.db"
    here, program.folder = program.folder, Path("/proc/self")
    try:
        ended = program(str(here / "a.csv"), "--db", str(database), code=2)
    finally:
        program.folder = here
    [line] = ended.lines
    assert "rejected rows cannot be written into the current folder" in line
    assert "--rejects" in line
    assert not database.exists()
    assert "no file for the report can be created in" in refused(program, "a.csv", "--report", "/proc/self/report.json")


def test_rejects_ok_changes_only_the_exit_code_for_rejects(program: Program, folder: Path) -> None:
    (folder / "bad.csv").write_text("n,c\n1,x\nno,y\n3,z\n")
    kinds = ("--type", "n=integer")
    assert program("bad.csv", *kinds, "-q", "--db", "t.db", code=3).lines == []
    ended = program("bad.csv", *kinds, "--db", "u.db", "--rejects-ok", "--report", "-", code=0)
    assert '"exit_code": 0' in ended.out
    assert '"outcome": "complete_with_rejects"' in ended.out
    assert "1 row rejected" in ended.err
    program("attach", code=0)
    program("bad.csv", "a.csv", *kinds, "--db", "v.db", "--rejects-ok", "-q", code=0)
    program("bad.csv", *kinds, "--db", "w.db", "--rejects-ok", "--max-rejects", "0", "-q", code=4)


def test_inspect_does_not_save_over_a_changed_plan(program: Program, folder: Path) -> None:
    program("inspect", "a.csv", "--save", "p.toml", code=0)
    found = (folder / "p.toml").read_text()
    program("inspect", "a.csv", "--save", "p.toml", code=0)  # the same once more
    (folder / "p.toml").write_text(found + "# by hand\n")
    line = refused(program, "inspect", "a.csv", "--save", "p.toml")
    assert "exists already with other contents" in line
    assert "--force" in line
    program("inspect", "a.csv", "--save", "p.toml", "--force", code=0)
    assert (folder / "p.toml").read_text() == found
    assert "no folder" in refused(program, "inspect", "a.csv", "--save", "no/such/p.toml")
    assert "--save" in refused(program, "inspect", "a.csv", "--force")


def test_plan_saved_with_any_sheet_imports_other_files(program: Program, folder: Path) -> None:
    program("inspect", "a.csv", "--save", "named.toml", code=0)
    program("inspect", "a.csv", "--save", "any.toml", "--any-sheet", code=0)
    program("b.csv", "--schema", "named.toml", "-q", code=2)
    program("b.csv", "--schema", "any.toml", "-q", code=0)
