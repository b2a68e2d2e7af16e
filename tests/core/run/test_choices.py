"""How many workers and rows a batch: as asked or as is best, within what strategy and database can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tui_importer.core.model.plan import WORKERS, Options, Plan, Source, Target
from tui_importer.core.run.choices import (
    BATCH_CHARACTERS,
    FAR_BATCH_SIZE,
    FAR_ROUND_TRIP,
    MIN_BATCH_SIZE,
    NEAR_BATCH_SIZE,
    Choices,
    check_worker_count,
    choose,
    choose_batch_size,
    choose_workers,
)
from tui_importer.core.scheduling.worker_count import MAX_WORKERS
from tui_importer.errors import UsageError


@dataclass(frozen=True)
class Rows:
    """So many rows of so many characters."""

    row_hint: int | None = None
    row_characters: float = 100.0
    guess: int | None = None

    @property
    def likely_rows(self) -> int | None:
        return self.guess if self.row_hint is None else self.row_hint


class WithWorkerLimit:
    """A strategy, or a database, that knows so many workers."""

    writer_note = "it takes few"

    def __init__(self, most: int | None) -> None:
        self.max_workers = self.max_writers = most

    def run(self, job: Any) -> None:
        raise NotImplementedError


def test_unknown_number_of_rows_is_guessed_from_the_size_of_the_file() -> None:
    assert choose_batch_size(Options(), 2, Rows()) == (MIN_BATCH_SIZE, "the number of rows is unknown")
    rows, why = choose_batch_size(Options(), 2, Rows(guess=1_234_567))
    assert (rows, why) == (NEAR_BATCH_SIZE, "there are about 1,234,567 rows, by the size of the file")
    assert choose_batch_size(Options(), 2, Rows(row_hint=9, guess=1_234_567))[0] == MIN_BATCH_SIZE


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
    found = choose(plan, WithWorkerLimit(strategy), backend, Rows())
    assert (found.workers, found.fewer_than_asked, found.max_writers) == (workers, fewer, database)


def test_order_dependent_mode_uses_one_worker() -> None:
    backend: Any = WithWorkerLimit(None)
    target = Target(mode="upsert", key=("id",))
    plan = Plan(source=Source(file="a.csv"), target=target, options=Options(workers=4))
    found = choose(plan, WithWorkerLimit(None), backend, Rows())
    assert (found.workers, found.max_writers, found.fewer_than_asked) == (1, 1, True)
    assert "in the order of the sheet" in found.writer_note


@pytest.mark.parametrize(
    ("options", "extent", "round_trip", "size"),
    [
        (Options(), Rows(), None, MIN_BATCH_SIZE),
        (Options(), Rows(1_000), None, MIN_BATCH_SIZE),
        (Options(), Rows(60_000), None, 6_000),
        (Options(), Rows(10_000_000), 0.0001, NEAR_BATCH_SIZE),
        (Options(), Rows(10_000_000), FAR_ROUND_TRIP, FAR_BATCH_SIZE),
        (Options(), Rows(60_000), FAR_ROUND_TRIP, 15_000),
        (Options(), Rows(), FAR_ROUND_TRIP, FAR_BATCH_SIZE),
        (Options(), Rows(10_000_000, BATCH_CHARACTERS / 50), None, 50),
        (Options(), Rows(10_000_000, BATCH_CHARACTERS * 2), None, 1),
        (Options(batch_size=7), Rows(10_000_000, BATCH_CHARACTERS), FAR_ROUND_TRIP, 7),
        (Options(max_rate=100), Rows(10_000_000), None, 100),
        (Options(batch_size=7, max_rate=100), Rows(), None, 7),
        (Options(max_rate=0.1), Rows(), None, 1),
    ],
)
def test_batch_size_follows_options_rows_and_distance(
    options: Options, extent: Rows, round_trip: float | None, size: int
) -> None:
    assert choose_batch_size(options, 2, extent, round_trip)[0] == size


def test_far_database_gets_more_workers() -> None:
    seconds = (None, 0.0, FAR_ROUND_TRIP, 0.020, 0.040, 10.0)
    assert [choose_workers(each)[0] for each in seconds] == [WORKERS, WORKERS, 3, 4, 5, 8]


@pytest.mark.parametrize(
    ("options", "rows", "workers", "batches"),
    [
        (Options(), 0, 1, "1 batch"),
        (Options(), MIN_BATCH_SIZE, 1, "1 batch"),
        (Options(), MIN_BATCH_SIZE + 1, 2, None),
        (Options(batch_size=10), 11, 2, None),
        (Options(workers=3), 1, 3, None),
    ],
)
def test_no_worker_is_made_that_would_have_no_batch(
    options: Options, rows: int, workers: int, batches: str | None
) -> None:
    backend: Any = WithWorkerLimit(None)
    found = choose(Plan(source=Source(file="a.xlsx"), options=options), WithWorkerLimit(None), backend, Rows(rows))
    assert found.workers == workers
    reasons = [each.reason for each in found.chosen if each.setting == "workers"]
    assert batches is None or reasons == [f"the rows make {batches}"]


def test_each_choice_is_given_with_its_reason() -> None:
    def chosen(most: int | None, round_trip: float | None, **options: Any) -> list[tuple[str, int, str]]:
        backend: Any = WithWorkerLimit(most)
        backend.round_trip = round_trip
        plan = Plan(source=Source(file="a.csv"), options=Options(**options))
        found = choose(plan, WithWorkerLimit(None), backend, Rows(100_000)).chosen
        return [(each.setting, each.value, each.reason) for each in found]

    assert chosen(None, 0.020) == [
        ("workers", 4, "the database is far (20 ms a round trip), so several wait at a time"),
        ("batch_size", 12_500, "there are about 100,000 rows, and each batch waits for several answers"),
    ]
    assert chosen(1, 0.0001, max_rate=10) == [
        ("workers", 1, "it takes few"),
        ("batch_size", 10, "more are not allowed in a second (--max-rate)"),
    ]
    assert chosen(None, 0.0001, workers=3) == [("batch_size", 6_666, "there are about 100,000 rows")]
    assert chosen(None, 0.0001, workers=3, batch_size=5) == []


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
