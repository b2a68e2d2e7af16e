"""Casts of whole columns."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from tui_importer.core.model.casting import cast
from tui_importer.core.model.cells import Cell, CellError
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.types import ColumnType, Kind

DAY = dt.date(2024, 2, 29)


@pytest.mark.parametrize(
    ("cells", "type_", "expected"),
    [
        ([1.0, None, -2.0], ColumnType(Kind.INTEGER), [1, None, -2]),
        (["12", None], ColumnType(Kind.INTEGER), [12, None]),
        ([1, 2.5], ColumnType(Kind.FLOAT), [1.0, 2.5]),
        ([0.1, None], ColumnType(Kind.NUMERIC), [Decimal("0.1"), None]),
        ([3.0], ColumnType(Kind.TEXT), ["3"]),
        (["2024-02-29", None], ColumnType(Kind.DATE), [DAY, None]),
        ([DAY], ColumnType(Kind.TIMESTAMP), [dt.datetime(2024, 2, 29)]),
    ],
)
def test_a_cast_converts_every_cell(cells: list[Cell], type_: ColumnType, expected: list[Cell]) -> None:
    converted = cast(ListColumn(cells), type_)
    assert isinstance(converted, list)
    assert converted == expected
    assert [type(cell) for cell in converted] == [type(cell) for cell in expected]


@pytest.mark.parametrize(
    ("cells", "type_"),
    [
        ([None, None], ColumnType(Kind.DATE)),
        (["a", None], ColumnType(Kind.TEXT, length=1)),
        ([2**15 - 1, -(2**15)], ColumnType(Kind.INTEGER, bits=16)),
        ([True], ColumnType(Kind.BOOLEAN)),
        ([dt.timedelta(1)], ColumnType(Kind.INTERVAL)),
    ],
)
def test_column_that_fits_is_returned_unchanged(cells: list[Cell], type_: ColumnType) -> None:
    column = ListColumn(cells)
    assert cast(column, type_) is column


@pytest.mark.parametrize(
    ("cells", "type_"),
    [
        (["ab"], ColumnType(Kind.TEXT, length=1)),
        (["a\0"], ColumnType(Kind.TEXT)),
        ([CellError("#N/A")], ColumnType(Kind.TEXT)),
        ([2**15], ColumnType(Kind.INTEGER, bits=16)),
        ([1.5], ColumnType(Kind.INTEGER)),
        ([float(2**63)], ColumnType(Kind.INTEGER)),
        (["1-2"], ColumnType(Kind.INTEGER)),
        (["1e999"], ColumnType(Kind.FLOAT)),
        ([Decimal("1.23")], ColumnType(Kind.NUMERIC, precision=3, scale=1)),
        (["2024-W09-4"], ColumnType(Kind.DATE)),
        ([1], ColumnType(Kind.BOOLEAN)),
    ],
)
def test_column_that_needs_per_cell_conversion_is_not_cast(cells: list[Cell], type_: ColumnType) -> None:
    assert cast(ListColumn(cells), type_) is None
