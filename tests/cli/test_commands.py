"""The other commands."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Program
    from tests.conftest import Database

HEAVY = ("sqlalchemy", "psycopg", "openpyxl", "textual", "rich", "python_calamine", "sqlite3", "asyncio", "aiosqlite")


def test_version_option_imports_no_heavy_module(program: Program) -> None:
    assert program.anew("--version", code=0).out == f"tui-importer, version {version('tui-importer')}\n"
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tui_importer", "--version"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in loaded.splitlines()}
    assert "click" in modules
    assert modules.isdisjoint(HEAVY)


@pytest.mark.parametrize("command", [[], ["import"], ["inspect"], ["bench"], ["plugins"], ["serve"]])
def test_help_fits_a_terminal(program: Program, command: list[str]) -> None:
    lines = program(*command, "--help", code=0).out.splitlines()
    assert lines[0].startswith("Usage: tui-importer")
    assert max(map(len, lines)) <= 80


def test_usage_is_printed_without_arguments(program: Program) -> None:
    assert "Usage: tui-importer" in (ended := program()).out + ended.err


def test_headless_import_does_not_import_the_user_interface(program: Program, orders: Path) -> None:
    code = (
        "import sys, os; from tui_importer.cli import main; leave = os._exit\n"
        "def show(code): print(code, *{one.partition('.')[0] for one in sys.modules}, flush=True); leave(code)\n"
        "main.os._exit = show; main.main(['orders.xlsx', '--no-ui', '-q'])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        cwd=program.folder,
        env=program.environment,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert out.startswith("0 ")
    assert "sqlite3" in out.split()
    for module in ("textual", "rich", "psycopg", "sqlalchemy", "secrets"):
        assert module not in out.split()


def test_inspect_shows_and_saves_the_plan_of_an_import(program: Program, orders: Path, sqlite: Database) -> None:
    ended = program("inspect", "orders.xlsx", "--save", "plan.toml", code=0)
    assert "number" in ended.out
    assert "integer" in ended.out
    assert program.files() == {"orders.xlsx", "plan.toml"}
    program("orders.xlsx", "-q", "--schema", "plan.toml", "--db", sqlite.url, "--table", "saved", code=0)
    program("orders.xlsx", "-q", "--db", sqlite.url, "--table", "direct", code=0)
    assert sqlite.fetch("SELECT * FROM saved EXCEPT SELECT * FROM direct") == []
    assert sqlite.scalar("SELECT count(*) FROM saved") == 300


def test_manually_edited_plan_is_applied(program: Program, orders: Path, sqlite: Database) -> None:
    program("inspect", "orders.xlsx", "--save", "plan.toml", code=0)
    plan = program.folder / "plan.toml"
    text = plan.read_text().replace('target = "customer"', 'target = "buyer", required = true')
    plan.write_text(
        text.replace('target = "number"', 'target = "no"').replace("[options]", "[options]\nbatch_size = 7")
    )
    program("orders.xlsx", "-q", "--schema", "plan.toml", "--db", sqlite.url, code=0)
    assert sqlite.fetch("SELECT no, buyer FROM orders WHERE no = 5") == [(5, "customer 5")]


@pytest.mark.once
def test_column_named_id_keeps_its_name(program: Program, workbook: Callable[..., Path], database: Database) -> None:
    """A table created for a sheet has exactly the columns of the sheet."""
    workbook("things.xlsx", [["ID", "Thing"], [7, "seven"], [8, "eight"]])
    for _ in range(2):
        ended = program("things.xlsx", "--db", database.url, "--again", code=0)
        assert "id" not in [word.strip("':,") for word in ended.err.split()]
    assert sorted(database.fetch("SELECT id, thing FROM things")) == [(7, "seven")] * 2 + [(8, "eight")] * 2


@pytest.mark.once
def test_bench_compares_strategies_and_removes_its_tables(program: Program, orders: Path, postgres: Database) -> None:
    for database in ([], ["--db", postgres.url]):
        out = program("bench", "orders.xlsx", *database, code=0).out
        for name in ("sequential", "threaded", "batched", "async"):
            assert f"\n{name} " in out
        assert out.count(": time: ") == 1
        assert out.splitlines()[-1].startswith("recommended: ")
    assert program.files() == {"orders.xlsx"}
    assert postgres.fetch("SELECT * FROM pg_tables WHERE schemaname = 'public'") == []


def test_bench_compares_the_numbers_that_are_given(program: Program, orders: Path) -> None:
    given = ("--strategy", "batched", "--batch-size", "auto", "--batch-size", "50", "--repeat", "2")
    found = json.loads(program("bench", "orders.xlsx", *given, "--json", code=0).out)
    assert [(each["setting"]["batch_size"], each["batch_size"]) for each in found["timings"]] == [
        (None, 2000),
        (50, 50),
    ]
    for each in found["timings"]:
        assert (each["rows"], each["inserted"]) == (300, 300)
        assert each["seconds"] > 0
        assert each["peak_memory"] is None or each["peak_memory"] > 10_000_000
        assert sum(each["stages"].values()) > 0
    assert found["recommended"]["options"] in ("", "--strategy batched --batch-size 50")
    assert program("bench", "orders.xlsx", "--workers", "0").code == 2


def test_plugins_are_listed(program: Program) -> None:
    lines = program("plugins", code=0).out.splitlines()
    assert [line.split()[:3] for line in lines[1:]][:4] == [
        ["reader", "calamine", "active"],
        ["reader", "openpyxl", "active"],
        ["reader", "csv", "active"],
        ["strategy", "sequential", "active"],
    ]


def test_broken_plugin_is_reported_and_does_not_stop_the_import(program: Program, orders: Path) -> None:
    site = program.folder.parent / "site"
    info = site / "broken_thing-2.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-thing\nVersion: 2.1\n")
    (info / "entry_points.txt").write_text("[tui_importer]\nbroken = broken_thing\n")
    (site / "broken_thing.py").write_text("raise RuntimeError('no luck today')")
    ended = program.anew("plugins", code=0, PYTHONPATH=str(site))
    assert "broken-thing" in ended.out
    assert "RuntimeError: no luck today" in ended.out
    [line] = program.anew("orders.xlsx", "-q", code=0, PYTHONPATH=str(site)).lines
    assert line == "tui-importer: plugin 'broken' of broken-thing is broken and left out: RuntimeError: no luck today"
    asked = program.anew("orders.xlsx", "-q", "--strategy", "broken", code=2, PYTHONPATH=str(site))
    assert "no luck today" in asked.lines[-1]
    disabled = program.anew(
        "orders.xlsx", "-q", "--db", "b.db", code=0, PYTHONPATH=str(site), TUI_IMPORTER_DISABLE_PLUGINS="broken"
    )
    assert disabled.err == ""


@pytest.mark.once
def test_csv_and_openpyxl_imports_complete(program: Program, workbook: Callable[..., Path], orders: Path) -> None:
    (program.folder / "more.csv").write_text("a;b\n1;x\n2;y\n")
    program("more.csv", "orders.xlsx", "-q", code=0)
    program("orders.xlsx", "-q", "--reader", "openpyxl", "--db", "c.db", code=0)
    assert {"more.db", "orders.db", "c.db"} <= program.files()
