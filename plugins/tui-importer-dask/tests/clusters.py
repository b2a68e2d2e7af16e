"""A scheduler, dask workers and databases: real ones of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tui_importer.testing import SQLiteDatabase

#: Seconds within which what is waited for has to happen; it takes one or two.
PATIENCE = 60.0


def wait_until(condition: Callable[[], Any]) -> None:
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


@dataclass
class DaskWorker:
    """A dask worker, or its nanny. ``address`` is that under which the cluster knows it, and ``itself`` the process
    that the nanny has started, if there is one."""

    process: psutil.Popen
    address: str = ""
    itself: psutil.Process | None = None

    def imports(self) -> list[psutil.Process]:
        """The processes that carry out imports for it."""
        found = []
        with suppress(psutil.NoSuchProcess):
            for each in self.process.children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    found += [each] if "tui_importer.process" in each.cmdline() else []
        return found


class Cluster:
    """A scheduler and its dask workers. ``folder`` has their logs and is their current folder."""

    def __init__(self, folder: Path, tls: Mapping[str, Path] | None = None, **environment: str) -> None:
        """``tls`` are the files of a cluster that uses it: those of ``ca``, ``cert`` and ``key``."""
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.workers: list[DaskWorker] = []
        self._environment = {**os.environ, "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false", **environment}
        self._exits = ExitStack()
        self._tls = tls
        self._file = folder / "scheduler.json"
        self.scheduler = self._started(
            "scheduler", *("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"), *self._by_file
        )
        self.address = ""

    @property
    def _by_file(self) -> tuple[str, ...]:
        return ("--scheduler-file", str(self._file))

    def wait_for_scheduler(self) -> None:
        """Wait until the scheduler is there."""

        def said() -> bool:
            with suppress(FileNotFoundError, ValueError):  # not yet, or not yet all of it
                self.address = json.loads(self._file.read_text())["address"]
            return bool(self.address)

        wait_until(said)

    def start_worker(self, *, nanny: bool = False, **environment: str) -> DaskWorker:
        """Start a dask worker; does not wait until it is there."""
        number = len(self.workers)
        command = ("worker", "--nworkers", "1", "--nthreads", "1", "--no-dashboard", "--name", str(number))
        place = self.folder / f"worker-{number}"
        options = (*self._by_file, "--local-directory", str(place), "--nanny" if nanny else "--no-nanny")
        worker = DaskWorker(self._started(f"worker-{number}", *command, *options, **environment))
        self.workers.append(worker)
        return worker

    def wait_for_workers(self) -> None:
        """Wait until all dask workers are there."""
        with self.client() as client:
            client.wait_for_workers(len(self.workers), timeout=PATIENCE)
            known = client.scheduler_info(n_workers=-1)["workers"]
            pids = client.run(os.getpid)
            for address, each in known.items():
                worker = self.workers[int(each["name"])]
                worker.address, worker.itself = address, psutil.Process(pids[address])

    @contextmanager
    def client(self) -> Iterator[Any]:
        """A client besides that of the run."""
        from distributed import Client
        from distributed.security import Security

        security = None
        if (tls := self._tls) is not None:
            files = {"tls_ca_file": tls["ca"], "tls_client_cert": tls["cert"], "tls_client_key": tls["key"]}
            security = Security(**{name: str(path) for name, path in files.items()}, require_encryption=True)
        with Client(self.address, security=security, set_as_default=False) as client:
            yield client

    def at(self, address: str) -> DaskWorker:
        """The dask worker at an address."""
        [found] = [each for each in self.workers if each.address == address]
        return found

    def imports(self) -> list[psutil.Process]:
        """All processes that carry out imports."""
        return [each for worker in self.workers for each in worker.imports()]

    def logs(self) -> str:
        """What scheduler and dask workers have said."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def close(self) -> None:
        """Kill all of them."""
        self._exits.close()

    def _started(self, name: str, *arguments: str, **environment: str) -> psutil.Popen:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = psutil.Popen(
                [sys.executable, "-m", "dask", *arguments],
                cwd=self.folder,
                env={**self._environment, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._exits.callback(_kill, process)
        return process


def _kill(process: psutil.Popen) -> None:
    below = []
    with suppress(psutil.NoSuchProcess):
        below = process.children(recursive=True)
    for each in (process, *below):
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()
    psutil.wait_procs(below, timeout=PATIENCE)


@contextmanager
def running_cluster(
    folder: Path, workers: int = 2, *, nanny: bool = False, tls: Mapping[str, Path] | None = None, **environment: str
) -> Iterator[Cluster]:
    """A cluster of one's own."""
    cluster = Cluster(folder, tls, **environment)
    try:
        cluster.wait_for_scheduler()
        for _ in range(workers):
            cluster.start_worker(nanny=nanny)
        if workers:
            cluster.wait_for_workers()
        yield cluster
    finally:
        cluster.close()


@dataclass(frozen=True)
class PostgresDatabase:
    """A new PostgreSQL database."""

    url: str

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    def fetch(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query).fetchall()

    def empty(self) -> None:
        """Remove all tables."""
        self.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


class FileDatabase(SQLiteDatabase):
    """An SQLite file."""

    def empty(self) -> None:
        """Remove all tables."""
        self.path.unlink()
