"""Workers in threads and in tasks: every batch once, failures gathered, nobody left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from tui_importer.core.scheduling.task_pool import run_tasks
from tui_importer.core.scheduling.worker_pool import raise_failures, run_workers


class Work:
    """A job of so many batches, which are numbers. ``more`` workers are wanted beside the first ones."""

    def __init__(self, workers: int, batches: int, more: int = 0, stop: int = 0) -> None:
        self.workers = workers
        self.opened, self.closed = 0, 0
        self.done: list[int] = []
        self._batches = iter(range(batches))
        self._more, self._stop = more, stop
        self._lock = threading.Lock()

    def batches(self) -> Iterator[Any]:
        while (batch := self._take()) is not None:
            yield batch

    async def next_batch(self) -> Any:
        await asyncio.sleep(0)
        return self._take()

    def _take(self) -> int | None:
        with self._lock:
            return next(self._batches, None)

    def should_start_worker(self) -> bool:
        with self._lock:
            self._more -= 1
            return self._more >= 0

    def should_stop_worker(self) -> bool:
        with self._lock:
            self._stop -= 1
            return self._stop >= 0

    @contextmanager
    def writer(self) -> Iterator[Any]:
        with self._lock:
            self.opened += 1
        try:
            yield self
        finally:
            with self._lock:
                self.closed += 1

    @asynccontextmanager
    async def async_writer(self) -> AsyncIterator[Any]:
        with self.writer() as writer:
            yield writer

    def write(self, batch: int) -> None:
        with self._lock:
            self.done.append(batch)


Write = Callable[[Any, Any], None]


def in_threads(work: Any, write: Write) -> None:
    run_workers(work, write)


def in_tasks(work: Any, write: Write) -> None:
    async def awaited(writer: Any, batch: Any) -> None:
        write(writer, batch)

    asyncio.run(run_tasks(work, awaited))


ways = pytest.mark.parametrize("carry_out", [in_threads, in_tasks])


@ways
def test_every_batch_is_written_exactly_once(carry_out: Callable[[Any, Write], None]) -> None:
    work = Work(workers=3, batches=40)
    carry_out(work, lambda writer, batch: writer.write(batch))
    assert sorted(work.done) == list(range(40))
    assert (work.opened, work.closed) == (3, 3)


@ways
def test_additional_workers_start_on_request(carry_out: Callable[[Any, Write], None]) -> None:
    work = Work(workers=1, batches=40, more=1)
    carry_out(work, lambda writer, batch: writer.write(batch))
    assert sorted(work.done) == list(range(40))
    assert (work.opened, work.closed) == (2, 2)


@ways
def test_worker_stops_between_two_batches_on_request(carry_out: Callable[[Any, Write], None]) -> None:
    work = Work(workers=1, batches=40, stop=1)
    carry_out(work, lambda writer, batch: writer.write(batch))
    assert work.done == [0]
    assert (work.opened, work.closed) == (1, 1)


@ways
def test_failing_worker_does_not_end_the_others(carry_out: Callable[[Any, Write], None]) -> None:
    work = Work(workers=2, batches=20)

    def write(writer: Work, batch: int) -> None:
        if batch == 0:
            raise ValueError("a defect")
        writer.write(batch)

    with pytest.raises(ValueError, match="a defect"):
        carry_out(work, write)
    assert sorted(work.done) == list(range(1, 20))
    assert (work.opened, work.closed) == (2, 2)


def test_several_failures_are_raised_as_a_group() -> None:
    raise_failures([None, None])
    errors = [ValueError("a"), KeyError("b")]
    with pytest.raises(BaseExceptionGroup) as caught:
        raise_failures([errors[0], None, errors[1]])
    assert list(caught.value.exceptions) == errors
