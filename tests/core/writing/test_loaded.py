"""What a session says of the rows that it sent."""

from __future__ import annotations

from tui_importer.core.writing.loaded import NOTHING_LOADED, Loaded


def test_rows_missing_in_the_reported_count_are_skipped() -> None:
    assert Loaded.reported(5, 5) == Loaded(5)
    assert Loaded.reported(5, 3) == Loaded(3, skipped=2)


def test_unknown_row_count_means_all_rows_were_inserted() -> None:
    assert Loaded.reported(5, -1) == Loaded(5)


def test_counts_are_added_per_kind() -> None:
    assert sum([Loaded(1, 2, 3), Loaded(10, 20, 30)], NOTHING_LOADED) == Loaded(11, 22, 33)
