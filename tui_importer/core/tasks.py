"""The worker pool of asyncio strategies: :mod:`tui_importer.core.pool` with tasks for threads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tui_importer.core.batch import Batch
from tui_importer.core.pool import VACANCY_PERIOD, raise_failures
from tui_importer.core.strategy import AsyncWriter, Job


async def run_tasks(job: Job, write: Callable[[AsyncWriter, Batch], Awaitable[None]]) -> None:
    """Let ``job.workers`` tasks, each with a connection of its own, write batches until there are no more; their
    number follows what is wanted of the job meanwhile.

    Raises as :func:`tui_importer.core.pool.run_workers` does. No ``TaskGroup``: it would cancel the others where one
    fails, and they are to finish what they have in hand.
    """

    async def work() -> None:
        async with job.async_writer() as writer:
            while (batch := await job.next_batch()) is not None:
                await write(writer, batch)
                if job.dismissed():
                    return

    beside = int(job.vacancy())  # as in run_workers
    ends = [asyncio.create_task(work()) for _ in range(job.workers + beside)]
    while (await asyncio.wait(ends, timeout=VACANCY_PERIOD))[1]:
        while job.vacancy():
            ends.append(asyncio.create_task(work()))
    raise_failures([end.exception() for end in ends])
