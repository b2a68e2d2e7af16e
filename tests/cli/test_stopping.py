"""Signals and limits: what the report says is in the table is exactly what is in the table."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tui_importer.process.signals import LEAVE_WITHIN

if TYPE_CHECKING:
    from tests.cli.conftest import Program
    from tests.conftest import Database

pytestmark = pytest.mark.once


def until(process: subprocess.Popen[str], event: str) -> list[dict[str, Any]]:
    """Read the process's JSON lines until one is of this event."""
    said = []
    assert process.stderr is not None
    for line in process.stderr:
        said.append(json.loads(line))
        if said[-1]["event"] == event:
            return said
    raise AssertionError(f"no {event} in {said}")


def slow(program: Program, *options: str) -> subprocess.Popen[str]:
    """An import of 300 rows that takes 75 seconds unless it is stopped."""
    return program.start(
        "orders.xlsx", "--db", "o.db", "--max-rate", "4", "--log-format", "json", "--report", "r.json", *options
    )


def in_table(program: Program) -> int:
    with closing(sqlite3.connect(program.folder / "o.db")) as database:
        [[rows]] = database.execute("SELECT count(*) FROM orders").fetchall()
        return int(rows)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("strategy", ["sequential", "batched", "async"])
def test_first_signal_finishes_batches_in_flight_and_reports(
    program: Program, orders: Path, strategy: str, number: int, code: int
) -> None:
    process = slow(program, "--strategy", strategy)
    until(process, "batch_committed")
    process.send_signal(signal.SIGHUP)  # a terminal that closes ends no run
    process.send_signal(number)
    said = until(process, "run_finished")
    process.communicate(timeout=60)
    assert process.returncode == code
    assert "stopping" in [line["event"] for line in said]
    report = json.loads((program.folder / "r.json").read_text())
    stats = report["stats"]
    assert (report["outcome"], report["exit_code"]) == ("stopped", code)
    assert 0 < stats["inserted"] < 300
    assert stats["total_records"] == stats["inserted"] == in_table(program)
    assert report["notes"] == [] or all("SIG" not in note for note in report["notes"])


def test_sighup_does_not_end_a_run(program: Program, orders: Path) -> None:
    process = program.start("orders.xlsx", "--max-rate", "300", "--log-format", "json")
    until(process, "loading_started")
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0


def ignored(process: subprocess.Popen[str]) -> int:
    """The signals that the process ignores, one bit each from SIGHUP on (proc_pid_status(5))."""
    return int(Path(f"/proc/{process.pid}/status").read_text().partition("SigIgn:")[2].split()[0], 16)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says what a process ignores")
def test_sighup_at_start_and_end_does_not_end_a_run(program: Program, orders: Path) -> None:
    """Where the run begins the program is still being imported; where it has ended its report waits for a reader."""
    os.mkfifo(program.folder / "report")
    process = program.start("orders.xlsx", "--report", "report")
    while not ignored(process) & 1 << signal.SIGHUP - 1:
        assert process.poll() is None
    process.send_signal(signal.SIGHUP)
    assert process.stderr is not None
    assert any("finished" in line for line in process.stderr)
    process.send_signal(signal.SIGHUP)
    reader = os.open(program.folder / "report", os.O_RDONLY | os.O_NONBLOCK)
    process.communicate(timeout=60)
    with os.fdopen(reader) as report:
        assert json.load(report)["exit_code"] == 0
    assert process.returncode == 0


def test_a_signal_ends_the_wait_for_a_locked_database(program: Program, orders: Path, sqlite: Database) -> None:
    sqlite.execute("CREATE TABLE orders (number integer, customer text); PRAGMA journal_mode = WAL")
    with closing(sqlite3.connect(sqlite.url, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        process = program.start("orders.xlsx", "--db", sqlite.url, "--log-format", "json", "--report", "r.json")
        until(process, "retrying")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        other.execute("ROLLBACK")
    assert process.returncode == 130
    report = json.loads((program.folder / "r.json").read_text())
    assert (report["outcome"], report["stats"]["inserted"]) == ("stopped", 0)
    assert sqlite.scalar("SELECT count(*) FROM orders") == 0


def test_time_limit_stops_the_run(program: Program, orders: Path) -> None:
    for seconds in ("2", "10", "50"):
        process = slow(program, "--timeout", seconds)
        process.communicate(timeout=90)
        assert process.returncode == 4
        report = json.loads((program.folder / "r.json").read_text())
        assert "--timeout" in report["error"]
        if report["stats"]["inserted"]:  # else the time was up before any row was in: the machine is slow
            break
    assert report["stats"]["inserted"] == in_table(program) > 0


def test_max_rejects_stops_the_run(program: Program, workbook: Callable[..., Path]) -> None:
    workbook("bad.xlsx", [["n"], *([number if number % 2 else f"x{number}"] for number in range(200))])
    options = ["--type", "n=integer", "--batch-size", "10", "-q", "--report", "-"]
    ended = program("bad.xlsx", *options, "--max-rejects", "20", code=4)
    assert "--max-rejects" in ended.err
    stats = json.loads(ended.out)["stats"]
    assert 20 < stats["error_count"] < 100
    assert program("bad.xlsx", *options, "--db", "2.db", "--max-rejects", "100", code=3).err == ""


def test_dry_run_writes_nothing(program: Program, orders: Path, postgres: Database) -> None:
    before = program.files()
    program("orders.xlsx", "--dry-run", code=0)
    program("orders.xlsx", "--dry-run", "--db", postgres.url, code=0)
    assert program.files() == before
    assert postgres.fetch("SELECT * FROM pg_tables WHERE schemaname = 'public'") == []


def test_row_limit_is_applied(program: Program, orders: Path) -> None:
    stats = json.loads(program("orders.xlsx", "-q", "--limit", "42", "--report", "-", code=0).out)["stats"]
    assert (stats["total_records"], stats["inserted"]) == (42, 42)


def test_killed_run_leaves_only_complete_batches(program: Program, orders: Path) -> None:
    process = slow(program)
    until(process, "batch_committed")
    process.kill()
    process.communicate(timeout=60)
    rows = in_table(program)
    assert rows > 0
    with closing(sqlite3.connect(program.folder / "o.db")) as database:
        numbers = [number for (number,) in database.execute("SELECT number FROM orders ORDER BY number")]
    assert numbers == list(range(rows))
    assert (rows + 1) % 4 == 0  # the header is a row of the first batch


@pytest.mark.parametrize("strategy", ["sequential", "batched", "async"])
def test_second_signal_cancels_statements_and_exits_within_two_seconds(
    program: Program, orders: Path, postgres: Database, strategy: str
) -> None:
    """A lock that somebody else holds keeps a statement waiting for ever."""
    postgres.execute("CREATE TABLE orders (number integer, customer text)")
    with psycopg.connect(postgres.url) as other:
        other.execute("LOCK TABLE orders IN EXCLUSIVE MODE")
        process = program.start(
            *("orders.xlsx", "--db", postgres.url, "--log-format", "json", "--report", "r.json"),
            *("--strategy", strategy),
        )
        until(process, "worker_started")
        waiting = (
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE NOT granted AND datname = current_database()"
        )
        while not postgres.scalar(waiting):
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        until(process, "stopping")
        process.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        process.communicate(timeout=60)
        took = time.monotonic() - asked
        assert process.returncode == 143
        assert postgres.scalar(waiting) == 0, "the statement still waits on the server"
    assert took < LEAVE_WITHIN + 30  # generous: machines are shared; the lock would hold it for ever
    report = json.loads((program.folder / "r.json").read_text())
    assert (report["outcome"], report["exit_code"], report["stats"]["inserted"]) == ("stopped", 143, 0)
    assert postgres.fetch("SELECT state FROM tui_importer_run") == [("stopped",)]
    resumed = program("orders.xlsx", "--db", postgres.url, "-q", code=0)
    assert resumed.err == ""
    assert postgres.scalar("SELECT count(*) FROM orders") == 300


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_run_is_resumed_by_the_same_command(program: Program, orders: Path, number: int) -> None:
    process = slow(program, "--batch-size", "10")
    until(process, "batch_committed")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert 0 < in_table(program) < 300
    ended = program("orders.xlsx", "--db", "o.db", "--batch-size", "10", "--no-ui", code=0)
    assert "resuming run" in ended.err
    assert in_table(program) == 300
