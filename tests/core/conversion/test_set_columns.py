"""Columns that are filled with a value instead of cells."""

from __future__ import annotations

import pytest

from tui_importer.core.conversion.convert import Conversion
from tui_importer.core.conversion.set_columns import SetColumn, filled_in
from tui_importer.core.model.types import INTEGER, TEXT, ColumnType
from tui_importer.errors import PlanError


def values(value: str, type_: ColumnType, *, required: bool = False) -> list[object]:
    return list(SetColumn("c", value, Conversion(type_, required)).column([5, 7]).values())


def test_value_is_the_same_in_every_row() -> None:
    assert values("2026", INTEGER) == [2026, 2026]
    assert values("a b", TEXT) == ["a b", "a b"]


def test_empty_value_is_null() -> None:
    assert values("", TEXT) == [None, None]


def test_row_placeholder_is_the_sheet_row_number() -> None:
    assert values("{row}", INTEGER) == [5, 7]
    assert values("row {row} of {row}", TEXT) == ["row 5 of 5", "row 7 of 7"]


@pytest.mark.parametrize(("value", "required"), [("abc", False), ("", True), ("1.5", False)])
def test_value_that_does_not_fit_the_column_is_refused(value: str, required: bool) -> None:
    with pytest.raises(PlanError, match="--set c="):
        values(value, INTEGER, required=required)


def test_placeholders_are_filled_in() -> None:
    places = {"file": "a.csv", "row": "{row}"}
    assert filled_in("{file}, row {row}", places, "--set x") == "a.csv, row {row}"
    assert filled_in("100 %", places, "--set x") == "100 %"


def test_unknown_placeholder_is_refused() -> None:
    with pytest.raises(PlanError, match=r"--set x: '\{fiel\}' names \{fiel\}: known are \{file\}, \{row\}"):
        filled_in("{fiel}", {"file": "a.csv", "row": "{row}"}, "--set x")
