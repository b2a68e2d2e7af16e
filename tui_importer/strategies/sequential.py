"""The ``sequential`` strategy: one worker, one INSERT and one commit per row. It is the baseline."""

from __future__ import annotations

from tui_importer.core.scheduling.strategy import Job
from tui_importer.core.scheduling.worker_pool import run_workers


class Sequential:
    """Writes rows in sheet order, each in its own transaction."""

    max_workers: int | None = 1

    def run(self, job: Job) -> None:
        run_workers(job, lambda writer, batch: writer.write_each(batch))
