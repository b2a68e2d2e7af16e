"""Runs seen again: live, ended, died, played once more, and their rejects written anew."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest

from tests.cli.test_stopping import slow, until

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, Program

pytestmark = pytest.mark.once

BAD = list(range(5, 200, 20))


@pytest.fixture(autouse=True)
def own_state(program: Program) -> Path:
    """Recordings of this test alone."""
    state = program.folder.parent / "state"
    program.environment["XDG_STATE_HOME"] = str(state)
    return state / "tui-importer" / "runs"


@pytest.fixture
def workbook_with_rejects(workbook: Callable[..., Path]) -> Path:
    """200 numbers, ten of them none."""
    rows = [[f"x{number}" if number in BAD else number, f"word {number}"] for number in range(200)]
    return workbook("bad.xlsx", [["n", "word"], *rows])


INTEGERS = ("--type", "n=integer")


def ids(program: Program) -> list[str]:
    runs: list[dict[str, Any]] = json.loads(program("runs", "--json", code=0).out)
    return [str(run["run_id"]) for run in runs]


def test_attach_shows_an_ended_run(program: Program, workbook_with_rejects: Path, own_state: Path) -> None:
    first = program("bad.xlsx", "--no-ui", *INTEGERS, code=3)
    [run_id] = ids(program)
    for arguments in (["attach"], ["attach", run_id], ["attach", run_id[:-3]], ["replay", "--speed", "1000"]):
        again = program(*arguments, "--no-ui", code=3)
        assert again.out == ""
        # What was said then but each single reject, which the summary groups; and where everything is.
        assert {line for line in first.lines if not line.startswith("rejected: ")} <= set(again.lines)
        assert f"report: {own_state / run_id / 'report.json'}" in again.lines
        assert "to repeat it: tui-importer bad.xlsx --db bad.db --type n=integer --no-ui" in again.lines
    assert program("attach", code=3).lines == program("attach", "--no-ui", code=3).lines, "there is no terminal"


def test_unknown_run_is_refused(program: Program, orders: Path) -> None:
    for command in ("attach", "replay", "rejects"):
        assert "no run is recorded yet" in program(command, code=2).err
    program("orders.xlsx", "-q", code=0)
    for command in ("attach", "replay", "rejects"):
        ended = program(command, "1999", code=2)
        [line] = ended.lines
        assert "there is no run '1999': 'tui-importer runs' lists those that are recorded" in line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_several_viewers_follow_a_live_run_to_its_end(program: Program, orders: Path, number: int) -> None:
    run = slow(program)
    until(run, "batch_committed")
    viewers = [program.start("attach", "--no-ui") for _ in range(2)]
    for viewer in viewers:
        assert viewer.stderr is not None
        # It has read so far, and the run goes on.
        assert next(line for line in viewer.stderr if line.startswith("writing into"))
    gone = program.start("attach", "--no-ui")
    gone.send_signal(signal.SIGKILL)
    gone.communicate(timeout=60)
    run.send_signal(number)
    run.communicate(timeout=60)
    for viewer in viewers:
        _, err = viewer.communicate(timeout=60)
        assert viewer.returncode == run.returncode == 128 + number
        assert "stopped before the end" in err
        assert "to resume it: tui-importer orders.xlsx --db o.db --max-rate 4 --no-ui" in err.splitlines()


def test_stopping_a_viewer_does_not_stop_the_run(program: Program, orders: Path) -> None:
    run = slow(program)
    until(run, "batch_committed")
    viewer = program.start("attach", "--no-ui")
    assert viewer.stderr is not None
    assert next(line for line in viewer.stderr if line.startswith("writing into"))
    viewer.send_signal(signal.SIGINT)
    _, err = viewer.communicate(timeout=60)
    assert viewer.returncode == 130
    assert "Traceback" not in err
    assert run.poll() is None
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)


def test_attach_reports_a_dead_run(program: Program, orders: Path) -> None:
    run = slow(program)
    until(run, "batch_committed")
    viewer = program.start("attach", "--no-ui")
    run.kill()
    run.communicate()
    _, err = viewer.communicate(timeout=60)
    assert viewer.returncode == 4
    [run_id] = ids(program)
    for lines in (err.splitlines(), program("attach", code=4).lines, program("replay", "--speed", "99", code=4).lines):
        assert f"run {run_id} died: the same command goes on from there" in lines
        assert lines[-1] == "to resume it: tui-importer orders.xlsx --db o.db --max-rate 4 --no-ui"


def test_live_run_can_be_replayed_up_to_now(program: Program, orders: Path) -> None:
    run = slow(program)
    until(run, "batch_committed")
    [run_id] = ids(program)
    replayed = program("replay", "--speed", "99", "--no-ui", code=0)
    assert f"run {run_id} goes on without you" in replayed.lines
    assert not any("died" in line for line in replayed.lines)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)


def test_replay_speed_must_be_positive(program: Program, orders: Path) -> None:
    for speed in ("0", "-1", "fast"):
        assert "--speed" in program("replay", "--speed", speed, code=2).err


# Rejects.


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    sheet = openpyxl.load_workbook(path).worksheets[0]
    return [tuple(cell.value for cell in row) for row in sheet.iter_rows()]


def test_rejects_command_writes_the_same_file_as_the_run(program: Program, workbook_with_rejects: Path) -> None:
    program("bad.xlsx", "--no-ui", *INTEGERS, code=3)
    there = rows_of(program.folder / "bad.rejects.xlsx")
    assert len(there) == 1 + len(BAD)
    [run_id] = ids(program)
    ended = program("rejects", run_id, "-o", "mend.xlsx", code=0)
    assert (ended.out, ended.lines) == ("", ["10 rows written to mend.xlsx"])
    assert rows_of(program.folder / "mend.xlsx") == there
    (program.folder / "bad.rejects.xlsx").unlink()
    assert program("rejects", code=0).lines[0].startswith("10 rows written to ")
    assert rows_of(program.folder / "bad.rejects.xlsx") == there


def test_rejects_command_does_not_overwrite_other_files(
    program: Program, workbook_with_rejects: Path, orders: Path
) -> None:
    before = workbook_with_rejects.read_bytes()
    program("bad.xlsx", "-q", *INTEGERS, code=3)
    for where in ("bad.xlsx", "no/such/folder/x.xlsx", "x.docx"):
        ended = program("rejects", "-o", where, code=2)
        assert len(ended.lines) == 1
    assert workbook_with_rejects.read_bytes() == before
    program("orders.xlsx", "-q", code=0)
    assert "has rejected no row" in program("rejects", code=2).err


def test_rejects_command_works_for_live_crashed_and_resumed_runs(program: Program, workbook_with_rejects: Path) -> None:
    options = ["bad.xlsx", "--db", "b.db", *INTEGERS, "--batch-size", "20"]
    run = program.start(*options, "--max-rate", "5", "--log-format", "json")
    until(run, "row_rejected")
    live = program("rejects", "-o", "live.xlsx", code=0)
    run.kill()
    run.communicate()
    died = program("rejects", "-o", "died.xlsx", code=0)
    assert 1 <= count(live) <= count(died) < len(BAD)
    resumed = program(*options, "--no-ui", code=3)
    assert "resuming run" in resumed.err
    assert "rejected 10" in resumed.err
    # All of the import's, as in the file that the run itself has written, and none is told a second time.
    assert count(program("rejects", "-o", "all.xlsx", code=0)) == len(BAD)
    assert rows_of(program.folder / "all.xlsx") == rows_of(program.folder / "bad.rejects.xlsx")
    said = [line for line in resumed.lines if line.startswith("rejected: Sheet1!")]
    assert not any("Sheet1!A7 " in line for line in said)


def count(ended: Ended) -> int:
    return int(ended.lines[0].split()[0])


def test_viewing_commands_are_not_listed_as_runs(program: Program, workbook_with_rejects: Path) -> None:
    program("bad.xlsx", "-q", *INTEGERS, code=3)
    program("bad.xlsx", "-q", *INTEGERS, code=0)
    listed = program("runs", "--json", code=0).out
    for command in (["attach"], ["replay", "--speed", "99"]):
        program(*command, ids(program)[1], code=3)
    program("rejects", ids(program)[1], code=0)
    assert program("runs", "--json", code=0).out == listed, "to look at a run is no run"
    assert [run["state"] for run in json.loads(listed)] == ["already imported", "complete"]


# What is loaded.

UI = {"textual", "rich"}


def loaded(program: Program, *arguments: str) -> tuple[int, set[str]]:
    """The exit code of a command, and the modules that a fresh interpreter has loaded at its end."""
    code = (
        "import sys, os; from tui_importer.cli import main; leave = os._exit\n"
        "def show(code): print('LOADED', code, *sys.modules, flush=True); leave(0)\n"
        f"main.os._exit = show; main.main({list(arguments)!r})"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        cwd=program.folder,
        env=program.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    exit_code, *modules = out.rpartition("LOADED ")[2].split()
    return int(exit_code), set(modules)


def top_level_packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_headless_commands_do_not_import_the_dashboard(program: Program, workbook_with_rejects: Path) -> None:
    for arguments, expected in (
        (["bad.xlsx", "--no-ui", *INTEGERS], 3),
        (["bad.xlsx", *INTEGERS], 0),
        (["attach", "--no-ui"], 0),
        (["replay", "--no-ui", "--speed", "99"], 0),
        (["runs"], 0),
        (["inspect", "bad.xlsx"], 0),
    ):
        code, modules = loaded(program, *arguments)
        assert code == expected, arguments
        assert top_level_packages(modules).isdisjoint(UI), arguments
        assert not {name for name in modules if name.startswith("tui_importer.tui")}, arguments


def test_viewing_a_run_imports_no_driver_and_no_reader(program: Program, workbook_with_rejects: Path) -> None:
    program("bad.xlsx", "-q", *INTEGERS, code=3)
    for command in (["attach", "--no-ui"], ["replay", "--no-ui", "--speed", "99"], ["runs"]):
        code, modules = loaded(program, *command)
        assert code in (0, 3)
        assert top_level_packages(modules).isdisjoint(
            {"sqlalchemy", "psycopg", "aiosqlite", "openpyxl", "python_calamine"}
        ), command


def test_version_option_imports_few_modules(program: Program) -> None:
    code, modules = loaded(program, "--version")
    assert code == 0
    assert {name for name in modules if name.startswith("tui_importer")} <= {
        "tui_importer",
        "tui_importer.cli",
        "tui_importer.cli.main",
        "tui_importer.cli.process_list",
        "tui_importer.console",
        "tui_importer.console.print_error",
        "tui_importer.console.lines",
        "tui_importer.text",
        "tui_importer.text.safe",
        "tui_importer.console.terminals",
        "tui_importer.core",
        "tui_importer.core.model",
        "tui_importer.core.model.patterns",
        "tui_importer.core.model.url",
        "tui_importer.errors",
        "tui_importer.process",
        "tui_importer.process.interpreter",
    }
    assert top_level_packages(modules).isdisjoint(
        {"msgspec", "pluggy", "sqlalchemy", "psycopg", "openpyxl", "asyncio", *UI}
    )


def test_without_arguments_or_terminal_usage_is_printed(program: Program) -> None:
    for terminal in ("", "dumb", "xterm-256color"):
        ended = program(TERM=terminal)
        assert "Usage: tui-importer" in ended.out + ended.err
        assert "Examples:" in ended.out + ended.err
    assert program.files() == set()
