"""Many clients at once: no row is lost or duplicated, memory is bounded, and ``/health`` always answers.

``python -m benchmarks.uploads [--clients N] [--rows N] [--each N] [--db URL] [--padding MB]``. Each client uploads
``--each`` workbooks of its own, whose last row has no name and is rejected, and retries when the server says that it is
busy. Half of the clients wait for the result, the others poll for it. Everything stays on this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import httpx
import psutil

from benchmarks.server import postgres
from tests.support.business_data import business_rows, write_workbook

#: Seconds within which everything must have ended.
_LIMIT = 600.0
#: Seconds between two memory samples, and between two health requests.
_PERIOD = 0.05


@contextmanager
def served(folder: Path, database: str) -> Iterator[tuple[str, psutil.Process]]:
    """Start a server; yield its address and its process."""
    log = folder / "server.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "tui_importer", "serve", "--port", "0", "--max-waiting", "20"],
            cwd=folder,
            env={**os.environ, "XDG_STATE_HOME": str(folder / "state"), "TUI_IMPORTER_DB": database},
            stderr=file,
        )
    try:
        while True:
            ready = [line for line in log.read_text().splitlines() if '"event": "listening"' in line]
            if ready:
                break
            if process.poll() is not None:
                sys.exit(log.read_text())
            time.sleep(_PERIOD)
        yield f"http://127.0.0.1:{json.loads(ready[0])['port']}", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


class ServerSampler:
    """Samples the server's memory and requests its health, until :meth:`close`."""

    def __init__(self, url: str, process: psutil.Process) -> None:
        self.start_memory = self.most_memory = process.memory_info().rss
        self.latencies: list[float] = []
        self.failures = 0
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._memory, args=(process,)),
            threading.Thread(target=self._health, args=(url,)),
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop sampling."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _memory(self, process: psutil.Process) -> None:
        while not self._over.wait(_PERIOD):
            self.most_memory = max(self.most_memory, process.memory_info().rss)

    def _health(self, url: str) -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            while not self._over.wait(_PERIOD):
                started = time.perf_counter()
                self.failures += client.get("/health").status_code != 200
                self.latencies.append(time.perf_counter() - started)


def upload(url: str, file: Path, *, waits: bool, refusals: Counter[int]) -> dict[str, int]:
    """Upload a file, retrying until it is accepted; return the counts of its rows."""
    with httpx.Client(base_url=url, timeout=_LIMIT) as client:
        while True:
            with file.open("rb") as content:
                answer = client.post("/upload" if waits else "/runs", files={"file": (file.name, content)})
            if answer.status_code != 429:
                break
            refusals[429] += 1
            time.sleep(int(answer.headers["Retry-After"]))
        answer.raise_for_status()
        found = answer.json()
        while not waits and found["state"] != "ended":
            time.sleep(0.5)
            found = client.get(f"/runs/{found['id']}").raise_for_status().json()
        if found["outcome"] != "complete_with_rejects":
            sys.exit(f"{file.name}: {found}")
        return {"in": found["stats"]["success_count"], "rejected": found["stats"]["error_count"]}


def count(database: str) -> tuple[int, int]:
    """Return the number of rows of the table and of distinct ones: each row has a name of its own."""
    query = "SELECT count(*), count(DISTINCT name) FROM businesses"
    if "://" in database:
        import psycopg

        with psycopg.connect(database) as connection:
            found = connection.execute(query).fetchone()
    else:
        import sqlite3

        found = sqlite3.connect(database).execute(query).fetchone()
    assert found is not None
    return found[0], found[1]


def main() -> None:
    """Upload, and print the result; exit with code 1 if a row was lost or duplicated."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--each", type=int, default=2)
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--db", help="an SQLite file, or the URL of an empty database (default: a PostgreSQL server)")
    parser.add_argument("--padding", type=int, default=0, metavar="MB", help="make each file larger by so much")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, nullcontext(options.db) if options.db else postgres() as database:
        folder = Path(name)
        rows = list(business_rows(options.rows - 1))
        files = []
        for number in range(options.clients * options.each):
            files.append(folder / f"client-{number}.xlsx")
            named = [(f"{number}/{place}", *row[1:]) for place, row in enumerate(rows)]
            write_workbook(files[-1], [*named, ("", *rows[0][1:])])
            if options.padding:
                _pad(files[-1], options.padding << 20)
        refusals: Counter[int] = Counter()
        with served(folder, database) as (url, process):
            sampler = ServerSampler(url, process)
            started = time.perf_counter()
            try:
                with ThreadPoolExecutor(options.clients) as pool:
                    pending = [
                        pool.submit(upload, url, file, waits=number % 2 == 0, refusals=refusals)
                        for number, file in enumerate(files)
                    ]
                    results = [each.result(_LIMIT) for each in pending]
            finally:
                seconds = time.perf_counter() - started
                sampler.close()
        _print(options, results, count(database), sampler, refusals, seconds)


def _print(
    options: argparse.Namespace,
    results: list[dict[str, int]],
    counted: tuple[int, int],
    sampler: ServerSampler,
    refusals: Counter[int],
    seconds: float,
) -> None:
    sent = options.clients * options.each * options.rows
    reported = sum(result["in"] for result in results), sum(result["rejected"] for result in results)
    lost, doubled = sent - len(results) - counted[1], counted[0] - counted[1]
    health = sorted(sampler.latencies)
    share = statistics.quantiles(health, n=100)
    print(f"{options.clients} clients, {len(results)} uploads of {options.rows:,} rows in {seconds:.1f} s")
    print(f"  sent {sent:,} rows = said to be in {reported[0]:,} + said to be rejected {reported[1]:,}")
    print(f"  in the table {counted[0]:,}: lost {lost}, doubled {doubled}")
    print(f"  told to come again later: {refusals[429]} times")
    first, most = sampler.start_memory / 2**20, sampler.most_memory / 2**20
    print(f"  server's memory {first:.0f} MB at first, {most:.0f} MB at most")
    print(
        f"  /health: {len(health)} asked, {sampler.failures} failed, median {share[49] * 1e3:.0f} ms, "
        f"99th {share[98] * 1e3:.0f} ms, slowest {health[-1] * 1e3:.0f} ms"
    )
    if lost or doubled or sampler.failures or sent != sum(reported):
        sys.exit(1)


def _pad(path: Path, size: int) -> None:
    """Add bytes that do not compress, as pictures in a workbook."""
    import zipfile

    with zipfile.ZipFile(path, "a") as package:
        package.writestr("xl/media/image1.bin", os.urandom(size))


if __name__ == "__main__":
    main()
