"""The worker pool of asyncio strategies: like :mod:`tui_importer.core.scheduling.worker_pool`, but with tasks."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from typing import Any

from tui_importer.core.model.batch import Batch
from tui_importer.core.scheduling.strategy import AsyncWriter, Job
from tui_importer.core.scheduling.worker_pool import WORKER_CHECK_PERIOD, raise_failures


def run_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine to completion like ``asyncio.run``, even if this thread has a running event loop.

    In that case (a notebook, a web handler), it runs in a new loop in another thread while this thread waits. An
    exception that ends the wait (``KeyboardInterrupt``) cancels the coroutine and is raised once the thread has ended.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(main())
        return
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = Future()
    finished: Future[None] = Future()

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        started.set_result((asyncio.get_running_loop(), task))
        await main()

    def run_in_thread() -> None:
        if not started.set_running_or_notify_cancel():
            finished.set_result(None)
            return
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 -- raised again by the thread that waits
            finished.set_exception(error)
        else:
            finished.set_result(None)

    # Not an executor: an interrupt inside of its submit would leave a thread behind that it knows nothing of.
    thread = threading.Thread(target=contextvars.copy_context().run, args=(run_in_thread,), name="loop")
    try:
        thread.start()
        finished.result()
    except BaseException:
        if not started.cancel():
            either: list[Future[Any]] = [started, finished]
            wait(either, return_when=FIRST_COMPLETED)
            if started.done():
                loop, task = started.result()
                with suppress(RuntimeError):  # it has ended meanwhile
                    loop.call_soon_threadsafe(task.cancel)
            wait([finished])
            thread.join()
        raise
    thread.join()


async def run_tasks(job: Job, write: Callable[[AsyncWriter, Batch], Awaitable[object]]) -> None:
    """Write all batches with ``job.workers`` tasks, each with its own connection.

    The number of tasks follows the job's worker count. Raises as
    :func:`tui_importer.core.scheduling.worker_pool.run_workers` does. This is not a ``TaskGroup``, which would cancel
    the other tasks if one fails; they must finish their current batch.
    """

    async def work() -> None:
        async with job.async_writer() as writer:
            while (batch := await job.next_batch()) is not None:
                await write(writer, batch)
                if job.should_stop_worker():
                    return

    extra = int(job.should_start_worker())  # as in run_workers
    tasks = [asyncio.create_task(work()) for _ in range(job.workers + extra)]
    while (await asyncio.wait(tasks, timeout=WORKER_CHECK_PERIOD))[1]:
        while job.should_start_worker():
            tasks.append(asyncio.create_task(work()))
    raise_failures([task.exception() for task in tasks])
