"""The job of a strategy: batches from the queue, and writers whose outcomes go to the run's account."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.batch_outcome import BatchOutcome
from tui_importer.core.model.counters import WorkerCounters, WorkerState
from tui_importer.core.run.account import Account
from tui_importer.core.run.file_order import FileOrder
from tui_importer.core.run.live_counters import LiveCounters
from tui_importer.core.scheduling.batch_queue import BatchQueue
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.scheduling.stalls import on_behalf_of
from tui_importer.core.scheduling.worker_count import MAX_WORKERS, WorkerCount
from tui_importer.core.writing.backend import AsyncSession, Backend, Destination, Session
from tui_importer.core.writing.batch_writer import BatchWriter
from tui_importer.core.writing.operation import run, run_async
from tui_importer.core.writing.writer_spec import WriterSpec
from tui_importer.errors import DatabaseError, StoppedError, WorkerError
from tui_importer.events import (
    AnyEvent,
    BatchCommitted,
    RowRejected,
    WorkerFailed,
    WorkerFinished,
    WorkerStarted,
)

#: How often a waiting asyncio task checks whether the run is stopping, in seconds.
_REST_SLICE = 0.1


class ImportJob:
    """Implements :class:`tui_importer.core.writing.remote_writer.RemoteJob`.

    ``spec`` is what its writers are made from, ``account`` adds up their outcomes, and ``counters`` show each worker.
    """

    def __init__(
        self,
        *,
        workers: int,
        queue: BatchQueue,
        control: RunControl,
        backend: Backend,
        spec: WriterSpec,
        account: Account,
        emit: Callable[[AnyEvent], None],
    ) -> None:
        self.workers = workers
        self.worker_count = WorkerCount(workers)
        self.spec = spec
        self.account = account
        self.counters: list[WorkerCounters] = []
        self.ended = False
        self._queue = queue
        self._order = FileOrder(matters=spec.destination.mode.order_matters)
        self._control = control
        self._backend = backend
        self._emit = emit
        self._take_pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def batches(self) -> Iterator[Batch]:
        return iter(self._take, None)

    async def next_batch(self) -> Batch | None:
        import asyncio  # takes 60 ms, and only asyncio strategies need it

        # Not the loop's default executor: tasks waiting for a batch would occupy the threads that write one.
        if self._take_pool is None:
            self._take_pool = ThreadPoolExecutor(max(self.workers, MAX_WORKERS), thread_name_prefix="taking")
        return await asyncio.get_running_loop().run_in_executor(self._take_pool, self._take)

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
        """Wait while the run is paused, unless it begins to stop."""
        self._control.wait_while_paused()

    async def async_pause(self) -> None:
        """The same without blocking the event loop."""
        import asyncio

        while self._control.paused and not self._control.stopping:
            await asyncio.sleep(_REST_SLICE)

    @contextmanager
    def writer(self) -> Iterator[ThreadWriter]:
        observer = self._new_worker()
        counters = observer.counters
        with self._ending(counters), on_behalf_of(counters.worker):
            sessions = _ThreadSessionFactory(self, self._backend, self.spec.destination)
            writer = BatchWriter(self.spec, counters.worker, sessions, self._control, observer)
            try:
                with self._control.cancelling(writer.cancel):
                    run(writer.connect())
                    self._started(counters)
                    yield ThreadWriter(self, writer, observer)
            finally:
                run(writer.close())

    @asynccontextmanager
    async def async_writer(self) -> AsyncIterator[TaskWriter]:
        observer = self._new_worker()
        counters = observer.counters
        with self._ending(counters), on_behalf_of(counters.worker):
            sessions = _TaskSessionFactory(self, self._backend, self.spec.destination)
            writer = BatchWriter(self.spec, counters.worker, sessions, self._control, observer)
            try:
                with self._control.cancelling(writer.cancel):
                    await run_async(writer.connect())
                    self._started(counters)
                    yield TaskWriter(self, writer, observer)
            finally:
                await run_async(writer.close())

    @contextmanager
    def remote_worker(self) -> Iterator[CountedRemoteWorker]:
        observer = self._new_worker()
        with self._ending(observer.counters):
            self._started(observer.counters)
            yield CountedRemoteWorker(self, observer)

    @contextmanager
    def accounting(self, writer: BatchWriter, observer: LiveCounters, batch: Batch) -> Iterator[None]:
        """Within the context the batch is written; then its outcome is in the account, even if the rest failed."""
        self._order.check(batch)
        try:
            yield
        except BaseException as error:
            if writer.outcome is not None:
                self.add(writer.outcome, observer)
            if isinstance(error, WorkerError):
                self._emit(
                    WorkerFailed(
                        worker=error.worker, first_row=error.first_row, last_row=error.last_row, error=error.why
                    )
                )
            raise
        if writer.outcome is not None:
            self.add(writer.outcome, observer)

    def add(self, outcome: BatchOutcome, observer: LiveCounters) -> None:
        """Account for an outcome. Its rejects are stored before any event is emitted."""
        stop_reason = self.account.add(outcome)
        observer.accounted(outcome, self.account.of_worker(outcome.worker))
        if outcome.last_row is None:
            return
        self._emit(
            BatchCommitted(
                worker=outcome.worker,
                first_row=outcome.first_row,
                last_row=outcome.last_row,
                inserted=outcome.inserted,
                updated=outcome.updated,
                skipped=outcome.skipped,
                rejected=len(outcome.rejects),
                seconds=outcome.seconds,
                skipped_rows=outcome.skipped_rows,
                defaults=dict(outcome.defaults),
            )
        )
        for reject in outcome.rejects:
            self._emit(RowRejected(worker=outcome.worker, reject=reject))
        if stop_reason is not None:
            self._control.stop(stop_reason)

    def _take(self) -> Batch | None:
        return self._order.took(self._queue.take())

    def _new_worker(self) -> LiveCounters:
        with self._lock:
            counters = WorkerCounters(worker=len(self.counters) + 1)
            self.counters.append(counters)
        return LiveCounters(counters, self._emit)

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

    def __init__(self, job: ImportJob, writer: BatchWriter, observer: LiveCounters) -> None:
        self._job = job
        self._writer = writer
        self._observer = observer

    @property
    def worker(self) -> int:
        return self._writer.worker

    def write(self, batch: Batch) -> BatchOutcome:
        with self._job.accounting(self._writer, self._observer, batch):
            return run(self._writer.write(batch))

    def write_each(self, batch: Batch) -> BatchOutcome:
        with self._job.accounting(self._writer, self._observer, batch):
            return run(self._writer.write_each(batch))


class TaskWriter:
    """Implements :class:`tui_importer.core.scheduling.strategy.AsyncWriter`."""

    def __init__(self, job: ImportJob, writer: BatchWriter, observer: LiveCounters) -> None:
        self._job = job
        self._writer = writer
        self._observer = observer

    @property
    def worker(self) -> int:
        return self._writer.worker

    async def write(self, batch: Batch) -> BatchOutcome:
        with self._job.accounting(self._writer, self._observer, batch):
            return await run_async(self._writer.write(batch))

    async def write_each(self, batch: Batch) -> BatchOutcome:
        with self._job.accounting(self._writer, self._observer, batch):
            return await run_async(self._writer.write_each(batch))


class CountedRemoteWorker:
    """Implements :class:`tui_importer.core.writing.remote_writer.RemoteWorker`."""

    def __init__(self, job: ImportJob, observer: LiveCounters) -> None:
        self._job = job
        self._observer = observer

    @property
    def worker(self) -> int:
        return self._observer.counters.worker

    @property
    def spec(self) -> WriterSpec:
        return self._job.spec

    def add(self, outcome: BatchOutcome) -> None:
        self._job.add(outcome, self._observer)


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
