"""What a strategy plugin is: it decides which worker writes which batch when, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

from tui_importer.core.model.batch import Batch


class Writer(Protocol):
    """A worker's hand: one connection. It owns transactions, isolation of bad rows, counters and events."""

    @property
    def worker(self) -> int:
        """The worker's number, from 1."""

    def write(self, batch: Batch) -> None:
        """Write a batch as one transaction."""

    def write_each(self, batch: Batch) -> None:
        """Write a batch row by row: one INSERT and one commit a row."""


class AsyncWriter(Protocol):
    """:class:`Writer` for asyncio."""

    @property
    def worker(self) -> int: ...

    async def write(self, batch: Batch) -> None: ...

    async def write_each(self, batch: Batch) -> None: ...


class Job(Protocol):
    """What a strategy is given to do."""

    @property
    def workers(self) -> int:
        """How many workers to begin with: what the user asked for, within what the database can take."""

    def batches(self) -> Iterator[Batch]:
        """The batches, each handed out once. Safe from several threads; blocks until the reader has one.

        It ends when there are no more or when the run is being stopped.
        """

    async def next_batch(self) -> Batch | None:
        """The same without blocking the event loop; None at the end."""

    def should_start_worker(self) -> bool:
        """Whether another worker is wanted beside those at work: True once for each that is to begin.

        A strategy that never asks keeps the workers that it began with, whatever the user of a live run wants.
        """

    def should_stop_worker(self) -> bool:
        """Whether the worker that asks, between two batches, is one too many: then it is to end."""

    def rest(self, seconds: float) -> bool:
        """Wait, but no longer than until the run is being stopped; False when it is."""

    async def async_rest(self, seconds: float) -> bool:
        """The same without blocking the event loop."""

    def writer(self) -> AbstractContextManager[Writer]:
        """Open a connection for one worker, to be used by one thread at a time and closed by it."""

    def async_writer(self) -> AbstractAsyncContextManager[AsyncWriter]:
        """The same for asyncio."""


class Strategy(Protocol):
    """A schedule of batches over workers.

    ``max_workers`` is how many workers it can use (None: any number).
    """

    max_workers: int | None

    def run(self, job: Job) -> None:
        """Write all batches of the job, and return when the last one is written.

        Raises what a worker raised; by then no thread or task of the strategy is left.
        """
