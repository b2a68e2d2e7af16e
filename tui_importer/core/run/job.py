"""The job of a strategy: batches from the queue, writers with their sessions, and the totals of what they commit."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

from tui_importer.core.conversion.mapping import ColumnMapping
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.counters import WorkerCounters, WorkerState
from tui_importer.core.scheduling.batch_queue import BatchQueue
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.scheduling.stalls import on_behalf_of
from tui_importer.core.scheduling.worker_count import MAX_WORKERS, WorkerCount
from tui_importer.core.writing.backend import AsyncSession, Backend, Destination, Session
from tui_importer.core.writing.batch_writer import BatchWriter, SessionFactory, run, run_async
from tui_importer.core.writing.suppressed_rows import SuppressedRows
from tui_importer.errors import DatabaseError, StoppedError, WorkerError
from tui_importer.events import (
    AnyEvent,
    BatchCommitted,
    Reject,
    Retrying,
    RowRejected,
    WorkerFailed,
    WorkerFinished,
    WorkerStarted,
)

#: A percentage of rejects is only checked from this many completed rows on.
MIN_ROWS_FOR_PERCENT = 1_000
#: How often a waiting asyncio task checks whether the run is stopping, in seconds.
_REST_SLICE = 0.1


class RejectSink(Protocol):
    """Stores rejects. Called by one thread at a time; raises an error rather than lose one."""

    def add_many(self, rejects: Iterable[Reject]) -> None: ...


class RejectLimit(Protocol):
    """``--max-rejects``: whether ``rejected`` of ``completed`` rows are too many."""

    def __call__(self, rejected: int, completed: int) -> bool: ...


def reject_limit(text: str | None) -> RejectLimit:
    """Parse a limit, ``"N"`` rows or ``"P%"`` of the completed rows; None means no limit. The text is valid."""
    if text is None:
        return lambda rejected, completed: False
    if text.endswith("%"):
        share = float(text[:-1]) / 100
        return lambda rejected, completed: completed >= MIN_ROWS_FOR_PERCENT and rejected > share * completed
    most = int(text)
    return lambda rejected, completed: rejected > most


class ImportJob:
    """Implements :class:`tui_importer.core.scheduling.strategy.Job` and observes its writers."""

    def __init__(
        self,
        *,
        workers: int,
        queue: BatchQueue,
        control: RunControl,
        backend: Backend,
        mapping: ColumnMapping,
        destination: Destination,
        rejects: RejectSink,
        max_rejects: str | None,
        retry_for: float,
        emit: Callable[[AnyEvent], None],
    ) -> None:
        self.workers = workers
        self.worker_count = WorkerCount(workers)
        self.counters: list[WorkerCounters] = []
        self.ended = False
        self.suppressed = SuppressedRows()
        self.defaults = Counter[str]()
        self._queue = queue
        self._control = control
        self._backend = backend
        self._mapping = mapping
        self._destination = destination
        self._rejects = rejects
        self._too_many = reject_limit(max_rejects)
        self._max_rejects = max_rejects
        self._retry_for = retry_for
        self._emit = emit
        self._take_pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._completed = 0
        self._rejected = 0

    def batches(self) -> Iterator[Batch]:
        return iter(self._queue.take, None)

    async def next_batch(self) -> Batch | None:
        import asyncio  # takes 60 ms, and only asyncio strategies need it

        # Not the loop's default executor: tasks waiting for a batch would occupy the threads that write one.
        if self._take_pool is None:
            self._take_pool = ThreadPoolExecutor(max(self.workers, MAX_WORKERS), thread_name_prefix="taking")
        return await asyncio.get_running_loop().run_in_executor(self._take_pool, self._queue.take)

    def close(self) -> None:
        """End the job after the strategy has returned; no thread is left."""
        self.ended = True
        if self._take_pool is not None:
            self._take_pool.shutdown()

    def should_start_worker(self) -> bool:
        return self.worker_count.should_start_worker() and not self._control.stopping

    def should_stop_worker(self) -> bool:
        return self.worker_count.should_stop_worker()

    def rest(self, seconds: float) -> bool:
        return not self._control.wait(seconds)

    async def async_rest(self, seconds: float) -> bool:
        import asyncio

        until = time.monotonic() + seconds
        while not self._control.stopping and (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, _REST_SLICE))
        return not self._control.stopping

    def pause(self) -> None:
        """Wait until a paused run resumes or begins to stop."""
        self._control.wait_while_paused()

    async def async_pause(self) -> None:
        """The same without blocking the event loop."""
        import asyncio

        while self._control.paused and not self._control.stopping:
            await asyncio.sleep(_REST_SLICE)

    @contextmanager
    def writer(self) -> Iterator[ThreadWriter]:
        counters = self._new_worker()
        with self._ending(counters), on_behalf_of(counters.worker):
            writer = self._batch_writer(_ThreadSessionFactory(self, self._backend, self._destination), counters)
            try:
                with self._control.cancelling(writer.cancel):
                    run(writer.connect())
                    self._started(counters)
                    yield ThreadWriter(writer)
            finally:
                run(writer.close())

    @asynccontextmanager
    async def async_writer(self) -> AsyncIterator[TaskWriter]:
        counters = self._new_worker()
        with self._ending(counters), on_behalf_of(counters.worker):
            writer = self._batch_writer(_TaskSessionFactory(self, self._backend, self._destination), counters)
            try:
                with self._control.cancelling(writer.cancel):
                    await run_async(writer.connect())
                    self._started(counters)
                    yield TaskWriter(writer)
            finally:
                await run_async(writer.close())

    def _batch_writer(self, sessions: SessionFactory, counters: WorkerCounters) -> BatchWriter:
        return BatchWriter(sessions, self._mapping, counters, self, self._control, self._retry_for)

    def committed(self, event: BatchCommitted, rejects: list[Reject]) -> None:
        """Account for a committed batch. Its rejects are stored before any event is emitted."""
        with self._lock:
            if rejects:
                self._rejects.add_many(rejects)
            self.suppressed.add(event)
            self.defaults.update(event.defaults)
            self._rejected += event.rejected
            self._completed += event.inserted + event.updated + event.skipped + event.rejected
            too_many = self._too_many(self._rejected, self._completed)
        self._emit(event)
        for reject in rejects:
            self._emit(RowRejected(worker=event.worker, reject=reject))
        if too_many:
            self._control.stop(f"more than {self._max_rejects} rows were rejected (--max-rejects)")

    def retrying(self, event: Retrying) -> None:
        self._emit(event)

    def worker_failed(self, failure: WorkerError) -> None:
        self._emit(
            WorkerFailed(
                worker=failure.worker, first_row=failure.first_row, last_row=failure.last_row, error=failure.why
            )
        )

    def _new_worker(self) -> WorkerCounters:
        with self._lock:
            counters = WorkerCounters(worker=len(self.counters) + 1)
            self.counters.append(counters)
        return counters

    def _started(self, counters: WorkerCounters) -> None:
        counters.state = WorkerState.IDLE
        self._emit(WorkerStarted(worker=counters.worker))

    @contextmanager
    def _ending(self, counters: WorkerCounters) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            counters.state = WorkerState.FAILED
            if self._control.aborting and isinstance(error, DatabaseError):
                raise StoppedError(self._control.reason) from error  # cancelled by the abort
            # The other workers finish their current batch; otherwise they would wait for more forever.
            self._control.stop(str(error) or type(error).__name__)
            raise
        counters.state = WorkerState.DONE
        self._emit(WorkerFinished(worker=counters.worker))


class ThreadWriter:
    """Implements :class:`tui_importer.core.scheduling.strategy.Writer`."""

    def __init__(self, writer: BatchWriter) -> None:
        self._writer = writer

    @property
    def worker(self) -> int:
        return self._writer.worker

    def write(self, batch: Batch) -> None:
        run(self._writer.batch(batch))

    def write_each(self, batch: Batch) -> None:
        run(self._writer.each(batch))


class TaskWriter:
    """Implements :class:`tui_importer.core.scheduling.strategy.AsyncWriter`."""

    def __init__(self, writer: BatchWriter) -> None:
        self._writer = writer

    @property
    def worker(self) -> int:
        return self._writer.worker

    async def write(self, batch: Batch) -> None:
        await run_async(self._writer.batch(batch))

    async def write_each(self, batch: Batch) -> None:
        await run_async(self._writer.each(batch))


class _ThreadSessionFactory:
    """Sessions and waits for a worker in a thread."""

    def __init__(self, job: ImportJob, backend: Backend, destination: Destination) -> None:
        self._job = job
        self._backend = backend
        self._destination = destination

    def open(self) -> Session:
        return self._backend.open_session(self._destination)

    def rest(self, seconds: float) -> bool:
        return self._job.rest(seconds)

    def pause(self) -> None:
        self._job.pause()


class _TaskSessionFactory:
    """Sessions and waits for a worker in a task."""

    def __init__(self, job: ImportJob, backend: Backend, destination: Destination) -> None:
        self._job = job
        self._backend = backend
        self._destination = destination

    async def open(self) -> AsyncSession:
        return await self._backend.open_async_session(self._destination)

    async def rest(self, seconds: float) -> bool:
        return await self._job.async_rest(seconds)

    async def pause(self) -> None:
        await self._job.async_pause()
