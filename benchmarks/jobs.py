"""What imports side by side gain: a run of several files with ``--jobs``, in pairs with one after another.

``python -m benchmarks.jobs [--files N] [--rows N] [--jobs N] [--pairs N] [--kind xlsx|csv] [--database NAME]``. Each
file goes into a table of its own. The pairs alternate in order; the results are medians, that of the ratios the median
of the pairs' ratios. Processor time is that of the program with its processes, and of the server. It bounds what can be
gained: a run takes no less time than its processor time divided by the number of processors. Two loops at once tell how
much of a second processor there is. With ``--others SHARE``, a run is repeated while other processes of the machine
kept more than this share of a processor busy.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from benchmarks.measuring import measured
from benchmarks.native import write_text
from benchmarks.server import postgres
from tests.support.business_data import business_rows, write_workbook

#: How long other processes are waited for before a run is repeated, in seconds.
_PAUSE = 1.0
_LOOP = "for _ in range(15_000_000): pass"


@dataclass(frozen=True)
class Took:
    """What a run took, in seconds: elapsed, and processor time of the program, the server, and all other processes."""

    clock: float
    program: float
    server: float
    others: float


def imported(files: Sequence[Path], database: str | Path, jobs: int) -> Took:
    """Import the files into new tables of a server, or into a new SQLite file."""
    if isinstance(database, Path):
        for each in database.parent.glob(f"{database.name}*"):
            each.unlink()
    table = f"{{file}}_{uuid.uuid4().hex[:8]}"
    command = [sys.executable, "-m", "tui_importer", *map(str, files), "--db", str(database), "--table", table]
    before, busy = server_seconds(database), busy_seconds()
    taken = measured([*command, "--jobs", str(jobs), "--no-ui", "-q"])
    busy = busy_seconds() - busy
    server = server_seconds(database) - before
    return Took(taken.clock, taken.cpu, server, busy - taken.cpu - server)


def busy_seconds() -> float:
    """The processor time of the whole machine."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


def server_seconds(database: str | Path) -> float:
    """The processor time of a server of this machine, with that of its processes that have ended."""
    if isinstance(database, Path):
        return 0.0
    with psycopg.connect(database) as connection:
        server = psutil.Process(connection.info.backend_pid).parent()
        assert server is not None
        ended = server.cpu_times()
        alive = [each.cpu_times() for each in server.children()]
    known = [ended.user, ended.system, ended.children_user, ended.children_system]
    return float(sum(known) + sum(each.user + each.system for each in alive))


def second_processor() -> float:
    """The time that two loops at once take, divided by that of one alone: 1 if each has a processor of its own."""
    taken: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(5):
        for number, seconds in taken.items():
            started = time.perf_counter()
            loops = [subprocess.Popen([sys.executable, "-ISc", _LOOP]) for _ in range(number)]
            for each in loops:
                each.wait()
            seconds.append(time.perf_counter() - started)
    return min(taken[2]) / min(taken[1])


def undisturbed(files: Sequence[Path], database: str | Path, jobs: int, others: float) -> Took:
    """Import until other processes kept no more than ``others`` processors busy meanwhile."""
    while (took := imported(files, database, jobs)).others > others * took.clock:
        time.sleep(_PAUSE)
    return took


def compare(files: Sequence[Path], database: str | Path, jobs: int, pairs: int, others: float) -> None:
    """Run the pairs and print their medians."""
    imported(files, database, jobs)  # a warm-up
    found: dict[int, list[Took]] = {1: [], jobs: []}
    for number in range(pairs):
        for each in (1, jobs) if number % 2 else (jobs, 1):
            found[each].append(undisturbed(files, database, each, others))
    for each, runs in found.items():
        clock, program, server = (
            statistics.median(column) for column in zip(*((t.clock, t.program, t.server) for t in runs), strict=True)
        )
        print(f"  {each} at a time  {clock:5.2f} s elapsed, {program:5.2f} s of processor, server {server:5.2f} s")
    ratios = [beside.clock / after.clock for after, beside in zip(found[1], found[jobs], strict=True)]
    busy = [(t.program + t.server) / t.clock for t in found[1]]
    print(
        f"  elapsed {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f}); "
        f"one after another keeps {statistics.median(busy):.2f} processors busy",
        flush=True,
    )


def main() -> None:
    """Measure each database."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--others", type=float, default=math.inf)
    parser.add_argument("--kind", choices=("xlsx", "csv"), default="xlsx")
    parser.add_argument("--database", choices=("postgresql", "sqlite"), action="append")
    options = parser.parse_args()
    print(f"two loops at once take {second_processor():.2f} times as long as one, load {os.getloadavg()[0]:.1f}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = [folder / f"file{number}.{options.kind}" for number in range(options.files)]
        if options.kind == "csv":
            write_text(files[0], options.rows)
        else:
            write_workbook(files[0], business_rows(options.rows))
        for file in files[1:]:
            shutil.copyfile(files[0], file)
        for name in options.database or ("postgresql", "sqlite"):
            print(f"{name}, {options.files} {options.kind} files of {options.rows:,} rows, {options.pairs} pairs")
            url = stack.enter_context(postgres()) if name == "postgresql" else folder / "jobs.db"
            compare(files, url, options.jobs, options.pairs, options.others)


if __name__ == "__main__":
    main()
