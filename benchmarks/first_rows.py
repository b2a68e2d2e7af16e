"""How long after its start an import's first rows are in the table, and how long it takes as a whole.

``python -m benchmarks.first_rows [--rows N] [--rounds N]`` imports a workbook (120,000 rows have 10 MB) into
PostgreSQL, with and without the compiled reader, into a table that is there and into one that the import makes. Another
connection asks for a row every few milliseconds. At the end of each import, all rows have to be in.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from benchmarks.measuring import TABLE, fresh
from benchmarks.peer import contenders
from benchmarks.server import postgres
from tests.support.business_data import business_rows, write_workbook

#: Seconds between two questions: what the result may be late by.
_PAUSE = 0.004
_ASK = f"SELECT EXISTS (SELECT FROM {TABLE})"


def imported(command: list[str], environment: Mapping[str, str], url: str, rows: int) -> tuple[float, float]:
    """Run an import; returns the seconds until the first row was there, and until the end of the process."""
    with psycopg.connect(url, autocommit=True) as connection:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environment)
        while not _is_there(connection) and process.poll() is None:
            time.sleep(_PAUSE)
        first = time.perf_counter() - started
        if process.wait():
            raise SystemExit(f"the import has failed: exit code {process.returncode}")
        whole = time.perf_counter() - started
        found = connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone()
        if found != (rows,):
            raise SystemExit(f"{found} rows are in the table instead of {rows:,}")
    return first, whole


def _is_there(connection: psycopg.Connection) -> bool:
    try:
        return connection.execute(_ASK).fetchone() == (True,)
    except psycopg.errors.UndefinedTable:
        return False


def main() -> None:
    """Measure all ways in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=120_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tui_importer-benchmark-") as folder, postgres() as url:
        os.environ["XDG_STATE_HOME"] = f"{folder}/state"
        file = Path(folder) / "business.xlsx"
        write_workbook(file, business_rows(options.rows))
        ways = [(each, there) for each in contenders({}) for there in (True, False)]
        taken: list[list[tuple[float, float]]] = [[] for _ in ways]
        for turn in range(options.rounds + 1):  # the first round is a warm-up
            for (each, there), times in zip(ways, taken, strict=True):
                fresh(url, plain=there)
                words = ("--db", url, "--table", TABLE, "-q", "--no-ui", "--schema", "infer")
                found = imported([*each.command, str(file), *words], each.environment, url, options.rows)
                if turn:
                    times.append(found)
        print(f"{options.rows:,} rows, {file.stat().st_size / 1e6:.1f} MB, medians of {options.rounds} rounds")
        for (each, there), times in zip(ways, taken, strict=True):
            first, whole = (statistics.median(column) for column in zip(*times, strict=True))
            table = "a table that is there" if there else "a new table"
            print(f"{each.name}, {table}: first rows after {first:.2f} s, all after {whole:.2f} s")


if __name__ == "__main__":
    main()
