"""A strategy whose writers are other processes, which are killed again and again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import forked
from tui_importer import Job, RemoteJob, Run, StrategySpec, WriterSpec, open_writer
from tui_importer.core.writing.backend import ConnectionSettings
from tui_importer.events import BatchCommitted, WorkerFinished, WorkerStarted
from tui_importer.plugins.registry import load_registry
from tui_importer.testing import Failpoint, Oracle, registry_with
from tui_importer.testing.failpoints import FailpointBackend, Trap, kill

if TYPE_CHECKING:
    from tests.conftest import Database

pytestmark = pytest.mark.once


class WriterProcesses:
    """Writes all batches in another process, and in a new one whenever it is killed."""

    max_workers: int | None = 1

    def __init__(self, failpoint: Failpoint, url: str) -> None:
        self.failpoint = failpoint
        self.url = url
        self.kills = 0

    def run(self, job: Job) -> None:
        assert isinstance(job, RemoteJob)
        with job.remote_worker() as worker:
            batch = None
            batches = job.batches()
            while True:
                with self._process(worker.spec, worker.worker) as connection:
                    try:
                        while batch := batch or next(batches, None):
                            connection.send(batch)
                            worker.add(connection.recv())
                            batch = None
                    except (EOFError, ConnectionError):
                        self.kills += 1
                    else:
                        connection.send(None)
                        return

    @contextmanager
    def _process(self, spec: WriterSpec, worker: int) -> Iterator[Connection]:
        ours, theirs = forked.CONTEXT.Pipe()
        # Killed a little later each time, so that the import gets on.
        process = forked.CONTEXT.Process(
            target=write_received_batches, args=(theirs, spec, worker, self.url, self.failpoint, 1 + self.kills)
        )
        process.start()
        theirs.close()
        try:
            yield ours
        finally:
            ours.close()
            process.join(60)
            process.close()


def write_received_batches(
    connection: Connection, spec: WriterSpec, worker: int, url: str, failpoint: Failpoint, passes: int
) -> None:
    """Runs in the other process."""

    class Registry:
        def make_backend(self, name: str, settings: ConnectionSettings) -> Any:
            return FailpointBackend(load_registry().make_backend(name, settings), Trap(failpoint, kill, passes))

    registry: Any = Registry()
    with open_writer(spec, worker=worker, database=url, registry=registry) as writer:
        while batch := connection.recv():
            connection.send(writer.write(batch))
    os._exit(0)


@pytest.mark.parametrize("database", ["postgresql", "sqlite"], indirect=True)
@pytest.mark.parametrize("failpoint", list(Failpoint), ids=lambda failpoint: failpoint.name.lower())
def test_import_with_killed_writer_processes_completes(
    database: Database, tmp_path: Path, failpoint: Failpoint
) -> None:
    """Table, ledger, report and events agree, although some outcomes were lost with their process."""
    oracle = Oracle(tmp_path, rows=60)
    oracle.prepare(database)
    strategy = WriterProcesses(failpoint, database.url)
    registry = registry_with(StrategySpec("elsewhere", "in other processes", lambda: strategy))
    heard: list[Any] = []
    plan = oracle.plan(database.url, strategy="elsewhere", batch_size=8)
    run = Run(plan, registry=registry, listener=heard.append, rejects_file=tmp_path / "rejects.xlsx")
    report = run.execute()
    assert strategy.kills >= 2
    oracle.check(database, report)
    batches = [event for event in heard if isinstance(event, BatchCommitted)]
    assert sum(event.inserted for event in batches) == len(oracle.accepted)
    assert sum(event.rejected for event in batches) == len(oracle.rejected)
    [worker] = run.snapshot().workers
    assert (worker.inserted, worker.rejected, worker.batches) == (54, 6, len(batches))
    assert [event.worker for event in heard if isinstance(event, WorkerStarted | WorkerFinished)] == [1, 1]
