"""A folder that is watched: each file once, when it has settled, whatever becomes of the program."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from openpyxl import Workbook

from tests.cli.conftest import PROGRAM
from tests.conftest import sqlite_database

if TYPE_CHECKING:
    from tests.cli.conftest import Program

OLD = 1_700_000_000
PATIENCE = 60.0


def write_file(folder: Path, name: str, text: str, *, old: bool = True) -> Path:
    """A file in the watched folder, written long ago or now."""
    path = folder / "in" / name
    path.write_text(text)
    if old:
        os.utime(path, (OLD, OLD))
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def place(program: Program) -> Path:
    (program.folder / "in").mkdir()
    return program.folder


def fetch(place: Path, query: str) -> list[tuple[object, ...]]:
    return sqlite_database(place / "w.db").fetch(query)


def wait_until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


class WatchProcess:
    """``watch in`` as a process that goes on."""

    def __init__(self, program: Program, *options: str, database: str, settle: str) -> None:
        self.log = program.folder / "log"
        command = [*PROGRAM, "watch", "in", "--db", database, "--settle", settle, "--every", "0.05", *options]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, cwd=program.folder, env=program.environment, stderr=log)

    def has_printed(self, text: str) -> bool:
        return text in self.log.read_text()

    def ended(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@pytest.fixture
def watching(program: Program) -> Iterator[Callable[..., WatchProcess]]:
    started: list[WatchProcess] = []

    def start(*options: str, database: str = "w.db", settle: str = "0.3") -> WatchProcess:
        started.append(WatchProcess(program, *options, database=database, settle=settle))
        wait_until(lambda: started[-1].has_printed("watching in"))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()


def test_once_imports_existing_files_and_moves_them(program: Program, place: Path) -> None:
    write_file(place, "a.csv", "n,t\n1,x\n2,y\n")
    write_file(place, "b.csv", "n,t\n3,z\nx,9\n")
    write_file(place, "broken.xlsx", "not a workbook")
    write_file(place, "notes.md", "# no spreadsheet")
    write_file(place, "~$a.xlsx", "lock")
    write_file(place, ".hidden.csv", "n\n1\n")
    ended = program(
        *("watch", "in", "--once", "--db", "w.db", "--table", "t", "--type", "n=integer"),
        *("--done", "done", "--failed", "failed"),
        code=2,
    )
    assert fetch(place, "SELECT n FROM t ORDER BY n") == [(1,), (2,), (3,)]
    assert names(place / "done") == ["a.csv", "b.csv"]
    assert names(place / "failed") == ["broken.xlsx"]
    assert names(place / "in") == [".hidden.csv", "notes.md", "~$a.xlsx"]
    assert "b.rejects.xlsx" in names(place)
    assert "not a workbook, whatever its name says" in ended.err


def test_patterns_select_files_and_reject_workbooks_are_ignored(program: Program, place: Path) -> None:
    write_file(place, "a.csv", "n,t\n1,x\nx,y\n")
    write_file(place, "b.tsv", "n\tt\n2\ty\n")
    options = ("--once", "--db", "../w.db", "--table", "t", "--type", "n=integer", "--pattern", "*.csv")
    for _ in range(2):
        place_in = [*PROGRAM, "watch", ".", *options, "--settle", "0", "--pattern", "*.xlsx"]
        ended = subprocess.run(place_in, cwd=place / "in", env=program.environment, capture_output=True, text=True)
        assert ended.returncode in (0, 3), ended.stderr
    assert fetch(place, "SELECT n FROM t") == [(1,)]
    assert names(place / "in") == ["a.csv", "a.rejects.xlsx", "b.tsv"]


@pytest.mark.once
def test_moved_file_gets_a_number_if_its_name_exists(program: Program, place: Path) -> None:
    for number in (1, 2, 3):
        write_file(place, "a.csv", f"n,t\n{number},x\n")
        program("watch", "in", "--once", "--db", "w.db", "--table", "t", "--done", "done", code=0)
    assert names(place / "done") == ["a-2.csv", "a-3.csv", "a.csv"]
    assert fetch(place, "SELECT n FROM t ORDER BY n") == [(1,), (2,), (3,)]


@pytest.mark.once
def test_file_is_imported_once_stable_and_again_after_a_change(
    place: Path, watching: Callable[..., WatchProcess]
) -> None:
    watch = watching("--table", "t", "--key", "n", settle="2")
    path = place / "in" / "growing.csv"
    with path.open("w") as file:
        file.write("n,t\n")
        for number in range(20):
            file.write(f"{number},x\n")
            file.flush()
            time.sleep(0.02)
    wait_until(lambda: watch.has_printed("inserted 20"))
    assert not watch.has_printed("inserted 1 ")
    with path.open("a") as file:
        file.write("20,y\n")
    wait_until(lambda: watch.has_printed("skipped 20"))
    assert fetch(place, "SELECT count(*), count(DISTINCT n) FROM t") == [(21, 21)]
    assert watch.ended(signal.SIGTERM) == 143
    assert not watch.has_printed("Traceback")


@pytest.mark.once
def test_restarted_watch_resumes_after_a_kill(
    program: Program, place: Path, watching: Callable[..., WatchProcess]
) -> None:
    write_file(place, "a.csv", "n,t\n" + "".join(f"{number},x\n" for number in range(3_000)))
    options = ("--table", "t", "--done", "done", "--batch-size", "50", "--max-rate", "2000")
    watch = watching(*options)
    wait_until(lambda: (place / "w.db").exists() and watch.has_printed("writing into t"))
    runs = psutil.Process(watch.process.pid).children()
    watch.process.kill()
    watch.process.wait()
    for each in runs:
        each.kill()
    psutil.wait_procs(runs, PATIENCE)
    watching("--table", "t", "--done", "done")
    wait_until(lambda: (place / "done" / "a.csv").exists())
    assert fetch(place, "SELECT count(*), count(DISTINCT n) FROM t") == [(3_000, 3_000)]


@pytest.mark.once
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_run_and_the_next_watch_continues(
    place: Path, watching: Callable[..., WatchProcess], number: signal.Signals, code: int
) -> None:
    write_file(place, "a.csv", "n,t\n" + "".join(f"{row},x\n" for row in range(10_000)))
    watch = watching("--table", "t", "--done", "done", "--batch-size", "50", "--max-rate", "1000")
    wait_until(lambda: watch.has_printed("writing into t"))
    assert watch.ended(number) == code
    assert watch.has_printed("stopped on request")
    assert names(place / "done") == []
    watching("--table", "t", "--done", "done")
    wait_until(lambda: (place / "done" / "a.csv").exists())
    assert fetch(place, "SELECT count(*), count(DISTINCT n) FROM t") == [(10_000, 10_000)]


@pytest.mark.once
def test_unreachable_database_is_retried(place: Path, watching: Callable[..., WatchProcess]) -> None:
    write_file(place, "a.csv", "n\n1\n")
    unreachable = "postgresql://nobody@127.0.0.1:9/none"
    watch = watching("--failed", "failed", "--connect-timeout", "1", database=unreachable)
    wait_until(lambda: watch.has_printed("a.csv: tried again in 5 s"))
    assert names(place / "failed") == []
    assert watch.ended(signal.SIGINT) == 130


def test_invalid_requests_are_refused_before_any_file_is_opened(program: Program, place: Path) -> None:
    workbook = Workbook()
    workbook.save(place / "in" / "a.xlsx")
    assert "is not a folder" in program("watch", "nowhere", "--db", "w.db", code=2).err
    assert "is the folder that is watched" in program("watch", "in", "--done", "in", code=2).err
    assert program("watch", "in", "--strategy", "nope", code=2).err.count("\n") == 1
    assert not (place / "w.db").exists()
