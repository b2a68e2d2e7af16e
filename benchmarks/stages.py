"""What the stages of an import cost: CPU seconds for reading, converting and writing a file, of client and server.

``python -m benchmarks.stages`` imports made-up businesses into PostgreSQL, which it starts itself. Reading is what the
reader takes alone. The others are differences between processes of the program: that of a dry run and that of an
import, each less what it takes for one row. Processor time depends less than the clock on what else a machine does.
"""

from __future__ import annotations

import argparse
import csv
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg

from tests.support.business_data import HEADER, business_rows, write_workbook
from tests.support.postgres import postgres_server

ROUNDS = 5

#: Options of an import into a table without an index, and into one that gets six after the rows are in.
_PLAIN = ("--table", "businesses", "--workers", "1", "--schema", "infer")
_INDEXED = ("--table", "businesses", "--workers", "1")

_READ = """
import sys, time
from pathlib import Path
from tui_importer.plugins.registry import load_registry
path = Path(sys.argv[1])
registry = load_registry(found=[])
started = time.process_time()
with registry.make_reader(registry.reader_for(path).name).open(path) as workbook:
    for block in workbook.sheet(workbook.sheets[0].name).blocks(10_000):
        pass
print(time.process_time() - started)
"""


def main() -> None:
    """Measure all stages of a workbook and of a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name, postgres_server() as server:
        folder = Path(name)
        with psycopg.connect(server.get_uri(), autocommit=True) as admin:
            [[directory]] = admin.execute("SHOW data_directory").fetchall()
        postmaster = psutil.Process(int(Path(directory, "postmaster.pid").read_text(encoding="utf-8").split()[0]))
        print(f"CPU seconds for {rows:,} rows, medians of {ROUNDS}:")
        print("file     start    read convert   write  server  server, with six indexes")
        for suffix in ("xlsx", "csv"):
            taken = [_measured(folder, suffix, rows, server.get_uri(), postmaster) for _ in range(ROUNDS)]
            medians = [statistics.median(column) for column in zip(*taken, strict=True)]
            print(f"{suffix:<6}" + "".join(f"{seconds:>8.2f}" for seconds in medians))


def _measured(folder: Path, suffix: str, rows: int, server: str, postmaster: psutil.Process) -> tuple[float, ...]:
    many, one = _file(folder, suffix, rows), _file(folder, suffix, 1)
    read = float(subprocess.run([sys.executable, "-c", _READ, many], capture_output=True, check=True).stdout)
    rehearsed, rehearsed_one = (_cpu(file, "--dry-run", "--db", "none.db", *_PLAIN) for file in (many, one))
    written_one, _ = _imported(one, server, postmaster, indexed=False)
    written, plain = _imported(many, server, postmaster, indexed=False)
    _, indexed = _imported(many, server, postmaster, indexed=True)
    convert = rehearsed - rehearsed_one - read
    write = (written - written_one) - (rehearsed - rehearsed_one)
    return written_one, read, convert, write, plain, indexed


def _file(folder: Path, suffix: str, rows: int) -> Path:
    path = folder / f"businesses-{rows}.{suffix}"
    if not path.exists():
        if suffix == "xlsx":
            write_workbook(path, business_rows(rows))
        else:
            with path.open("w", newline="", encoding="utf-8") as out:
                csv.writer(out).writerows([HEADER, *business_rows(rows)])
    return path


def _imported(file: Path, server: str, postmaster: psutil.Process, *, indexed: bool) -> tuple[float, float]:
    """Import a file into a new database; returns the CPU seconds of the program and of the server.

    The table is created by the import.
    """
    name = f"stages_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    host = psycopg.conninfo.conninfo_to_dict(server)["host"]
    url = f"postgresql://postgres@/{name}?host={host}"
    before = _server_cpu(postmaster)
    client = _cpu(file, "--db", url, *(_INDEXED if indexed else _PLAIN))
    time.sleep(0.5)  # a process of the server ends after its connection, and is counted then
    taken = _server_cpu(postmaster) - before
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    return client, taken


def _cpu(file: Path, *options: str) -> float:
    """The CPU seconds of the program and of the processes that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "tui_importer", str(file), "--no-ui", "-q", "--rejects-ok", *options]
    subprocess.run(command, check=True, cwd=file.parent)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _server_cpu(postmaster: psutil.Process) -> float:
    """The CPU seconds of the server's processes, those that have ended included."""
    own = postmaster.cpu_times()
    taken = float(own.user + own.system + own.children_user + own.children_system)
    for each in postmaster.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            taken += times.user + times.system
    return taken


if __name__ == "__main__":
    main()
