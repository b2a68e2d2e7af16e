"""The ``async`` strategy: asyncio tasks with asynchronous connections that write whole batches."""

from __future__ import annotations

from tui_importer.core.scheduling.strategy import Job
from tui_importer.core.scheduling.task_pool import run_loop, run_tasks


class Async:
    """One event loop with a task per worker: many connections over a slow network with few threads."""

    max_workers: int | None = None

    def run(self, job: Job) -> None:
        run_loop(lambda: run_tasks(job, lambda writer, batch: writer.write(batch)))
