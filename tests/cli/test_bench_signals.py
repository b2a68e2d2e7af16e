"""A comparison that is stopped: at once, with the signal's exit code, and nothing of it is left."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Program
    from tests.conftest import Database

pytestmark = pytest.mark.once

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture
def many_rows(program: Program) -> Path:
    """Rows that keep the strategy that writes them one by one busy for a while."""
    path = program.folder / "many.csv"
    path.write_text("n,word\n" + "".join(f"{n},word {n}\n" for n in range(20_000)))
    return path


@pytest.fixture
def temporary(program: Program) -> Path:
    """Where the program's temporary files are."""
    folder = program.folder.parent / "temporary"
    folder.mkdir()
    program.environment["TMPDIR"] = str(folder)
    return folder


def begin(program: Program, *options: str) -> subprocess.Popen[str]:
    """A comparison whose first strategy is at work."""
    process = program.start("bench", "many.csv", "--strategy", "sequential", "--repeat", "50", *options)
    assert process.stderr is not None
    assert process.stderr.readline() == "sequential ...\n"
    return process


def wait_until(wanted: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not wanted():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_signal_stops_bench_and_removes_its_tables(
    program: Program, many_rows: Path, temporary: Path, postgres: Database, number: int, code: int
) -> None:
    process = begin(program, "--db", postgres.url)
    rows = "SELECT 1 FROM tui_importer_batch"
    wait_until(lambda: len(postgres.fetch(TABLES)) == 4 and postgres.fetch(rows))
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert out == ""
    [line] = err.splitlines()
    assert line == f"tui-importer: stopped by {signal.Signals(number).name}: nothing is left behind"
    assert postgres.fetch(TABLES) == []
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(("number", "code"), SIGNALS[1:2])
def test_interrupted_bench_removes_the_database_file_it_created(
    program: Program, many_rows: Path, temporary: Path, number: int, code: int
) -> None:
    process = begin(program, "--db", "new.db")
    wait_until((program.folder / "new.db").exists)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == code
    assert program.files() == {"many.csv"}
    assert list(temporary.iterdir()) == []


def test_second_signal_ends_bench_immediately_with_a_warning_about_leftovers(
    program: Program, many_rows: Path, postgres: Database
) -> None:
    process = begin(program, "--db", postgres.url)
    wait_until(lambda: len(postgres.fetch(TABLES)) == 4)
    # Whoever holds a lock on the ledger keeps it from being cleaned up.
    with psycopg.connect(postgres.url) as holder:
        holder.execute("LOCK TABLE tui_importer_run")
        process.send_signal(signal.SIGINT)
        # The run's workers wait for the lock, too; the system could then deliver the second signal before the first.
        waiting = (
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() "
            "AND application_name LIKE 'tui_importer/bench%'"
        )
        wait_until(lambda: postgres.fetch(waiting))
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "may be left behind" in err.splitlines()[-1]
