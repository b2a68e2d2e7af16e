"""The type of one column that several sources fill."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.conversion.common_type import common_type
from tui_importer.core.conversion.inference import ColumnInference
from tui_importer.core.model.cells import Cell, CellError
from tui_importer.core.model.list_column import ListColumn


def column(cells: Sequence[Cell], *, typed: bool = True) -> ColumnInference:
    inference = ColumnInference(typed=typed)
    inference.add(ListColumn(cells), 2)
    return inference


def common(*columns: ColumnInference) -> str:
    return str(common_type([(each, each.result()) for each in columns]))


CELLS = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-(2**70), 2**70),
    st.decimals(),
    st.booleans(),
    st.datetimes(),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.just(CellError("#N/A")),
    st.sampled_from(["x", "1", "2026-01-01", ""]),
)
KINDS = st.sampled_from(
    [
        CELLS,
        st.floats() | st.none(),
        st.floats() | st.integers(-(2**70), 2**70),
        st.integers() | st.decimals(),
        st.datetimes() | st.dates(),
        st.times() | st.timedeltas(),
    ]
)


@given(KINDS.flatmap(lambda cells: st.lists(st.lists(cells, min_size=1, max_size=4), min_size=1, max_size=4)))
def test_typed_sources_have_the_type_of_one_sheet_with_all_of_their_cells(sources: list[list[Cell]]) -> None:
    together = column([cell for cells in sources for cell in cells]).result().type
    assert common(*map(column, sources)) == str(together)
    assert common(*map(column, reversed(sources))) == str(together)


@pytest.mark.parametrize(
    ("one", "other", "type_"),
    [
        (["1"], ["1.5"], "float"),
        (["1.5"], ["1.234,5"], "float"),  # each is written in a form of its own
        (["1"], ["12345678901234.567"], "numeric"),
        (["2026-01-31"], ["2026-01-31 10:00"], "timestamp"),
        (["2026-01-31"], ["31.01.2026"], "date"),
        (["2026-01-31"], ["1"], "text"),
        (["1"], ["true"], "text"),
        (["1"], ["007"], "text"),
        (["1"], [None], "integer"),
        ([None], [None], "text"),
    ],
)
def test_sources_of_texts_have_the_narrowest_type_that_holds_all(
    one: list[Cell], other: list[Cell], type_: str
) -> None:
    columns = [column(cells, typed=False) for cells in (one, other)]
    assert common(*columns) == common(*reversed(columns)) == type_


def test_cells_and_texts_are_compared_by_their_types() -> None:
    assert common(column([1.0]), column(["2"], typed=False)) == "integer"
    assert common(column([1.0]), column(["2.5"], typed=False)) == "float"
    assert common(column([Decimal("1.10")]), column(["2.5"], typed=False)) == "numeric"
    assert common(column([dt.date(2026, 1, 31)]), column(["2026-01-31 10:00"], typed=False)) == "timestamp"
    # A float would round the whole number.
    assert common(column([2**53 + 1]), column(["2.5"], typed=False)) == "text"
