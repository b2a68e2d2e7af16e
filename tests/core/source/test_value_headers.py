"""Which cells are values, and which rows of values are headers all the same."""

from __future__ import annotations

import datetime as dt

import pytest

from tui_importer.core.model.cells import Cell, CellError
from tui_importer.core.source.value_headers import holds_names_only, is_value


@pytest.mark.parametrize(
    "cell",
    [
        *(1, 1.5, True, dt.date(2024, 1, 1), dt.time(1), dt.timedelta(1), CellError("#N/A")),
        *("1", "-1", "+1.5", "1,234.50", "1.234,56", "1 234,5", "1'234.5", ".5", "1e5", "12 %", "12%"),
        *("$5", "5 $", "€ 1.234,50", "USD 12", "12 EUR", "(12.50)", "-£3"),
        *("2024-01-31", "31.01.2024", "1/2/24", "2024-01-31 10:30", "10:30", "10:30:15", "9:05 pm"),
    ],
)
def test_values_are_recognised(cell: Cell) -> None:
    assert is_value(cell)


@pytest.mark.parametrize(
    "text", ["", "Name", "A1", "1st", "Q1", "Q1 2024", "m2", "No.", "12 months", "-", "%", "€", "1-2-3-4"]
)
def test_names_are_not_values(text: str) -> None:
    assert not is_value(text)


def test_row_of_names_holds_names_regardless_of_the_rows_below() -> None:
    assert holds_names_only({0: "Name", 1: "City"}, [])
    assert holds_names_only({0: "Name", 1: "City"}, [{0: "Name", 1: "City"}])


def test_row_of_values_without_rows_below_does_not_hold_names() -> None:
    assert not holds_names_only({0: "Country", 1: 2019, 2: 2020}, [])


def test_text_repeated_below_counts_as_a_value() -> None:
    assert holds_names_only({0: "Peru", 1: 2019, 2: 2020}, [{0: "Mali", 1: 5, 2: 6}])
    assert not holds_names_only({0: "Peru", 1: 2019, 2: 2020}, [{0: "Mali", 1: 5, 2: 6}, {0: "Peru", 1: 7, 2: 8}])
