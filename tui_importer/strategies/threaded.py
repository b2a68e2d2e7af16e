"""The ``threaded`` strategy: a pool of workers, each with its own connection, that write row by row."""

from __future__ import annotations

from tui_importer.core.scheduling.strategy import Job
from tui_importer.core.scheduling.worker_pool import run_workers


class Threaded:
    """Writes many rows concurrently, each in its own transaction, which hides the database's latency."""

    max_workers: int | None = None

    def run(self, job: Job) -> None:
        run_workers(job, lambda writer, batch: writer.write_each(batch))
