"""What is said at the end is what happened: verification, rows that are not in, replays, warnings of libraries."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_stopping import slow, until

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, Program
    from tests.conftest import Database

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def own_state(program: Program) -> None:
    program.environment["XDG_STATE_HOME"] = str(program.folder.parent / "state")


def outcome(ended: Ended) -> str:
    """The line that says how it ended."""
    return next(line for line in ended.lines if re.match(r"finished|already|gone|stopped", line))


# --verify.


def test_verification_is_shown_and_reported(program: Program, orders: Path, database: Database) -> None:
    options = ("orders.xlsx", "--db", database.url, "--verify", "--report", "r.json")
    ended = program(*options, code=0)
    said = "verified: the table holds what the sheet does, 300 rows in 2 columns compared"
    assert ended.lines.count(said) == 1
    report = json.loads((program.folder / "r.json").read_text())
    assert report["verified"] == {"rows": 300, "columns": 2, "not_compared": []}
    assert said in program("attach", code=0).lines
    again = program(*options, code=0)
    assert "note: nothing is written, so nothing is verified" in again.lines
    assert json.loads((program.folder / "r.json").read_text())["verified"] is None


def test_unverified_run_is_not_reported_as_verified(program: Program, orders: Path) -> None:
    assert "verified" not in program("orders.xlsx", "--db", "o.db", code=0).err
    dry = program("orders.xlsx", "--db", "p.db", "--dry-run", "--verify", code=0)
    assert "dry run: note: nothing is written, so nothing is verified" in dry.lines
    assert not any("verified: the table" in line for line in dry.lines)


# Rows that are in, and rows that are not.


def test_sheet_without_rows_is_not_reported_as_imported(program: Program, workbook: Callable[..., Path]) -> None:
    workbook("empty.xlsx", [["n", "word"]])
    ended = program("empty.xlsx", "--db", "e.db", code=0)
    assert outcome(ended) == "finished: no rows below the header"
    again = program("empty.xlsx", "--db", "e.db", code=0)
    assert "which found no rows: nothing was written" in again.err
    assert not any(re.search(r"\bis in\b|already imported", line) for line in (*ended.lines, *again.lines))


def test_import_with_only_rejected_rows_is_not_reported_as_imported(
    program: Program, workbook: Callable[..., Path]
) -> None:
    workbook("bad.xlsx", [["n"], ["x"], ["y"]])
    options = ("bad.xlsx", "--db", "b.db", "--type", "n=integer")
    assert outcome(program(*options, code=3)) == "finished: 2 rows rejected, no row is in"
    again = program(*options, "--report", "-", code=0)
    assert "which rejected every row: nothing was written" in again.err
    assert "already imported" not in again.err
    stats = json.loads(again.out)["stats"]
    assert (stats["total_records"], stats["skipped"], stats["error_count"]) == (2, 0, 2)


def test_skipped_rows_are_not_reported_as_imported(program: Program, workbook: Callable[..., Path]) -> None:
    workbook("sums.xlsx", [["item", "amount"], ["a", 1], ["b", 2], ["Total", 3]])
    ended = program("sums.xlsx", "--db", "s.db", code=0)
    assert outcome(ended) == "finished: 1 row skipped, every other row is in"


def test_resumed_run_counts_the_rows_of_the_crashed_run(program: Program, orders: Path) -> None:
    run = slow(program)
    until(run, "batch_committed")
    run.kill()
    run.communicate()
    ended = program("orders.xlsx", "--db", "o.db", "--report", "-", code=0)
    assert outcome(ended) == "finished: every row is in"
    stats = json.loads(ended.out)["stats"]
    assert stats["already_in"] == stats["skipped"] > 0
    again = program("orders.xlsx", "--db", "o.db", code=0)
    assert outcome(again).startswith("already imported by run ")


# Leaving a replay.


def test_interrupted_replay_exits_with_0(program: Program, orders: Path) -> None:
    run = slow(program)
    until(run, "batch_committed")
    run.kill()
    run.communicate()
    viewer = program.start("replay", "--speed", "0.01", "--no-ui")
    assert viewer.stderr is not None
    assert viewer.stderr.readline().startswith("importing ")
    viewer.send_signal(2)
    _, err = viewer.communicate(timeout=60)
    assert viewer.returncode == 0
    assert "Traceback" not in err
    assert "died" not in err


# Warnings of libraries.


@pytest.fixture
def workbook_with_warning(orders: Path, program: Program) -> Path:
    """A workbook of which openpyxl says that it does not know everything in it."""
    path = program.folder / "warned.xlsx"
    unknown = (
        b'<extLst><ext xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main" '
        b'uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}"/></extLst></worksheet>'
    )
    with zipfile.ZipFile(orders) as book, zipfile.ZipFile(path, "w") as made:
        for name in book.namelist():
            made.writestr(name, book.read(name).replace(b"</worksheet>", unknown))
    return path


WARNING = "Data Validation extension is not supported"
READ = ("warned.xlsx", "--db", "w.db", "--reader", "openpyxl")


@pytest.mark.parametrize("style", [(), ("-q",), ("--plain",), ("--log-format", "json")])
def test_warnings_of_libraries_do_not_reach_the_terminal(
    program: Program, workbook_with_warning: Path, style: tuple[str, ...]
) -> None:
    assert WARNING not in program.anew(*READ, *style, code=0).err
    assert WARNING not in program.anew("inspect", "warned.xlsx", "--reader", "openpyxl", code=0).err


def test_warnings_of_libraries_are_shown_with_verbose(program: Program, workbook_with_warning: Path) -> None:
    [line] = [line for line in program.anew(*READ, "-v", code=0).lines if WARNING in line]
    assert line.startswith("debug: tui_importer.libraries: UserWarning: ")
    ended = program.anew(*READ, "--again", "-v", "--log-format", "json", code=0)
    [said] = [said for said in map(json.loads, ended.lines) if said["event"] == "logged" and WARNING in said["message"]]
    assert (said["level"], said["logger"]) == ("debug", "tui_importer.libraries")


def test_api_callers_control_library_warnings(program: Program, workbook_with_warning: Path) -> None:
    code = f"""
import logging, warnings
before = warnings.showwarning, list(warnings.filters), logging.lastResort, list(logging.getLogger().handlers)
from tui_importer import Plan, Source, Target, run_import
with warnings.catch_warnings(record=True) as heard:
    run_import(Plan(source=Source(file="warned.xlsx", reader="openpyxl"), target=Target(database="api.db")))
assert any({WARNING!r} in str(warning.message) for warning in heard)
assert before == (warnings.showwarning, list(warnings.filters), logging.lastResort, logging.getLogger().handlers)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=program.folder,
        env=program.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
