"""Columns know facts about themselves, conversion believes them, and clean columns cost no call a cell."""

from __future__ import annotations

import datetime as dt
import gc
import math
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tui_importer.core.conversion.convert import Conversion, convert_cells
from tui_importer.core.conversion.mapping import ColumnMapping, MappedColumn, fitted, without_blank_rows
from tui_importer.core.model.batch import Batch, Block
from tui_importer.core.model.cells import Cell, CellError, UncalculatedFormula
from tui_importer.core.model.column import common_store
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.reject_groups import GroupKey
from tui_importer.core.model.rows import PIECE_ROWS, Rows
from tui_importer.core.model.table import Constraint, ConstraintKind, Table, TableColumn
from tui_importer.core.model.types import TEXT, ColumnType
from tui_importer.errors import DataFault
from tui_importer.readers.blocks import blocks

TEXTS = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        [
            *[
                "0",
                "007",
                "-1",
                "+5",
                "1.5",
                "1e3",
                " 2 ",
                "12345678901234567",
                "true",
                "No",
                "2024-02-30",
                "2024-02-29",
            ],
            *[
                "2024-02-29 10:11:12",
                "2024-W01-1",
                "10:11",
                "25:00:00",
                "1:02:03",
                "nan",
                "inf",
                "",
                "a\0b",
                "\ud800",
                "٣",
            ],
            *[
                "9223372036854775807",
                "9223372036854775808",
                "32768",
                "--1",
                "1-",
                "0x1",
                "1_000",
                "2024-02-29T10:11:12Z",
            ],
        ]
    ),
)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, 1, -1, 10**400, 2**15, 2**31, 2**63, -(2**63), 2**53, 10**15]),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1.0, 1e15, 9.9e14, 1e22, 2.0**63, -(2.0**63), 0.1, 99.995]),
    st.decimals(allow_nan=True, places=3),
    st.sampled_from([Decimal("sNaN"), Decimal("1E+400"), Decimal("-Infinity"), Decimal("1E-9")]),
)
TIMES = st.one_of(
    st.datetimes(),
    st.datetimes(timezones=st.just(dt.UTC)),
    st.dates(),
    st.dates().map(lambda day: dt.datetime.combine(day, dt.time())),
    st.times(),
    st.timedeltas(),
)
ANY_CELL = st.one_of(
    st.none(),
    TEXTS,
    NUMBERS,
    TIMES,
    st.booleans(),
    st.sampled_from([CellError("#N/A"), UncalculatedFormula("A1")]),
)
#: Columns as sheets have them: mostly of one kind, now and then mixed.
CELLS = st.one_of(
    *(
        st.lists(st.one_of(st.none(), kind) if blank else kind, max_size=8)
        for blank in (True, False)
        for kind in (
            TEXTS,
            st.integers(-(2**33), 2**33),
            st.floats(-1e6, 1e6),
            st.datetimes(),
            st.dates(),
            st.booleans(),
        )
    ),
    st.lists(st.integers(-999, 999).map(float), max_size=8),
    st.lists(st.integers(0, 99999).map(str), max_size=8),
    st.lists(ANY_CELL, max_size=8),
)
TYPES = [
    ColumnType.parse(name)
    for name in (
        *("text", "text(3)", "integer", "integer(16)", "integer(32)", "numeric", "numeric(6,2)", "float"),
        *("boolean", "date", "time", "timestamp", "timestamptz", "interval", "other(uuid)"),
    )
]


def equal_with_types(first: object, second: object) -> bool:
    """Equal, of one type, and not a number where the other is none."""
    return type(first) is type(second) and repr(first) == repr(second)


def extremes(cells: list[Any]) -> tuple[Any, Any] | None:
    if not cells or any(isinstance(cell, float) and not math.isfinite(cell) for cell in cells):
        return None
    if any(isinstance(cell, Decimal) and not cell.is_finite() for cell in cells):  # isfinite() converts to float
        return None
    if len({getattr(cell, "tzinfo", None) is None for cell in cells}) == 2:
        return None
    ordered = sorted(cells)
    return ordered[0], ordered[-1]


@given(cells=CELLS, data=st.data())
def test_column_facts_match_a_scan_of_every_cell(cells: list[Any], data: st.DataObject) -> None:
    column = ListColumn(cells)
    start = data.draw(st.integers(0, len(cells)))
    stop = data.draw(st.integers(start, len(cells)))
    selected = data.draw(st.lists(st.booleans(), min_size=len(cells), max_size=len(cells)))
    if data.draw(st.booleans()):
        assert column.blanks >= 0  # what is known already is handed on to parts
        assert column.has_nul in (True, False)
    for part, expected in (
        (column, cells),
        (column.slice(start, stop), cells[start:stop]),
        (column.keep(selected), [cell for cell, keep in zip(cells, selected, strict=True) if keep]),
    ):
        assert all(map(equal_with_types, part.values(), expected))
        assert len(part) == len(part.values()) == len(expected)
        assert part.kinds == {type(cell) for cell in expected if cell is not None}
        assert part.blanks == sum(cell is None for cell in expected)
        texts = [cell for cell in expected if isinstance(cell, str)]
        assert part.longest == max(map(len, texts), default=0)
        assert part.has_nul == any("\0" in text for text in texts)
        assert list(part.blank_mask) == [cell is None for cell in expected]
        floats = [cell for cell in expected if type(cell) is float]
        assert part.integral == all(math.isfinite(number) and number == int(number) for number in floats)
        rows = data.draw(st.lists(st.integers(0, len(expected) - 1), max_size=4)) if expected else []
        assert all(map(equal_with_types, part.take(rows), [expected[row] for row in rows]))
        for kind in (int, float, Decimal, dt.date, dt.datetime, str):
            assert part.extremes(kind) == extremes([cell for cell in expected if type(cell) is kind])


@given(
    grid=st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(TEXTS | st.just(""), min_size=width, max_size=width), min_size=1, max_size=8)
    ),
    data=st.data(),
)
def test_row_backed_columns_equal_list_columns(grid: list[list[str]], data: st.DataObject) -> None:
    rows = Rows.read(iter(grid), len(grid))[1]
    assert rows is not None
    start = data.draw(st.integers(0, len(grid)))
    stop = data.draw(st.integers(start, len(grid)))
    selected = data.draw(st.lists(st.booleans(), min_size=len(grid), max_size=len(grid)))
    expected = [ListColumn.from_cells(cells) for cells in zip(*grid, strict=True)]
    for column, other in zip(rows.columns(), expected, strict=True):
        for one, two in (
            (column, other),
            (column.slice(start, stop), other.slice(start, stop)),
            (column.keep(selected), other.keep(selected)),
        ):
            assert list(one.values()) == list(two.values())
            for fact in ("kinds", "blanks", "longest", "has_nul", "integral", "blank_mask"):
                assert getattr(one, fact) == getattr(two, fact)
            assert (len(one), one.extremes(str)) == (len(two), two.extremes(str))
            for type_ in TYPES:
                cast, other_cast = one.cast(type_), two.cast(type_)
                assert (cast is None) == (other_cast is None)
                if cast is not None and other_cast is not None:
                    assert all(map(equal_with_types, cast.values(), other_cast.values()))
    order = data.draw(
        st.permutations(range(len(expected))).flatmap(lambda all_: st.just(all_[: 1 + start % len(all_)]))
    )
    over_rows, over_lists = (
        [columns[index].slice(start, stop) for index in order] for columns in (rows.columns(), expected)
    )
    store = common_store(over_rows)
    found = None if store is None else store.records(over_rows)
    plain = list(zip(*(column.values() for column in over_lists), strict=True))
    assert found is None or list(map(tuple, found)) == plain


@pytest.mark.parametrize("grid", [[["a"], ["b", "c"]], [["a", 1.0]], [["a", None]], [[]]])
def test_rows_with_non_text_values_use_list_columns(grid: list[list[Cell]]) -> None:
    rows = Rows.read(iter(grid), len(grid))[1]
    assert rows is None or rows.width == 0


@given(cells=CELLS)
def test_only_blank_values_of_libraries_are_blank(cells: list[Any]) -> None:
    column = ListColumn.from_cells(["" if cell is None else cell for cell in cells])
    expected = [None if cell == "" else cell for cell in cells]
    assert all(map(equal_with_types, column.values(), expected))
    assert column.blanks == expected.count(None)
    assert column.kinds == {type(cell) for cell in expected if cell is not None}
    assert column.has_nul == any("\0" in cell for cell in expected if isinstance(cell, str))


@pytest.mark.parametrize("type_", TYPES, ids=str)
@settings(max_examples=examples(200))
@given(cells=CELLS)
def test_fast_conversion_equals_conversion_per_cell(type_: ColumnType, cells: list[Any]) -> None:
    column = ListColumn([None if cell == "" else cell for cell in cells])
    values, refused = convert_cells(column.values(), type_)
    cleared = column.cast(type_)
    if cleared is not None:
        assert refused == {}
        assert all(map(equal_with_types, cleared.values(), values))
        assert cleared.blanks == list(cleared.values()).count(None)
    converted, faults = Conversion(type_).apply(column)
    assert all(map(equal_with_types, converted.values(), values))
    assert faults == refused
    assert all(converted.values()[row] is None for row in faults)


@given(cells=CELLS)
def test_required_columns_reject_blanks_and_error_cells_follow_the_option(cells: list[Any]) -> None:
    cells = [None if cell == "" else cell for cell in cells]
    _, faults = Conversion(TEXT, required=True).apply(ListColumn(cells))
    assert {row for row, cell in enumerate(cells) if cell is None} <= faults.keys()
    errors = [row for row, cell in enumerate(cells) if isinstance(cell, CellError)]
    _, faults = Conversion(TEXT).apply(ListColumn(cells))
    assert all("#N/A" in faults[row] for row in errors)
    values, faults = Conversion(TEXT, error_cells="null").apply(ListColumn(cells))
    assert all(values.values()[row] is None and row not in faults for row in errors)
    _, faults = Conversion(TEXT, required=True, error_cells="null").apply(ListColumn(cells))
    assert set(errors) <= faults.keys()
    values, faults = Conversion(TEXT, error_cells="text").apply(ListColumn(cells))
    assert all(values.values()[row] == "#N/A" and row not in faults for row in errors)


@pytest.mark.parametrize(("choice", "value"), [("null", None), ("text", "=A1*2")])
def test_uncalculated_formulas_follow_the_option(choice: Any, value: str | None) -> None:
    column = ListColumn(["x", UncalculatedFormula("A1*2"), CellError("#N/A")])
    values, faults = Conversion(TEXT, uncalculated=choice).apply(column)
    assert (values.values()[1], set(faults)) == (value, {2})
    _, faults = Conversion(TEXT, required=True, uncalculated=choice).apply(column)
    assert set(faults) == ({1, 2} if value is None else {2})


# Whole batches.

TABLE = Table(
    name="t",
    columns=(TableColumn("name", TEXT, nullable=False), TableColumn("note", ColumnType.parse("text(5)"))),
    declared=(Constraint(ConstraintKind.UNIQUE, ("name",), "t_name_key"),),
)
MAPPING = ColumnMapping(
    sheet="My Sheet",
    first_column=1,
    headers=("Name", "Unused", "Note"),
    columns=(
        MappedColumn("Name", 1, "name", Conversion(TEXT, required=True)),
        MappedColumn("Note", 3, "note", Conversion(ColumnType.parse("text(5)"))),
    ),
    table=TABLE,
)


def batch_of(*rows: tuple[Cell, Cell, Cell], first_row: int = 10) -> Batch:
    block = Block(first_row=first_row, columns=tuple(map(ListColumn, zip(*rows, strict=True))), first_column=1)
    return MAPPING.batch(1, block, range(first_row, first_row + len(rows)))


def test_rejected_row_is_removed_from_the_batch_with_all_its_faults() -> None:
    batch = batch_of(("a", 1.0, "fine"), (None, 2.0, "too long"), ("b\0", 3.0, CellError("#REF!")), ("c", 4.0, None))
    assert list(batch.rows) == [10, 13]
    assert list(batch.records()) == [("a", "fine"), ("c", None)]
    assert (batch.first_row, batch.last_row, len(batch), batch.row_count) == (10, 13, 2, 4)
    second, third = batch.rejects
    assert [(fault.cell, fault.column) for fault in second.faults] == [
        ("'My Sheet'!B11", "Name"),
        ("'My Sheet'!D11", "Note"),
    ]
    assert [(fault.cell, fault.column) for fault in third.faults] == [
        ("'My Sheet'!B12", "Name"),
        ("'My Sheet'!D12", "Note"),
    ]
    assert (second.row, second.values) == (11, (None, "2", "too long"))
    assert third.values == ("b\0", "3", "#REF!")


@pytest.mark.parametrize(
    ("fault", "cell", "column", "value"),
    [
        (DataFault("no", column="note"), "'My Sheet'!D11", "Note", "there"),
        (DataFault("no", constraint="t_name_key"), "'My Sheet'!B11", "Name", "b"),
        (DataFault("no"), "'My Sheet'!B11:D11", None, None),
        (DataFault("no", column="id"), "'My Sheet'!B11:D11", "id", None),
    ],
)
def test_database_errors_are_reported_with_sheet_and_cell(
    fault: DataFault, cell: str, column: str | None, value: str | None
) -> None:
    batch = batch_of(("a", 1.0, "here"), ("b", 2.0, "there"))
    said = MAPPING.database_fault(batch, 1, fault)
    assert (said.cell, said.column, said.value, said.reason) == (cell, column, value, "no")


def test_violations_of_one_constraint_are_one_group() -> None:
    batch = batch_of(("a", 1.0, "here"), ("b", 2.0, "there"))
    said = [f"duplicate {name}, t_name_key" for name in ("a", "b")]
    faults = [
        MAPPING.database_fault(batch, row, DataFault(words, constraint="t_name_key")) for row, words in enumerate(said)
    ]
    assert [fault.reason for fault in faults] == said
    assert {GroupKey.of(fault) for fault in faults} == {GroupKey("Name", "t_name_key", "unique")}
    known = MAPPING.database_fault(batch, 0, DataFault("no", constraint="t_name_key", kind="23505"))
    assert known.kind == "23505"


def test_blocks_are_cut_and_padded_to_the_extent() -> None:
    block = Block(first_row=1, columns=(ListColumn(["b"]), ListColumn(["c"])), first_column=1)
    for first, width, expected in (
        (1, 2, ["b", "c"]),
        (0, 4, [None, "b", "c", None]),
        (2, 1, ["c"]),
        (2, 3, ["c", None, None]),
    ):
        assert [column.values()[0] for column in fitted(block, first, width).columns] == expected


def test_blank_rows_are_removed_and_other_rows_keep_their_numbers() -> None:
    block = Block(first_row=5, columns=(ListColumn([None, "a", None, None]), ListColumn([None, None, None, 0])))
    kept, rows = without_blank_rows(block)
    assert list(rows) == [6, 8]
    assert [list(column.values()) for column in kept.columns] == [["a", None], [None, 0]]


# What clean columns cost.


def count_calls(action: Callable[[], object]) -> int:
    """How many calls, of Python functions and of C functions, the action makes."""
    count = 0

    def profile(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    gc.disable()  # others may be called back by a collection
    sys.setprofile(profile)
    try:
        action()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


def calls_per_batch(rows: int, note: Cell) -> int:
    """The calls that it takes from a library's records to a batch that can be sent."""
    records = [[f"name {number}", float(number), note if number == 7 else "note"] for number in range(rows)]

    def prepare() -> None:
        for block in blocks(records, rows, first_column=1):
            cut, numbers = without_blank_rows(fitted(block, 1, 3))
            batch = MAPPING.batch(1, cut, numbers)
            assert len(batch) + len(batch.rejects) == rows

    return count_calls(prepare)


def test_clean_columns_need_no_call_per_cell() -> None:
    calls_per_batch(10, "note")  # what is called once only
    # Rows are read in pieces, each by two calls.
    pieces = 4_000 // PIECE_ROWS - 1
    assert calls_per_batch(4_000, "note") - calls_per_batch(PIECE_ROWS, "note") == 2 * pieces
    assert calls_per_batch(4_000, "note") < 200


def test_call_counter_detects_calls_per_cell() -> None:
    """A column with one long text is converted cell by cell."""
    assert calls_per_batch(4_000, "too long") - calls_per_batch(500, "too long") > 3_000


@pytest.mark.parametrize(
    ("type_", "cell"),
    [
        ("text", "text"),
        ("text(9)", "text"),
        ("integer", 7.0),
        ("integer", "12"),
        ("float", 1.5),
        ("boolean", True),
        ("date", dt.date(2024, 2, 29)),
        ("timestamp", dt.datetime(2024, 2, 29, 10)),
        ("numeric", Decimal("1.5")),
        ("numeric(6,2)", 1.5),
        ("numeric", 12.0),
    ],
)
def test_conversion_needs_no_python_call_per_cell_for_any_type(type_: str, cell: Cell) -> None:
    """Python does not count C functions called by C functions (``map(int, cells)``), and they are not slow."""
    conversion = Conversion(ColumnType.parse(type_), required=True)
    few, many = (count_calls(lambda size=size: conversion.apply(ListColumn([cell] * size))) for size in (10, 5_000))  # type: ignore[misc]
    assert many == few
