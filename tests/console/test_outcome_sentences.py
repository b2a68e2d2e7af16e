"""How a run ended, in a sentence that calls rows "in" only where the counts say that they are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.model.report import Outcome, Stats
from tui_importer.text.sentences import ended, equation


def stats(**counts: int) -> Stats:
    all_ = {"inserted": 0, "updated": 0, "skipped": 0, "rejected": 0, "already_in": 0, **counts}
    read = sum(all_[name] for name in ("inserted", "updated", "skipped", "rejected"))
    return Stats.count(**all_, read=read, blank=0, retries=0, seconds=1.0)


CASES: list[tuple[Outcome, dict[str, int], dict[str, Any], str]] = [
    ("complete", {"inserted": 9}, {}, "finished: every row is in"),
    ("complete", {"inserted": 5, "updated": 4}, {}, "finished: every row is in"),
    ("complete", {"inserted": 5, "skipped": 4, "already_in": 4}, {}, "finished: every row is in"),
    ("complete", {"skipped": 9, "already_in": 9}, {}, "finished: nothing to write, every row was in already"),
    ("complete", {}, {}, "finished: no rows below the header"),
    ("complete", {}, {"header": False}, "finished: no rows in the sheet"),
    # What a trigger swallowed, or a totals row, is not in.
    ("complete", {"inserted": 8, "skipped": 1}, {}, "finished: 1 row skipped, every other row is in"),
    ("complete", {"skipped": 9}, {}, "finished: 9 rows skipped, no row is in"),
    (
        "complete",
        {"inserted": 1, "skipped": 5, "already_in": 3},
        {},
        "finished: 2 rows skipped, every other row is in",
    ),
    ("complete_with_rejects", {"inserted": 8, "rejected": 1}, {}, "finished: 1 row rejected, every other row is in"),
    ("complete_with_rejects", {"rejected": 9}, {}, "finished: 9 rows rejected, no row is in"),
    (
        "complete_with_rejects",
        {"skipped": 4, "rejected": 5},
        {},
        "finished: 5 rows rejected, 4 rows skipped, no row is in",
    ),
    (
        "already_imported",
        {"skipped": 9, "already_in": 9},
        {"earlier_run": "r1"},
        "already imported by run r1: nothing was written (--again does)",
    ),
    (
        "already_imported",
        {"skipped": 8, "rejected": 1, "already_in": 8},
        {"earlier_run": "r1"},
        "already imported by run r1, 1 row rejected: nothing was written (--again does)",
    ),
    (
        "already_imported",
        {"rejected": 9},
        {"earlier_run": "r1"},
        "gone through already by run r1, which rejected every row: nothing was written (--again does)",
    ),
    (
        "already_imported",
        {},
        {"earlier_run": "r1"},
        "gone through already by run r1, which found no rows: nothing was written (--again does)",
    ),
    ("stopped", {"inserted": 9}, {"why": "x"}, "stopped before the end: x; the same command goes on from here"),
    ("stopped", {"inserted": 9}, {"dry_run": True}, "stopped before the end; nothing was written"),
    (
        "complete",
        {"inserted": 9},
        {"dry_run": True},
        "finished: every row would go in; nothing was written",
    ),
    ("already_imported", {"skipped": 9, "already_in": 9}, {"dry_run": True}, "already imported: an "
     "import would write nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("outcome", "counts", "options", "sentence"), CASES)
def test_outcome_sentence_follows_from_the_counts(
    outcome: Outcome, counts: dict[str, int], options: dict[str, Any], sentence: str
) -> None:
    assert ended(outcome, stats(**counts), **options) == sentence


ROWS = st.integers(0, 3)


@given(inserted=ROWS, updated=ROWS, swallowed=ROWS, before=ROWS, rejected=ROWS, dry_run=st.booleans())
def test_summary_never_counts_missing_rows_as_imported(
    *, inserted: int, updated: int, swallowed: int, before: int, rejected: int, dry_run: bool
) -> None:
    outcome: Outcome = "complete_with_rejects" if rejected else "complete"
    counted = stats(
        inserted=inserted, updated=updated, skipped=swallowed + before, rejected=rejected, already_in=before
    )
    said = ended(outcome, counted, dry_run=dry_run)
    is_in = inserted + updated + before
    if "every row is in" in said or "every row was in already" in said:
        assert is_in == counted.total_records > 0
    if "every other row" in said:
        assert is_in == counted.total_records - rejected - swallowed > 0
        assert rejected + swallowed
    if not is_in and counted.total_records:
        assert "no row is in" in said or "no row would go in" in said
    assert not (dry_run and (" is in" in said or " are in" in said))


def test_equation_of_a_dry_run_is_conditional() -> None:
    assert equation(10, 4, 3, 2, 1, dry_run=True) == (
        "read 10 = would insert 4 + would update 3 + would skip 2 + would reject 1"
    )
    assert equation(0, 0, 0, 0, 0, dry_run=True) == "read 0 = would insert 0"
