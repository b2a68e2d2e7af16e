"""What a session says of the rows that it sent."""

from __future__ import annotations

from tui_importer.core.writing.loaded import NOTHING_LOADED, Loaded


def test_rows_that_the_database_does_not_report_are_skipped() -> None:
    assert Loaded.reported(5, 5) == Loaded(5)
    assert Loaded.reported(5, 3) == Loaded(3, skipped=2)


def test_without_an_error_or_a_number_all_rows_are_inserted() -> None:
    assert Loaded.reported(5, -1) == Loaded(5)


def test_each_kind_is_added_up_by_itself() -> None:
    assert sum([Loaded(1, 2, 3), Loaded(10, 20, 30)], NOTHING_LOADED) == Loaded(11, 22, 33)
