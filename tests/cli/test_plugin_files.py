"""Plugins that are a file: they are used like installed ones, in every process of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import sqlite_database

if TYPE_CHECKING:
    from tests.cli.conftest import Program

PLUGIN = """
from tui_importer import StrategySpec, hookimpl
from tui_importer.strategies.batched import Batched

class Mine(Batched):
    pass

@hookimpl
def tui_importer_strategies():
    return [StrategySpec("mine", "my own", Mine)]
"""


@pytest.fixture
def place(program: Program) -> Path:
    (program.folder / "mine.py").write_text(PLUGIN)
    for name in ("a", "b"):
        (program.folder / f"{name}.csv").write_text("n\n1\n2\n")
    return program.folder


def test_strategy_from_a_plugin_file_runs_the_import(program: Program, place: Path) -> None:
    ended = program("a.csv", "--plugin", "mine.py", "--strategy", "mine", "--no-ui", "--report", "-", code=0)
    report = json.loads(ended.out)
    assert (report["method"], report["stats"]["inserted"]) == ("mine", 2)


@pytest.mark.once
def test_plugin_file_is_loaded_in_parallel_processes(program: Program, place: Path) -> None:
    options = ("--plugin", "mine.py", "--strategy", "mine", "--jobs", "2", "--table", "t", "--db", "t.db", "--no-ui")
    program("a.csv", "b.csv", *options, code=0)
    assert sqlite_database(place / "t.db").scalar("SELECT count(*) FROM t") == 4


def test_command_to_repeat_the_run_includes_the_plugin_file(program: Program, place: Path) -> None:
    options = ("--plugin", "mine.py", "--strategy", "mine", "--max-rejects", "0", "--type", "n=date", "--no-ui")
    ended = program("a.csv", *options)
    assert f"--plugin {place / 'mine.py'}" in " ".join(program("runs", code=0).out.split()), ended.err


def test_plugin_file_is_listed(program: Program, place: Path) -> None:
    listed = json.loads(program("plugins", "--plugin", "mine.py", "--json", code=0).out)
    [mine] = [each for each in listed if each["name"] == "mine"]
    assert (mine["distribution"], mine["version"], mine["state"]) == ("mine.py", "file", "active")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("x = 1", "ValueError: it has none of the hooks"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_invalid_plugin_file_is_refused_in_one_line(program: Program, place: Path, code: str, why: str) -> None:
    (place / "mine.py").write_text(code)
    ended = program("a.csv", "--plugin", "mine.py", "--no-ui", code=2)
    assert len(ended.lines) == 1
    assert f"{place / 'mine.py'}: cannot be used as a plugin: {why}" in ended.err
    assert not (place / "a.db").exists()


@pytest.mark.once
def test_check_says_whether_a_plugin_keeps_the_contract(program: Program) -> None:
    (program.folder / "lazy.py").write_text(
        PLUGIN.replace("    pass\n", "    def run(self, job):\n        next(job.batches())\n").replace("mine", "lazy")
    )
    ended = program("plugins", "--plugin", "lazy.py", "--check", "lazy", code=1)
    assert ended.out.startswith("strategy lazy: breaks the contract: ")
    assert program("plugins", "--check", "processes", code=0).out == "executor processes: keeps the contract\n"
    assert "did you mean 'batched'?" in program("plugins", "--check", "bached", code=2).err
    assert "tui_importer.testing.check_backend" in program("plugins", "--check", "sqlite", code=2).err
