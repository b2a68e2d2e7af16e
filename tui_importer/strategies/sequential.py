"""One worker, one row an INSERT, one commit a row: the honest baseline."""

from __future__ import annotations

from tui_importer.core.scheduling.strategy import Job
from tui_importer.core.scheduling.worker_pool import run_workers


class Sequential:
    """Rows in the order of the sheet, each in a transaction of its own."""

    max_workers: int | None = 1

    def run(self, job: Job) -> None:
        run_workers(job, lambda writer, batch: writer.write_each(batch))
