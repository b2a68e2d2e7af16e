"""The cost of an upsert: whole imports that update and add rows, in pairs with an import that appends the same rows.

``python -m benchmarks.upsert [--rows N] [--pairs N] [--database NAME]``. The table has a primary key; before an upsert
it holds no row, every second row of the sheet with other values, every row with other values, or every row as it is.
The result is the median of the pairs' ratios; the budget is 2.0. An append is done by two workers, an upsert by one.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg

from benchmarks.cliffs import TABLE, prepare, write_cliff
from benchmarks.server import postgres
from tests.support.business_data import business_rows, write_workbook

BUDGET = 2.0
#: What is done to the rows of the sheet, which are in the table, before an upsert of the same sheet.
BEFORE = {
    "no row there": f"DELETE FROM {TABLE}",
    "half of them there": f"DELETE FROM {TABLE} WHERE number % 2 = 0",
    "all there, changed": f"UPDATE {TABLE} SET name = 'old', amount = amount + 1",
    "all there, unchanged": f"UPDATE {TABLE} SET name = name WHERE number < 0",
}
CHANGED = f"UPDATE {TABLE} SET name = 'old'"


def execute(url: str, *statements: str) -> None:
    """Execute the statements, and let the database settle."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()
        return
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (*statements, f"VACUUM ANALYZE {TABLE}", "CHECKPOINT"):
            connection.execute(statement)


def imported(file: Path, url: str, *options: str) -> float:
    """Import the sheet; returns the seconds of the whole process."""
    command = [sys.executable, "-m", "tui_importer", str(file), "--db", url, "--table", TABLE, "--no-ui", "-q"]
    started = time.perf_counter()
    subprocess.run([*command, *options], check=True, cwd=file.parent, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def pair(file: Path, url: str, before: str) -> tuple[float, float]:
    """The seconds of an append and of an upsert into a table in this state."""
    prepare(url, keyed=True)
    append = imported(file, url)
    execute(url, *([CHANGED] if "half" in before else []), BEFORE[before])
    return append, imported(file, url, "--mode", "upsert", "--key", "number")


def main() -> None:
    """Run the pairs and print their medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), action="append")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        base, file = folder / "base.xlsx", folder / "sales.xlsx"
        write_workbook(base, business_rows(options.rows))
        write_cliff(base, file, "clean", options.rows)
        print(f"{options.rows:,} rows, medians of {options.pairs} pairs, seconds on the clock, budget {BUDGET}")
        for name in options.database or ("postgresql", "sqlite"):
            url = stack.enter_context(postgres()) if name == "postgresql" else f"sqlite:///{folder / 'sales.db'}"
            pair(file, url, next(iter(BEFORE)))  # a warm-up
            for before in BEFORE:
                pairs = [pair(file, url, before) for _ in range(options.pairs)]
                appends, upserts = zip(*pairs, strict=True)
                ratio = statistics.median(upsert / append for append, upsert in pairs)
                print(
                    f"{name:<12}{before:<22}append {statistics.median(appends):5.2f}  "
                    f"upsert {statistics.median(upserts):5.2f}  ratio {ratio:.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
