"""Whole imports of 100,000 business rows, in pairs with and without the compiled reader (``tui-importer-native``).

``python -m benchmarks.native [--rows N] [--pairs N]``. The plugin must be installed; it is switched off by
``TUI_IMPORTER_DISABLE_PLUGINS``. Each pair runs both, in alternating order; the result is the median of the pairs'
ratios. The tables: a plain one of PostgreSQL that exists and is empty, the original one with its six indexes, which the
run creates, the plain one from CSV, and a new SQLite file. Both ways must leave the same rows.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg

from benchmarks.measuring import fresh
from benchmarks.server import postgres
from tests.support.business_data import HEADER, business_rows, write_workbook
from tui_importer.plugins.registry import DISABLE_VARIABLE, load_registry

_COLUMNS = ", ".join(name.lower() for name in HEADER)
_DIGEST = f"SELECT count(*), sum(hashtextextended(({_COLUMNS})::text, 0)) FROM businesses"


def timed(command: list[str], *, native: bool) -> tuple[float, float]:
    """Return the elapsed and the CPU seconds of a whole process."""
    environment = {**os.environ, DISABLE_VARIABLE: "" if native else "tui-importer-native"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(title: str, command: list[str], pairs: int, prepare: Callable[[], None], digest: Callable[[], str]) -> None:
    """Run the pairs and print their medians."""
    taken: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    digests = set()
    for number in range(pairs + 1):
        for native in (True, False) if number % 2 else (False, True):
            prepare()
            result = timed(command, native=native)
            digests.add(digest())
            if number:  # the first pair is a warm-up
                taken[native].append(result)
    if len(digests) > 1:
        sys.exit(f"{title}: the rows differ: {digests}")
    ratios = [with_[0] / without[0] for with_, without in zip(taken[True], taken[False], strict=True)]
    print(f"\n{title}, medians of {pairs} pairs")
    for native, results in taken.items():
        seconds, cpu = (statistics.median(column) for column in zip(*results, strict=True))
        print(f"  {'with' if native else 'without':8} {seconds:.2f} s on the clock, {cpu:.2f} s of CPU")
    print(f"  ratio {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})", flush=True)


def write_text(path: Path, rows: int) -> None:
    """Write the rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(business_rows(rows))


def main() -> None:
    """Measure all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=9)
    options = parser.parse_args()
    load_registry().reader("native")  # raises if it is not installed
    with tempfile.TemporaryDirectory() as folder, postgres() as url:
        file, database = Path(folder) / "businesses.xlsx", Path(folder) / "businesses.db"
        text = file.with_suffix(".csv")
        write_workbook(file, business_rows(options.rows))
        write_text(text, options.rows)
        program, of_text = (
            [sys.executable, "-m", "tui_importer", str(each), "--table", "businesses", "-q", "--db"]
            for each in (file, text)
        )

        def postgres_digest() -> str:
            with psycopg.connect(url) as connection:
                return str(connection.execute(_DIGEST).fetchone())

        def sqlite_digest() -> str:
            with closing(sqlite3.connect(database)) as connection:
                rows = connection.execute(f"SELECT {_COLUMNS} FROM businesses")
                return str(sum(map(hash, map(str, rows))))

        def remove() -> None:
            for each in Path(folder).glob("businesses.db*"):
                each.unlink()

        rows, pairs = f"{options.rows:,} rows", options.pairs
        plain, indexed = (lambda plain=plain: fresh(url, plain=plain, indexed=False) for plain in (True, False))
        compare(f"{rows} into PostgreSQL, plain table", [*program, url], pairs, plain, postgres_digest)
        compare(f"{rows} into PostgreSQL, six indexes", [*program, url], pairs, indexed, postgres_digest)
        compare(f"{rows} of CSV into PostgreSQL, plain table", [*of_text, url], pairs, plain, postgres_digest)
        compare(f"{rows} into SQLite", [*program, str(database)], pairs, remove, sqlite_digest)


if __name__ == "__main__":
    main()
