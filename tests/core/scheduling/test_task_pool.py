"""What only tasks have to keep; what they share with threads is in ``test_pool.py``."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.core.scheduling.test_worker_pool import Work
from tui_importer.core.scheduling.task_pool import run_tasks


def test_tasks_run_concurrently() -> None:
    """Each task waits for the other, which would deadlock if they ran one after another."""

    async def carry_out() -> Work:
        work: Any = Work(workers=2, batches=2)
        together = asyncio.Barrier(2)

        async def write(writer: Any, batch: Any) -> None:
            await together.wait()
            writer.write(batch)

        await asyncio.wait_for(run_tasks(work, write), 60)
        return work  # type: ignore[no-any-return]

    assert sorted(asyncio.run(carry_out()).done) == [0, 1]


def test_no_task_remains_after_one_fails() -> None:
    async def carry_out() -> int:
        work: Any = Work(workers=3, batches=9)

        async def write(writer: Any, batch: Any) -> None:
            await asyncio.sleep(0)
            if batch == 1:
                raise ValueError("a defect")
            writer.write(batch)

        with pytest.raises(ValueError, match="a defect"):
            await run_tasks(work, write)
        assert sorted(work.done) == [0, *range(2, 9)]
        return len(asyncio.all_tasks())

    assert asyncio.run(carry_out()) == 1  # this one
