"""``tui-importer runs``: what ran, how it ended, and how to go on."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.test_stopping import slow, until
from tui_importer import Options, Plan, Source, Target
from tui_importer.cli.import_files import command as import_command
from tui_importer.cli.options import build_plan
from tui_importer.text.command import command_of

if TYPE_CHECKING:
    from tests.cli.conftest import Program
    from tests.conftest import Database


@pytest.fixture
def own_state(program: Program) -> None:
    program.environment["XDG_STATE_HOME"] = str(program.folder.parent / "state")


@pytest.mark.once
@pytest.mark.usefixtures("own_state")
def test_runs_are_listed_with_state_counts_and_how_to_go_on(program: Program, orders: Path) -> None:
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
    assert "to go on: tui-importer orders.xlsx --db o.db --max-rate 4 --no-ui" in out
    alive.send_signal(signal.SIGINT)
    alive.communicate(timeout=60)
    assert json.loads(program("runs", "--json", "--limit", "1", code=0).out)[0]["state"] == "stopped, resumable"
    # The command goes on with it.
    words = shlex.split(str(runs[1]["resume"]).replace("--max-rate 4", ""))
    ended = program(*words[1:], code=0)
    assert "going on with run" in ended.err
    assert program("runs", "--prune", "--older-than", "0", code=0).out == "removed 4 recordings\n"
    assert program("runs", code=0).out == "no runs\n"


@pytest.mark.once
def test_the_ledger_can_be_asked_too(program: Program, orders: Path, database: Database) -> None:
    program("orders.xlsx", "--db", database.url, "-q", "--table", "orders", code=0)
    [run] = json.loads(program("runs", "--db", database.url, "--json", code=0).out)
    assert (run["state"], run["inserted"], run["table"], run["resume"]) == ("complete", 300, "orders", None)
    assert "complete" in program("runs", "--db", database.url, code=0).out


def test_a_database_without_a_ledger_has_no_runs(program: Program, database: Database) -> None:
    assert program("runs", "--db", database.url, code=0).out == "no runs\n"


def test_a_password_is_not_kept(program: Program, orders: Path, postgres: Database) -> None:
    url = postgres.url.replace("postgres@", "postgres:s3cr3t@")
    state = program.folder.parent / "state"
    program("orders.xlsx", "--db", url, "-q", code=0, XDG_STATE_HOME=str(state))
    texts = [path.read_bytes() for path in state.rglob("*") if path.is_file()]
    assert len(texts) == 3
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
    ),
    Plan(source=Source(file="x.csv", header_row=0), target=Target(database="x.db")),
]


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_is_what_its_command_makes(plan: Plan) -> None:
    words = shlex.split(command_of(plan, plan.target.database or "x.db"))
    context = import_command.make_context("import", words[1:])
    given = dict(context.params)
    [file] = given.pop("files")
    made: Callable[..., Plan] = build_plan
    target = Target(database=plan.target.database or "x.db", table=plan.target.table, mode=plan.target.mode)
    assert made(file, given) == Plan(source=plan.source, target=target, options=plan.options)
