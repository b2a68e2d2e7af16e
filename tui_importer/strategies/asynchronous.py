"""asyncio tasks over asynchronous connections, a whole batch at a time."""

from __future__ import annotations

import asyncio

from tui_importer.core.strategy import Job


class Async:
    """One event loop and a task a worker: for many connections over a slow network with few threads."""

    max_workers: int | None = None

    def run(self, job: Job) -> None:
        asyncio.run(self._run(job))

    async def _run(self, job: Job) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(job.workers):
                tasks.create_task(self._work(job))

    async def _work(self, job: Job) -> None:
        async with job.async_writer() as writer:
            while (batch := await job.next_batch()) is not None:
                await writer.write(batch)
