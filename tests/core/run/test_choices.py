"""How many workers and rows a batch: as asked, within what strategy and database can do."""

from __future__ import annotations

from typing import Any

import pytest

from tui_importer.core.model.plan import WORKERS, Options, Plan, Source, Target
from tui_importer.core.run.choices import (
    MAX_BATCH_SIZE,
    MIN_BATCH_SIZE,
    Choices,
    check_worker_count,
    choose,
    choose_batch_size,
)
from tui_importer.core.scheduling.worker_count import MAX_WORKERS
from tui_importer.errors import UsageError


class WithWorkerLimit:
    """A strategy, or a database, that knows so many workers."""

    writer_note = "it takes few"

    def __init__(self, most: int | None) -> None:
        self.max_workers = self.max_writers = most

    def run(self, job: Any) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("asked", "strategy", "database", "workers", "fewer"),
    [
        (None, None, None, WORKERS, False),
        (7, None, None, 7, False),
        (7, 3, None, 3, False),
        (7, 3, 2, 2, True),
        (None, None, 1, 1, False),
        (2, None, 1, 1, True),
    ],
)
def test_worker_count_is_limited_by_strategy_and_database(
    asked: int | None, strategy: int | None, database: int | None, workers: int, fewer: bool
) -> None:
    backend: Any = WithWorkerLimit(database)
    plan = Plan(source=Source(file="a.csv"), options=Options(workers=asked))
    found = choose(plan, WithWorkerLimit(strategy), backend, None)
    assert (found.workers, found.fewer_than_asked, found.max_writers) == (workers, fewer, database)


def test_order_dependent_mode_uses_one_worker() -> None:
    backend: Any = WithWorkerLimit(None)
    target = Target(mode="upsert", key=("id",))
    plan = Plan(source=Source(file="a.csv"), target=target, options=Options(workers=4))
    found = choose(plan, WithWorkerLimit(None), backend, None)
    assert (found.workers, found.max_writers, found.fewer_than_asked) == (1, 1, True)
    assert "in the order of the sheet" in found.writer_note


@pytest.mark.parametrize(
    ("options", "rows", "size"),
    [
        (Options(), None, MIN_BATCH_SIZE),
        (Options(), 1_000, MIN_BATCH_SIZE),
        (Options(), 60_000, 3_000),
        (Options(), 10_000_000, MAX_BATCH_SIZE),
        (Options(batch_size=7), 10_000_000, 7),
        (Options(max_rate=100), 10_000_000, 100),
        (Options(batch_size=7, max_rate=100), None, 7),
        (Options(max_rate=0.1), None, 1),
    ],
)
def test_batch_size_follows_options_and_row_count(options: Options, rows: int | None, size: int) -> None:
    assert choose_batch_size(options, 2, rows) == size


def test_workers_can_be_changed_within_the_limits() -> None:
    def check(workers: int, strategy: int | None, database: int | None) -> None:
        choices = Choices(2, MIN_BATCH_SIZE, database, "it takes few", fewer_than_asked=False)
        check_worker_count(workers, WithWorkerLimit(strategy), "s", choices)

    check(1, 1, None)
    check(MAX_WORKERS, None, None)
    for workers, strategy, database, why in (
        (2, 1, None, "strategy 's' works with one worker"),
        (0, 4, None, "strategy 's' takes 1 to 4 workers"),
        (MAX_WORKERS + 1, None, None, f"strategy 's' takes 1 to {MAX_WORKERS} workers"),
        (3, 4, 2, "it takes few"),
    ):
        with pytest.raises(UsageError, match=f"^{why}$"):
            check(workers, strategy, database)
