"""Rows that the database took without an error and did not report as inserted."""

from __future__ import annotations

from tui_importer.core.model.batch_outcome import BatchOutcome
from tui_importer.core.writing.suppressed_rows import SuppressedRows


def batch(first_row: int, last_row: int, skipped: int, *skipped_rows: int) -> BatchOutcome:
    return BatchOutcome(
        worker=1,
        first_row=first_row,
        last_row=last_row,
        inserted=last_row - first_row + 1 - skipped,
        skipped=skipped,
        skipped_rows=skipped_rows,
    )


def rows(*batches: BatchOutcome) -> SuppressedRows:
    suppressed = SuppressedRows()
    for each in batches:
        suppressed.add(each)
    return suppressed


def test_single_suppressed_row_is_named() -> None:
    sentence = rows(batch(2, 9, 0), batch(10, 19, 1, 12)).sentence(1, "t")
    assert sentence.startswith("1 row was taken without an error")
    assert "table 't' kept it out" in sentence
    assert sentence.endswith("(row 12)")


def test_first_suppressed_rows_are_named_regardless_of_batch_order() -> None:
    suppressed = rows(batch(2_000, 2_999, 2, 2_000, 2_001), batch(2, 9, 2, 3, 5))
    sentence = suppressed.sentence(1_234, "t")
    assert sentence.startswith("1,234 rows were taken")
    assert sentence.endswith("(rows 3, 5, 2,000 ...)")


def test_suppressed_rows_of_a_bulk_batch_are_named_by_its_range() -> None:
    assert rows(batch(2, 1_001, 4)).sentence(4, "t").endswith("(among rows 2 to 1,001)")


def test_suppressed_rows_of_earlier_runs_are_not_named() -> None:
    assert rows().sentence(2, "t").endswith("put them elsewhere")
