"""The ``batched`` strategy: a pool of workers that write whole batches. It is the default and the fastest."""

from __future__ import annotations

from tui_importer.core.scheduling.strategy import Job
from tui_importer.core.scheduling.worker_pool import run_workers


class Batched:
    """Writes each batch in its own transaction, by the database's fastest method (COPY on PostgreSQL)."""

    max_workers: int | None = None

    def run(self, job: Job) -> None:
        run_workers(job, lambda writer, batch: writer.write(batch))
