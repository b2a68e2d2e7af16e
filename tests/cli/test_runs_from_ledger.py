"""``tui-importer runs`` says the same of a run, whether its recording or the ledger of its database is asked."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.test_stopping import until

if TYPE_CHECKING:
    from tests.cli.conftest import Program
    from tests.conftest import Database

pytestmark = pytest.mark.once

COUNTS = ("read", "inserted", "updated", "skipped", "rejected")


@pytest.fixture(autouse=True)
def own_state(program: Program) -> None:
    program.environment["XDG_STATE_HOME"] = str(program.folder.parent / "state")


def runs(program: Program, *options: str, **environment: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(program("runs", "--json", *options, code=0, **environment).out)
    return found


def killed_and_resumed_runs(program: Program, database: Database) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The runs after one was killed, as both sources tell them, and after others have gone on with it."""
    options = ("orders.xlsx", "--db", database.url, "--table", "orders", "--batch-size", "10")
    for number in (signal.SIGKILL, signal.SIGINT):
        run = program.start(*options, "--max-rate", "20", "--log-format", "json")
        until(run, "batch_committed")
        deadline = time.monotonic() + 60
        while (
            runs(program)[0]["inserted"] is None
        ):  # counters are recorded now and then, and a killed run has no others
            assert time.monotonic() < deadline
        run.send_signal(number)
        run.communicate(timeout=60)
        if number == signal.SIGKILL:
            assert runs(program) == runs(program, "--db", database.url)
            [died] = runs(program)
            assert (died["state"], died["at_least"]) == ("died, resumable", True)
            assert died["resume"].startswith("tui-importer orders.xlsx")
    program(*options, "-q", code=0)
    return runs(program), runs(program, "--db", database.url)


def test_runs_from_recordings_and_from_the_ledger_are_equal(program: Program, orders: Path, database: Database) -> None:
    recorded, of_ledger = killed_and_resumed_runs(program, database)
    assert recorded == of_ledger
    assert [run["state"] for run in recorded] == ["complete", "stopped, resumed", "died, resumed"]
    assert [run["resume"] for run in recorded] == [None] * 3
    for run in recorded[:2]:
        assert run["read"] == sum(run[name] for name in COUNTS[1:])
    assert program("runs", code=0).out == program("runs", "--db", database.url, code=0).out


def test_runs_from_the_ledger_without_recordings_match(program: Program, orders: Path, database: Database) -> None:
    """As on another machine, which has no recordings."""
    recorded, _ = killed_and_resumed_runs(program, database)
    elsewhere = str(program.folder.parent / "elsewhere")
    alone = runs(program, "--db", database.url, XDG_STATE_HOME=elsewhere)
    told = ("run_id", "state", "database", "table", "resume")
    for theirs, ours in zip(alone, recorded, strict=True):
        assert {name: theirs[name] for name in told} == {name: ours[name] for name in told}
    for theirs, ours in zip(alone[:2], recorded[:2], strict=True):
        assert {name: theirs[name] for name in COUNTS} == {name: ours[name] for name in COUNTS}
    # What died could not count up to its end; the run that took over has.
    assert recorded[2]["inserted"] <= alone[2]["inserted"] < 300
    assert alone[2]["read"] == alone[2]["inserted"]


def test_running_and_crashed_runs_are_distinguished(program: Program, orders: Path, database: Database) -> None:
    options = ("orders.xlsx", "--db", database.url, "--max-rate", "20", "--batch-size", "10", "--log-format", "json")
    run = program.start(*options)
    until(run, "batch_committed")
    elsewhere = str(program.folder.parent / "elsewhere")
    for environment in ({}, {"XDG_STATE_HOME": elsewhere}):
        [alive] = runs(program, "--db", database.url, **environment)
        assert (alive["state"], alive["resume"]) == ("running", None)
    run.kill()
    run.communicate()
    for environment in ({}, {"XDG_STATE_HOME": elsewhere}):
        [died] = runs(program, "--db", database.url, **environment)
        assert died["state"] == "died, resumable"
        assert died["resume"].startswith("tui-importer orders.xlsx")


def test_dry_run_and_repeated_import_are_listed_with_their_states(program: Program, orders: Path) -> None:
    program("orders.xlsx", "--db", "o.db", "--dry-run", "-q", code=0)
    program("orders.xlsx", "--db", "o.db", "-q", code=0)
    program("orders.xlsx", "--db", "o.db", "-q", code=0)
    assert [run["state"] for run in runs(program)] == ["already imported", "complete", "dry run, complete"]
    dry = program("runs", code=0).out.splitlines()[-1]
    assert "would be 300" in dry
    assert [run["state"] for run in runs(program, "--db", "o.db")] == ["complete"]
