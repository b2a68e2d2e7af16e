"""A pool of workers, each with its own connection, row by row."""

from __future__ import annotations

from tui_importer.core.scheduling.strategy import Job
from tui_importer.core.scheduling.worker_pool import run_workers


class Threaded:
    """Many rows at once, each in a transaction of its own: hides the latency of the database."""

    max_workers: int | None = None

    def run(self, job: Job) -> None:
        run_workers(job, lambda writer, batch: writer.write_each(batch))
