"""What is said of whole columns is what a look at each cell says."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.conversion.parsing import MAX_EXACT_FLOAT
from tui_importer.core.conversion.traits import (
    MAX_FLOAT_INTEGER,
    MAX_INTEGER,
    PREDICATES,
    SCANNERS,
    CellStats,
    ColumnFinding,
    Trait,
    of_kind,
)
from tui_importer.core.model.list_column import ListColumn

FLOATS = st.one_of(st.floats(), st.sampled_from([1e15, -1e15, 1e15 - 1, 0.5, 2.0]))
INTEGERS = st.one_of(st.integers(), st.sampled_from([2**53, 2**53 + 1, 2**63, -(2**63)]))


def look(values: Sequence[Any]) -> tuple[set[Trait], CellStats]:
    stats = CellStats()
    return SCANNERS[type(values[0])](ListColumn(values), stats), stats


@given(st.lists(FLOATS, min_size=1))
def test_traits_and_range_of_floats(values: list[float]) -> None:
    traits, stats = look(values)
    finite = [value for value in values if math.isfinite(value)]
    assert (Trait.NOT_FINITE in traits) == (len(finite) < len(values))
    assert (Trait.FRACTION in traits) == any(not value.is_integer() for value in finite)
    assert (Trait.LONG_FLOAT in traits) == any(abs(value) >= MAX_EXACT_FLOAT for value in finite)
    assert (stats.low, stats.high) == ((min(finite), max(finite)) if finite else (None, None))
    if any(map(PREDICATES[Trait.LONG_FLOAT], finite)):
        assert Trait.LONG_FLOAT in traits  # a block with such a cell is walked


@given(st.lists(INTEGERS, min_size=1))
def test_traits_and_range_of_integers(values: list[int]) -> None:
    traits, stats = look(values)
    assert bool(traits) == any(abs(value) > MAX_FLOAT_INTEGER for value in values)
    assert (stats.low, stats.high) == (min(values), max(values))
    for trait in (Trait.LONG_INTEGER, Trait.HUGE_INTEGER):
        if any(map(PREDICATES[trait], values)):
            assert trait in traits
    assert any(map(PREDICATES[Trait.HUGE_INTEGER], values)) == any(
        not -MAX_INTEGER - 1 <= v <= MAX_INTEGER for v in values
    )


@given(st.lists(st.datetimes(timezones=st.none() | st.just(dt.UTC)), min_size=1))
def test_traits_and_range_of_datetimes(values: list[dt.datetime]) -> None:
    traits, stats = look(values)
    assert (Trait.ZONED in traits) == any(value.tzinfo for value in values)
    assert (Trait.ZONELESS in traits) == any(value.tzinfo is None for value in values)
    assert (Trait.TIME_OF_DAY in traits) == any(value.time() != dt.time() for value in values)
    assert (stats.low is None) == (Trait.ZONED in traits)  # with and without a zone they cannot be compared


@given(st.lists(st.decimals(), min_size=1))
def test_traits_of_decimals(values: list[Decimal]) -> None:
    traits, _ = look(values)
    assert (Trait.NOT_FINITE in traits) == any(not value.is_finite() for value in values)


CELLS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3))


@given(st.lists(CELLS), st.sampled_from([bool, int, str]))
def test_of_kind_selects_cells_of_exactly_one_type(cells: list[Any], kind: type) -> None:
    """A boolean is not an integer here, although bool is a subclass of int."""
    column = ListColumn(cells)
    if kind in column.kinds:
        assert list(of_kind(column, kind)) == [cell for cell in cells if type(cell) is kind]


def test_cell_stats_keep_the_lowest_row() -> None:
    stats = CellStats()
    stats.count(2, 900)
    stats.count(1, 17)
    stats.measure([5, 3])
    stats.measure([9])
    assert (stats.cells, stats.first_row, stats.low, stats.high) == (3, 17, 3, 9)
    assert str(stats.finding("odd")) == "odd, first in row 17"
    assert str(ColumnFinding("odd", 1, 17)) == "odd, in row 17"
