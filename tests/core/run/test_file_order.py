"""Batches in the order of the file, where that decides what is in the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.exactly_once.conftest import Importer
from tui_importer import Job, StrategySpec
from tui_importer.core.model.batch import Batch
from tui_importer.core.run.file_order import FileOrder
from tui_importer.errors import PlanError
from tui_importer.testing import registry_with

if TYPE_CHECKING:
    from tests.conftest import Database


def batch(number: int) -> Batch:
    return Batch(number=number, sheet="", first_row=2, last_row=2, rows=range(2, 3), columns=(), origin=())


def test_batches_are_written_in_the_order_in_which_they_were_taken() -> None:
    order = FileOrder(matters=True)
    for number in (1, 2, 3):
        assert order.took(batch(number)) == batch(number)
    assert order.took(None) is None
    order.check(batch(1))
    for number in (1, 3):  # written already, too early
        with pytest.raises(PlanError, match="choose another strategy"):
            order.check(batch(number))
    order.check(batch(2))
    order.check(batch(3))


def test_any_order_will_do_where_rows_are_only_added() -> None:
    order = FileOrder(matters=False)
    for number in (1, 2):
        order.took(batch(number))
    for number in (2, 1, 2):
        order.check(batch(number))


class TwoAtATime:
    """Takes two batches and writes them in an order of its own."""

    max_workers: int | None = 1

    def __init__(self, arrange: Callable[[list[Batch]], Any]) -> None:
        self._arrange = arrange

    def run(self, job: Job) -> None:
        with job.writer() as writer:
            batches = job.batches()
            while pair := [each for each in (next(batches, None), next(batches, None)) if each is not None]:
                for each in self._arrange(pair):
                    writer.write(each)


@pytest.mark.parametrize(("arrange", "code"), [(list, 0), (reversed, 2)], ids=["in order", "backwards"])
def test_upsert_stops_before_the_first_batch_that_is_out_of_order(
    sqlite: Database, tmp_path: Any, arrange: Callable[[list[Batch]], Any], code: int
) -> None:
    importer = Importer(tmp_path)
    importer.write([(number % 4, number) for number in range(40)], header="n,size")
    sqlite.execute("CREATE TABLE t (n integer PRIMARY KEY, size integer)")
    registry = registry_with(StrategySpec("pairs", "", lambda: TwoAtATime(arrange)))
    report = importer.run(sqlite.url, registry=registry, strategy="pairs", batch_size=6, mode="upsert")
    assert report.exit_code == code
    if code:
        assert "the strategy does not write rows in the order of the file" in (report.error or "")
    wanted = [] if code else [(n, 36 + n) for n in range(4)]
    assert sqlite.fetch("SELECT n, size FROM t ORDER BY n") == wanted
    assert importer.run(sqlite.url, mode="upsert").exit_code == 0
    assert sqlite.fetch("SELECT n, size FROM t ORDER BY n") == [(n, 36 + n) for n in range(4)]
