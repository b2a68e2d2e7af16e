"""The strategy protocol: a strategy decides which worker writes which batch when, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.batch_outcome import BatchOutcome


class Writer(Protocol):
    """Writes batches through one connection. It handles transactions, bad rows, counters and events.

    Both methods return what has been committed. A strategy need not use that: it is in the run's account already.
    """

    @property
    def worker(self) -> int:
        """The worker's number, from 1."""

    def write(self, batch: Batch) -> BatchOutcome:
        """Write a batch as one transaction."""

    def write_each(self, batch: Batch) -> BatchOutcome:
        """Write a batch row by row: one INSERT and one commit per row."""


class AsyncWriter(Protocol):
    """:class:`Writer` for asyncio."""

    @property
    def worker(self) -> int: ...

    async def write(self, batch: Batch) -> BatchOutcome: ...

    async def write_each(self, batch: Batch) -> BatchOutcome: ...


class Job(Protocol):
    """The work that a strategy schedules."""

    @property
    def workers(self) -> int:
        """The number of workers to start: what the user asked for, within the database's limit."""

    def batches(self) -> Iterator[Batch]:
        """The batches, each returned once. Thread-safe; blocks until the reader has one.

        Ends when there are no more or the run is stopping.
        """

    async def next_batch(self) -> Batch | None:
        """The same without blocking the event loop; None at the end."""

    def should_start_worker(self) -> bool:
        """Whether to start another worker; True once for each one.

        If a strategy never calls this, its number of workers cannot be changed during the run.
        """

    def should_stop_worker(self) -> bool:
        """Whether the calling worker, between two batches, should end because there are too many."""

    def rest(self, seconds: float) -> bool:
        """Wait for this time, but not after the run begins to stop; False if it is stopping."""

    async def async_rest(self, seconds: float) -> bool:
        """The same without blocking the event loop."""

    def writer(self) -> AbstractContextManager[Writer]:
        """Open a connection for one worker; it must be used by one thread at a time and closed by the same thread."""

    def async_writer(self) -> AbstractAsyncContextManager[AsyncWriter]:
        """The same for asyncio."""


class Strategy(Protocol):
    """A schedule of batches over workers.

    ``max_workers`` is the number of workers that it can use (None: any number).
    """

    max_workers: int | None

    def run(self, job: Job) -> None:
        """Write all batches of the job; return when the last one is written.

        Raises what a worker raised. No thread or task of the strategy may be left then. Where the first or the last row
        of a key wins, the job has one worker, and its writer takes batches only in the order of :meth:`Job.batches`.
        """
