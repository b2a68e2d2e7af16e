"""The account adds up what writers have committed, wherever and in which order they did."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rejects import RejectStore
from tui_importer.core.model.batch_outcome import BatchOutcome
from tui_importer.core.run.account import MIN_ROWS_FOR_PERCENT, Account, Totals, reject_limit
from tui_importer.core.writing.ledger import Counts
from tui_importer.events import Reject

REJECT = Reject(sheet="S", row=2, faults=(), values=())


OUTCOMES = st.builds(
    BatchOutcome,
    worker=st.integers(1, 3),
    first_row=st.just(2),
    last_row=st.just(9) | st.none(),
    inserted=st.integers(0, 9),
    updated=st.integers(0, 9),
    skipped=st.integers(0, 9),
    rejects=st.lists(st.just(REJECT), max_size=3).map(tuple),
    seconds=st.integers(0, 9).map(float),
    retries=st.integers(0, 9),
    defaults=st.dictionaries(st.sampled_from("ab"), st.integers(1, 9)),
)


@given(st.lists(OUTCOMES, max_size=20))
def test_totals_are_the_sums_of_the_outcomes(outcomes: list[BatchOutcome]) -> None:
    kept = RejectStore()
    account = Account(kept, None)
    with ThreadPoolExecutor(4) as pool:
        assert not any(pool.map(account.add, outcomes))
    total = account.total()
    rows = [Counts(each.inserted, each.updated, each.skipped, len(each.rejects)) for each in outcomes]
    assert total.counts == sum(rows, Counts())
    assert total.retries == sum(each.retries for each in outcomes)
    assert total.batches == sum(each.last_row is not None for each in outcomes)
    assert total.seconds == sum(each.seconds for each in outcomes)
    assert sum(map(account.of_worker, (1, 2, 3)), Totals()) == total
    assert len(kept.rejects) == total.counts.rejected
    assert account.defaults == sum((Counter(each.defaults) for each in outcomes), Counter())


def test_exceeding_the_reject_limit_returns_a_stop_reason() -> None:
    account = Account(RejectStore(), "1")
    outcome = BatchOutcome(worker=1, first_row=2, last_row=9, inserted=5, rejects=(REJECT,))
    assert account.add(outcome) is None
    assert account.add(outcome) == "more than 1 rows were rejected (--max-rejects)"


def test_committed_rows_are_counted_even_if_storing_rejects_fails() -> None:
    account = Account(RejectStore(full=True), None)
    with pytest.raises(OSError, match="no space left"):
        account.add(BatchOutcome(worker=1, first_row=2, last_row=9, inserted=7, rejects=(REJECT,)))
    assert account.total().counts == Counts(inserted=7, rejected=1)


@given(st.integers(0, 100), st.integers(0, 5_000), st.integers(0, 5_000))
def test_reject_limit_as_count_and_as_percentage(limit: int, rejected: int, completed: int) -> None:
    assert not reject_limit(None)(rejected, completed)
    assert reject_limit(str(limit))(rejected, completed) == (rejected > limit)
    of_percent = reject_limit(f"{limit}%")(rejected, completed)
    assert of_percent == (completed >= MIN_ROWS_FOR_PERCENT and rejected > limit / 100 * completed)


def test_percentage_limit_counts_rows_of_all_outcomes() -> None:
    account = Account(RejectStore(), "1%")
    rows = BatchOutcome(
        worker=1,
        first_row=2,
        last_row=9,
        inserted=0,
        updated=MIN_ROWS_FOR_PERCENT,
        skipped=980,
        rejects=(REJECT,) * 20,
        seconds=0.0,
        retries=0,
    )
    assert account.add(rows) is None
    assert account.add(BatchOutcome(worker=1, first_row=10, last_row=10, rejects=(REJECT,), seconds=0.0)) is not None
