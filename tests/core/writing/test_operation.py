"""Operations are written once and run on plain and on asyncio sessions."""

from __future__ import annotations

import asyncio

import pytest

from tui_importer.core.writing.operation import Operation, run, run_async


def double(value: object) -> Operation[int]:
    """Twice what is yielded, or -1 if that fails with a ValueError."""
    try:
        result: int = yield value
    except ValueError:
        return -1
    return 2 * result


async def later(value: int) -> int:
    if value < 0:
        raise ValueError
    return value


def test_result_is_sent_back_to_the_operation() -> None:
    assert run(double(4)) == 8
    assert asyncio.run(run_async(double(later(4)))) == 8


def test_error_is_raised_inside_the_waiting_operation() -> None:
    assert asyncio.run(run_async(double(later(-1)))) == -1


def test_cancellation_reaches_the_operation() -> None:
    reached: list[BaseException] = []

    def waiting() -> Operation[None]:
        try:
            yield asyncio.sleep(60)
        except BaseException as error:
            reached.append(error)
            raise

    async def cancelled() -> None:
        task = asyncio.create_task(run_async(waiting()))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert [type(error) for error in reached] == [asyncio.CancelledError]
