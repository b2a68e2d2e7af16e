"""A pool of workers, each with its own connection, a whole batch at a time: the default, and the fastest."""

from __future__ import annotations

from tui_importer.core.scheduling.strategy import Job
from tui_importer.core.scheduling.worker_pool import run_workers


class Batched:
    """Whole batches, each in a transaction of its own, the fastest way the database has (COPY on PostgreSQL)."""

    max_workers: int | None = None

    def run(self, job: Job) -> None:
        run_workers(job, lambda writer, batch: writer.write(batch))
