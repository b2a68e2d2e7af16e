"""The queue between reader and workers, the control of a run, and the rate limit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.scheduling.batch_queue import QUEUE_BATCHES, BatchQueue, RateLimiter
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.errors import ExitCode


def batch(number: int) -> Batch:
    column = ListColumn([number])
    return Batch(number=number, sheet="S", first_row=1, last_row=1, rows=[1], columns=(column,), origin=(column,))


def queue_with(control: RunControl, capacity: int = QUEUE_BATCHES) -> BatchQueue:
    queue = BatchQueue(control, capacity)
    control.on_change(queue.wake)
    return queue


def test_queue_delivers_each_batch_once_and_respects_its_capacity() -> None:
    queue = queue_with(RunControl(), capacity=3)
    depths: list[int] = []

    def consume() -> list[int]:
        taken = []
        while (one := queue.take()) is not None:
            depths.append(queue.depth)
            taken.append(one.number)
        return taken

    with ThreadPoolExecutor(4) as pool:
        consumers = [pool.submit(consume) for _ in range(4)]
        for number in range(500):
            assert queue.put(batch(number))
            depths.append(queue.depth)
        queue.end()
        taken = [consumer.result(60) for consumer in consumers]
    assert sorted(number for numbers in taken for number in numbers) == list(range(500))
    assert all(numbers == sorted(numbers) for numbers in taken)
    assert max(depths) <= 3


@pytest.mark.parametrize("ending", ["stop", "abort", "abandon"])
def test_stop_wakes_a_reader_waiting_for_room(ending: str) -> None:
    control = RunControl()
    queue = queue_with(control, capacity=1)
    assert queue.put(batch(1))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(queue.put, batch(2))
        {"stop": lambda: control.stop("x"), "abort": lambda: control.abort("x"), "abandon": queue.abandon}[ending]()
        assert waiting.result(60) is False
    control.close()
    assert queue.depth == 1


@pytest.mark.parametrize("ending", ["stop", "abort", "end"])
def test_stop_wakes_workers_waiting_for_a_batch(ending: str) -> None:
    control = RunControl()
    queue = queue_with(control)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(queue.take) for _ in range(3)]
        {"stop": lambda: control.stop("x"), "abort": lambda: control.abort("x"), "end": queue.end}[ending]()
        assert [one.result(60) for one in waiting] == [None] * 3
    control.close()


def test_first_stop_reason_is_kept() -> None:
    control = RunControl()
    assert control.stop("first", ExitCode.SIGINT)
    assert not control.stop("second", ExitCode.FAILED)
    assert control.abort("third")
    assert not control.abort("fourth")
    control.close()
    assert (control.reason, control.exit_code, control.stopping, control.aborting) == (
        "first",
        ExitCode.SIGINT,
        True,
        True,
    )


def test_abort_repeats_cancel_requests_until_the_end() -> None:
    control, twice, late = RunControl(), threading.Event(), threading.Event()
    calls: list[int] = []

    def cancel() -> None:
        calls.append(1)
        if len(calls) >= 2:
            twice.set()
        raise RuntimeError("a stranger's defect keeps nobody else from being cancelled")

    with control.cancelling(cancel):
        control.abort("x")
        with control.cancelling(late.set):
            assert twice.wait(60)
            assert late.wait(60)
    control.close()
    assert not any(thread.name == "canceller" for thread in threading.enumerate())


def test_end_of_the_run_wakes_all_waiters() -> None:
    for stopped in (True, False):
        control = RunControl()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(control.wait, 60)
            if stopped:
                control.stop("x")
            else:
                control.close()
            assert waiting.result(60) is True
    assert RunControl().wait(0.001) is False


@given(
    rate=st.floats(1, 1e6),
    batches=st.lists(st.tuples(st.integers(1, 5_000), st.floats(0, 3)), min_size=1, max_size=30),
)
def test_rate_limit_holds_between_any_two_batches(rate: float, batches: list[tuple[int, float]]) -> None:
    """The rows between any two batches never exceed the rate times the elapsed time."""
    now = 100.0
    sent: list[tuple[float, int]] = []

    def wait(seconds: float) -> bool:
        nonlocal now
        now += seconds
        return False

    limiter = RateLimiter(rate, wait, lambda: now)
    for rows, pause in batches:
        now += pause
        assert limiter.acquire(rows)
        sent.append((now, rows))
    for start in range(len(sent)):
        for stop in range(start + 1, len(sent)):
            rows = sum(count for _, count in sent[start:stop])
            assert rows <= (sent[stop][0] - sent[start][0]) * rate * (1 + 1e-6) + 1e-6


def test_rate_limiter_stops_waiting_when_the_run_ends() -> None:
    clock: Callable[[], float] = lambda: 0.0  # noqa: E731
    limiter = RateLimiter(1.0, lambda seconds: True, clock)
    assert limiter.acquire(10)
    assert not limiter.acquire(1)
