"""``tui-importer runs``: what ran, how it ended, and how to resume it."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.cli.test_stopping import slow, until
from tui_importer import Options, Plan, Source, Target, save_plan
from tui_importer.cli.import_files import command as import_command
from tui_importer.cli.plan import build_plan
from tui_importer.core.model.formats import ColumnFormat, Formats
from tui_importer.plugins.registry import load_registry
from tui_importer.text.command import command_of, commands_of

if TYPE_CHECKING:
    from tests.cli.conftest import Program
    from tests.conftest import Database


@pytest.fixture
def own_state(program: Program) -> None:
    program.environment["XDG_STATE_HOME"] = str(program.folder.parent / "state")


@pytest.mark.once
@pytest.mark.usefixtures("own_state")
def test_runs_are_listed_with_state_counts_and_resume_command(program: Program, orders: Path) -> None:
    assert program("runs", code=0).out == "no runs\n"
    program("orders.xlsx", "-q", code=0)
    died = slow(program)
    until(died, "batch_committed")
    died.kill()
    died.communicate()
    alive = program.start("orders.xlsx", "--db", "x.db", "--max-rate", "4", "--log-format", "json")
    until(alive, "batch_committed")
    runs: list[dict[str, Any]] = json.loads(program("runs", "--json", code=0).out)
    assert [run["state"] for run in runs] == ["running", "died, resumable", "complete"]
    assert [run["resume"] is None for run in runs] == [True, False, True]
    assert (runs[2]["inserted"], runs[2]["read"], runs[2]["rejected"]) == (300, 300, 0)
    out = program("runs", code=0).out
    assert "to resume it: tui-importer orders.xlsx --db o.db --max-rate 4 --no-ui" in out
    alive.send_signal(signal.SIGINT)
    alive.communicate(timeout=60)
    assert json.loads(program("runs", "--json", "--limit", "1", code=0).out)[0]["state"] == "stopped, resumable"
    # The command goes on with it.
    words = shlex.split(str(runs[1]["resume"]).replace("--max-rate 4", ""))
    ended = program(*words[1:], code=0)
    assert "resuming run" in ended.err
    assert program("runs", "--prune", "--older-than", "0", code=0).out == "removed 4 recordings\n"
    assert program("runs", code=0).out == "no runs\n"


@pytest.mark.once
def test_runs_are_listed_from_the_ledger(program: Program, orders: Path, database: Database) -> None:
    program("orders.xlsx", "--db", database.url, "-q", "--table", "orders", code=0)
    [run] = json.loads(program("runs", "--db", database.url, "--json", code=0).out)
    assert (run["state"], run["inserted"], run["table"], run["resume"]) == ("complete", 300, "orders", None)
    assert "complete" in program("runs", "--db", database.url, code=0).out


def test_a_database_without_a_ledger_has_no_runs(program: Program, database: Database) -> None:
    assert program("runs", "--db", database.url, code=0).out == "no runs\n"


def test_password_is_not_stored_in_recording_or_ledger(program: Program, orders: Path, postgres: Database) -> None:
    url = postgres.url.replace("postgres@", "postgres:s3cr3t@")
    state = program.folder.parent / "state"
    program("orders.xlsx", "--db", url, "-q", code=0, XDG_STATE_HOME=str(state))
    texts = [path.read_bytes() for path in state.rglob("*") if path.is_file()]
    assert len(texts) == 4
    assert not any(b"s3cr3t" in text for text in texts)
    assert not any("s3cr3t" in str(row) for row in postgres.fetch("SELECT * FROM tui_importer_run"))


PLANS = [
    Plan(source=Source(file="a b.xlsx")),
    Plan(
        source=Source(file="x.xlsx", sheet="Über 1", range="A1:C9", header_row=3, reader="openpyxl", limit=7),
        target=Target(database="x.db", table="t", mode="create"),
        options=Options(
            strategy="async",
            workers=3,
            batch_size=9,
            schema="infer",
            types={"a=b": "numeric(3,1)"},
            skip=("c d",),
            error_cells="text",
            max_rejects="5%",
            max_rate=2.5,
            timeout=9.0,
            connect_timeout=3.0,
            retry_for=0.0,
            ledger_schema="books",
            again=True,
            atomic=True,
            verify=True,
            dry_run=True,
        ),
        formats=Formats(
            all=ColumnFormat(date_format="dmy", null_if=("NA", "-", "a=b"), round=True),
            columns={
                "c d": ColumnFormat(decimal_mark=",", null_if=("x=y",), true_words=("ja",)),
                "e": ColumnFormat(round=True),
            },
        ),
    ),
    Plan(source=Source(file="x.csv", header_row=0), target=Target(database="x.db")),
    Plan(
        source=Source(file="x.csv", totals="keep"),
        target=Target(database="x.db", mode="upsert", key=("a b", "-c"), on_conflict="update", update=("d",)),
        options=Options(
            rename={"a=b": "c d", "-e": "f"},
            set={"g h": "-i=j", "k": "", "l": "{row}"},
            extra_columns="add",
            executor="mine",
            uncalculated="null",
        ),
    ),
    Plan(source=Source(file="x.csv"), target=Target(database="x.db", key=("id",), on_conflict="skip")),
]


@pytest.mark.parametrize("plan", PLANS)
def test_command_of_a_plan_builds_an_equal_plan(plan: Plan) -> None:
    words = shlex.split(command_of(plan, plan.target.database or "x.db"))
    context = import_command.make_context("import", words[1:])
    given = dict(context.params)
    files = given.pop("files")
    made: Callable[..., Plan] = build_plan
    target = msgspec.structs.replace(plan.target, database=plan.target.database or "x.db")
    assert made(files, given, load_registry(found=[])) == Plan(
        source=plan.source, target=target, options=plan.options, formats=plan.formats
    )


def test_undecodable_plan_file_name_is_quoted_for_the_shell() -> None:
    given = Plan(source=Source(file="a.csv"))
    [command] = {*commands_of([given], "it's \\ p\udce9.toml")}
    assert command == r"tui-importer a.csv --db a.db --schema $'it\'s \\ p\xe9.toml' --no-ui"


def test_imports_that_differ_only_in_their_file_share_one_command() -> None:
    one = Plan(source=Source(file="a b.csv", delimiter=";"), target=Target(table="t"))
    other = Plan(source=Source(file="c.csv", delimiter=";"), target=Target(table="t"))
    own = [
        "tui-importer 'a b.csv' --db 'a b.db' --delimiter ';' --table t --no-ui",
        "tui-importer c.csv --db c.db --delimiter ';' --table t --no-ui",
    ]
    assert commands_of([one]) == (own[0], own[0])
    assert commands_of([one, other]) == ("tui-importer 'a b.csv' c.csv --delimiter ';' --table t --no-ui", *own)
    sheet = Plan(source=Source(file="c.csv", sheet="S"), target=Target(table="t"))
    assert commands_of([one, sheet])[0] == f"{own[0]}; tui-importer c.csv --db c.db --sheet S --table t --no-ui"


def test_a_file_is_read_as_the_plan_file_describes_it(tmp_path: Path) -> None:
    sources = (Source(file="a.xlsx", sheet="A"), Source(file="b.xlsx", sheet="B", header_row=3))
    save_plan(Plan(source=sources[0], further_sources=sources[1:], target=Target(table="t")), tmp_path / "p.toml")
    given = {"schema": str(tmp_path / "p.toml"), "limit": 9}
    plan = build_plan(["b.xlsx", "c.xlsx"], given, load_registry(found=[]))
    assert plan.target.table == "t"
    assert plan.sources == (
        Source(file="b.xlsx", sheet="B", header_row=3, limit=9),
        Source(file="c.xlsx", sheet="A", limit=9),
    )


@pytest.mark.usefixtures("own_state")
def test_several_files_are_listed_as_one_run(program: Program, orders: Path, workbook: Callable[..., Path]) -> None:
    for first, name in enumerate(("a.xlsx", "b.xlsx")):
        workbook(name, [["n"], *[[first + number] for number in range(9)], ["#"]])
    ended = program("a.xlsx", "orders.xlsx", "b.xlsx", "--db", "x.db", "--type", "n=integer", "--no-ui")
    assert ended.code == 2  # the orders have no column n, and the others are imported all the same
    assert "source 3: b.xlsx into x.db" in ended.err
    assert "3 sources: 2 complete, with rejects; 1 failed" in ended.err
    assert "tui-importer: orders.xlsx: --type: the sheet has no column 'n'" in ended.err
    [run] = json.loads(program("runs", "--json", code=0).out)
    assert (run["state"], run["read"], run["inserted"], run["rejected"]) == ("failed", 20, 18, 2)
    assert run["file"] == "a.xlsx, orders.xlsx, b.xlsx"
    assert run["resume"] == "tui-importer a.xlsx orders.xlsx b.xlsx --db x.db --type n=integer --no-ui"
    in_ledger = json.loads(program("runs", "--db", "x.db", "--json", code=0).out)
    assert [run["run_id"] for run in in_ledger] == [f"{run['run_id']}.3", f"{run['run_id']}.1"]
    # Rows of two files were rejected, each in a workbook of its own.
    assert (program.folder / "a.rejects.xlsx").exists()
    assert (program.folder / "b.rejects.xlsx").exists()
    assert f"name one of them, {run['run_id']}.1 or {run['run_id']}.3" in program("rejects", code=2).err
    assert "1 row written to third.xlsx" in program("rejects", f"{run['run_id']}.3", "-o", "third.xlsx", code=0).err
    # Each import claims, resumes and completes for itself.
    program("a.xlsx", "b.xlsx", "--db", "x.db", "--type", "n=integer", "-q", "--report", "r.json", code=0)
    report = json.loads((program.folder / "r.json").read_text())
    assert (report["outcome"], [each["resumes"] for each in report["imports"]]) == (
        "already_imported",
        [f"{run['run_id']}.1", f"{run['run_id']}.3"],
    )


@pytest.mark.once
@pytest.mark.usefixtures("own_state")
def test_killed_run_of_several_files_is_resumed(program: Program, orders: Path, workbook: Callable[..., Path]) -> None:
    workbook("a.xlsx", [["a"], ["x"]])
    words = ("a.xlsx", "orders.xlsx", "--db", "o.db")
    died = program.start(*words, "--max-rate", "4", "--batch-size", "2", "--log-format", "json")
    until(died, "loading_started")
    until(died, "loading_started")
    until(died, "batch_committed")
    died.kill()
    died.communicate()
    [run] = json.loads(program("runs", "--json", code=0).out)
    assert run["state"] == "died, resumable"
    program(*words, "-q", "--report", "r.json", code=0)
    report = json.loads((program.folder / "r.json").read_text())
    assert [each["outcome"] for each in report["imports"]] == ["already_imported", "complete"]
    assert [each["resumes"] for each in report["imports"]] == [f"{run['run_id']}.1", f"{run['run_id']}.2"]
    runs = json.loads(program("runs", "--json", code=0).out)
    assert [run["state"] for run in runs] == ["complete", "died, resumed"]
