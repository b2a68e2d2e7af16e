"""The worker pool of thread-based strategies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait

from tui_importer.core.model.batch import Batch
from tui_importer.core.scheduling.strategy import Job, Writer
from tui_importer.core.scheduling.worker_count import MAX_WORKERS

#: How often a pool checks whether more workers are wanted, in seconds: soon enough after a key press.
WORKER_CHECK_PERIOD = 0.2


def run_workers(job: Job, write: Callable[[Writer, Batch], object]) -> None:
    """Write all batches with ``job.workers`` threads, each with its own connection.

    The number of threads follows the job's worker count. Raises what a worker raised, or a ``BaseExceptionGroup`` if
    several did; every thread has ended by then. The failure of one worker ends the job's batches, so the others finish
    their current batch and end too.
    """

    def work() -> None:
        with job.writer() as writer:
            for batch in job.batches():
                write(writer, batch)
                if job.should_stop_worker():
                    return

    with ThreadPoolExecutor(max(job.workers, MAX_WORKERS), thread_name_prefix="worker") as pool:
        # Asked before any worker starts, so that the worker count can be changed as soon as one has.
        extra = int(job.should_start_worker())
        futures = [pool.submit(work) for _ in range(job.workers + extra)]
        while wait(futures, WORKER_CHECK_PERIOD).not_done:
            while job.should_start_worker():
                futures.append(pool.submit(work))
    raise_failures([future.exception() for future in futures])


def raise_failures(errors: Iterable[BaseException | None]) -> None:
    """Raise the failures of workers: the one error, a ``BaseExceptionGroup`` of several, or nothing."""
    failures = [error for error in errors if error is not None]
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise BaseExceptionGroup("several workers failed", failures)
