"""The worker pool that thread-based strategies share: fan-out over workers, fan-in of their ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait

from tui_importer.core.model.batch import Batch
from tui_importer.core.scheduling.strategy import Job, Writer
from tui_importer.core.scheduling.worker_count import MAX_WORKERS

#: How often a pool looks whether more workers are wanted, in seconds: soon enough for the person who pressed a key.
WORKER_CHECK_PERIOD = 0.2


def run_workers(job: Job, write: Callable[[Writer, Batch], None]) -> None:
    """Let ``job.workers`` threads, each with a connection of its own, write batches until there are no more; their
    number follows what is wanted of the job meanwhile.

    Raises what a worker raised, as a ``BaseExceptionGroup`` where several did; every thread has ended by then. The
    failure of one ends the job's batches, so the others finish what they have in hand and end too.
    """

    def work() -> None:
        with job.writer() as writer:
            for batch in job.batches():
                write(writer, batch)
                if job.should_stop_worker():
                    return

    with ThreadPoolExecutor(max(job.workers, MAX_WORKERS), thread_name_prefix="worker") as pool:
        # Asked before anybody is at work, so that a run can be told as soon as somebody is that the crew may change.
        beside = int(job.should_start_worker())
        ends = [pool.submit(work) for _ in range(job.workers + beside)]
        while wait(ends, WORKER_CHECK_PERIOD).not_done:
            while job.should_start_worker():
                ends.append(pool.submit(work))
    raise_failures([end.exception() for end in ends])


def raise_failures(ends: Iterable[BaseException | None]) -> None:
    """Raise what workers ended with: nothing, the one failure, or a ``BaseExceptionGroup`` of them."""
    failures = [error for error in ends if error is not None]
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise BaseExceptionGroup("several workers failed", failures)
