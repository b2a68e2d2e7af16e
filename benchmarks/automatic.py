"""The automatic choice of workers and batch size, compared with fixed ones.

``python -m benchmarks.automatic [--rows N] [--rounds N] [--latency MS] [--only TARGET] [--reader NAME]`` imports
business rows into PostgreSQL, into PostgreSQL with ``--latency`` milliseconds added to each round trip, and into
SQLite: with the automatic choice and with every fixed one, in turns, as whole processes. The automatic choice should
take at most 1.10 of the time of the best fixed one. Each ratio is the median of the rounds' ratios. On a busy machine
the clock tells little but for the database that is far; there, waiting outweighs working.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from benchmarks.delay_proxy import delayed
from benchmarks.measuring import fresh, timed
from benchmarks.server import postgres
from tests.support.business_data import business_rows, write_workbook

WORKERS, MORE_WORKERS, BATCH_SIZES = (1, 2, 4), (8,), (1_000, 5_000, 10_000, 20_000)
#: The automatic choice may take this much of the time of the best fixed one.
LIMIT = 1.10
AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True)
class Target:
    """A database, the numbers of workers that are tried there, and what makes it empty."""

    name: str
    url: str
    workers: Sequence[int]
    empty: Callable[[], None]


def compare(target: Target, program: Sequence[str], rounds: int, sizes: Sequence[int]) -> float:
    """Run all settings in turns and print them, the fastest first; returns the ratio to the best fixed one."""
    settings: dict[str, list[str]] = {AUTOMATIC: []}
    for workers, size in itertools.product(target.workers, sizes):
        settings[f"{workers} x {size:>6,}"] = ["--workers", str(workers), "--batch-size", str(size)]
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in settings}
    names = list(settings)
    for turn in range(rounds + 1):
        for name in names if turn % 2 else reversed(names):
            target.empty()
            once = timed([*program, "--db", target.url, *settings[name]])
            if turn:  # the first round is a warm-up
                taken[name].append(once)
    ratios = {
        name: statistics.median(ours[0] / fixed[0] for ours, fixed in zip(taken[AUTOMATIC], results, strict=True))
        for name, results in taken.items()
    }
    load = os.getloadavg()[0]
    print(f"\n{target.name}, medians of {rounds} rounds, load {load:.1f} on {os.cpu_count()} cores")
    print(f"{'workers x rows':<16} {'clock':>7} {'CPU':>7} automatic / this")
    for name in sorted(settings, key=lambda name: -ratios[name]):
        clock, cpu = (statistics.median(column) for column in zip(*taken[name], strict=True))
        print(f"{name:<16} {clock:>6.2f}s {cpu:>6.2f}s {ratios[name]:>6.2f}", flush=True)
    return max(ratios.values())


def main() -> None:
    """Measure every target; the exit code is 1 if the automatic choice is too slow somewhere."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=float, default=20.0, help="milliseconds added to a round trip, half each way")
    parser.add_argument("--only", action="append", choices=("local", "far", "sqlite"), help="again and again")
    parser.add_argument("--reader", default="auto")
    parser.add_argument("--workers", type=int, nargs="+", help="only these numbers of workers")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=BATCH_SIZES, help="only these batch sizes")
    options = parser.parse_args()
    wanted, targets = options.only or ("local", "far", "sqlite"), list[Target]()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tui_importer-benchmark-")))
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        file, database = folder / "businesses.xlsx", folder / "businesses.db"
        write_workbook(file, business_rows(options.rows))
        program = [sys.executable, "-m", "tui_importer", str(file), "--table", "businesses", "-q", "--no-ui"]
        program += ["--reader", options.reader] if options.reader != "auto" else []

        def remove() -> None:
            for each in folder.glob("businesses.db*"):
                each.unlink()

        print(f"{options.rows:,} business rows")
        if {"local", "far"} & set(wanted):
            url = stack.enter_context(postgres())
            given = conninfo_to_dict(url)
            socket = f"{given['host']}/.s.PGSQL.{given.get('port', 5432)}"
            port = stack.enter_context(delayed(socket, options.latency))
            far = f"postgresql://{given.get('user', 'postgres')}@127.0.0.1:{port}/{given['dbname']}"

            def empty() -> None:
                fresh(url, plain=True, indexed=False)

            if "local" in wanted:
                targets.append(Target("PostgreSQL", url, options.workers or WORKERS, empty))
            if "far" in wanted:
                name = f"PostgreSQL with {options.latency:g} ms added to a round trip"
                targets.append(Target(name, far, options.workers or (*WORKERS, *MORE_WORKERS), empty))
        if "sqlite" in wanted:
            targets.append(Target("SQLite", str(database), (1,), remove))
        worst = max(compare(target, program, options.rounds, options.batch_sizes) for target in targets)
    print(f"\nthe automatic choice takes at most {worst:.2f} of the best fixed one (limit {LIMIT:.2f})")
    sys.exit(worst > LIMIT)


if __name__ == "__main__":
    main()
