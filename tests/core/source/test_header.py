"""Finding the table in a sheet: header row, first row of data, columns; ranges; totals rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.model.batch import Block
from tui_importer.core.model.cells import MAX_COLUMNS, MAX_ROWS, Cell, CellError
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.schemas import BUSINESSES
from tui_importer.core.source.header import CellRange, find_layout, is_totals_row, parse_range
from tui_importer.errors import PlanError

HEADER = ("Name", "City", "Price")
ROWS: list[tuple[Cell, ...]] = [("Ann", "Oslo", 1.5), ("Bob", None, 2.0), ("Cy", "Rome", None)]


def block(rows: Sequence[Sequence[Any]], *, first_row: int = 1, first_column: int = 0) -> Block:
    width = max(map(len, rows), default=0)
    padded = [tuple(row) + (None,) * (width - len(row)) for row in rows]
    columns = tuple(ListColumn(cells) for cells in zip(*padded, strict=True))
    return Block(first_row=first_row, columns=columns, first_column=first_column)


def test_header_in_the_first_row() -> None:
    layout = find_layout(block([HEADER, *ROWS]))
    assert (layout.header_row, layout.first_row, layout.last_row, layout.first_column) == (1, 2, None, 0)
    assert layout.headers == HEADER
    assert layout.notes == ()


def test_titles_blank_rows_and_blank_columns_before_the_table() -> None:
    rows: list[tuple[Cell, ...]] = [
        ("Price list 2024",),
        ("Customer", "ACME"),
        (),
        *((None, None, *row) for row in [HEADER, *ROWS]),
    ]
    layout = find_layout(block(rows, first_row=3, first_column=1))
    assert (layout.header_row, layout.first_row, layout.first_column) == (6, 7, 3)
    assert layout.headers == HEADER
    assert layout.notes == (
        "the header is row 6; above it and left out: row 3 ('Price list 2024'), row 4 ('Customer')",
    )


def test_a_run_of_short_lines_above_is_no_table() -> None:
    preamble: list[tuple[Cell, ...]] = [("Customer", "ACME"), ("Date", dt.date(2024, 1, 1)), ("By", "Ann"), ("To", "B")]
    layout = find_layout(block([*preamble, ("a", "b", "c", "d", "e")]))
    assert (layout.header_row, layout.first_row) == (5, 6)
    assert "and left out: row 1 ('Customer'), row 2 ('Date'), row 3 ('By'), 1 more" in layout.notes[0]


def test_many_blank_rows_above() -> None:
    layout = find_layout(block([(), *[(None, None, None)] * 400, HEADER, *ROWS]))
    assert layout.header_row == 402


def test_blank_columns_inside_do_not_end_the_table() -> None:
    rows = [("a", None, "c", None, "e"), (1.0, None, 3.0, 4.0, 5.0), (1.0, None, 3.0, None, 5.0)]
    layout = find_layout(block(rows))
    assert layout.headers == ("a", None, "c", None, "e")
    assert layout.columns({0, 2, 3, 4}) == (0, 2, 3, 4)


def test_cells_found_later_beside_the_table_stretch_it() -> None:
    layout = find_layout(block([HEADER, *ROWS], first_column=2))
    wider = layout.stretched({1, 2, 3, 7})
    assert wider.first_column == 1
    assert wider.headers == (None, *HEADER, None, None, None)
    assert wider.columns({1, 2, 3, 7}) == (1, 2, 3, 4, 7)
    assert layout.stretched({2, 3}) is layout
    within = find_layout(block([HEADER, *ROWS], first_column=2), within=parse_range("C:E"))
    assert within.stretched({1, 2, 7}).headers == HEADER


def test_all_texts() -> None:
    rows = [("code", "name", "note"), ("x", "y", None), ("x", "y", "z")]
    assert find_layout(block(rows)).header_row == 1


def test_an_empty_last_header_does_not_hide_the_header() -> None:
    values = [("Name", "Born", None), ("Ann", 1990.0, "x"), ("Bob", 1991.0, "y")]
    assert find_layout(block(values)).headers == ("Name", "Born", None)
    texts = [("a", "b", "c", None), ("p", "q", "r", "s"), ("p", "q", "r", "s")]
    assert find_layout(block(texts)).headers == ("a", "b", "c", None)


def test_a_blank_header_over_the_labels() -> None:
    layout = find_layout(block([(None, "Q1", "Q2"), ("North", 1.0, 2.0), ("South", 3.0, 4.0)]))
    assert (layout.header_row, layout.headers) == (1, (None, "Q1", "Q2"))


def test_duplicate_headers_are_kept_for_the_names_to_resolve() -> None:
    assert find_layout(block([("a", "a", " a "), (1.0, 2.0, 3.0)])).headers == ("a", "a", "a")


def test_group_headers_above_the_header() -> None:
    rows = [("2023", None, "2024", None), ("Q1", "Q2", "Q1", "Q2"), (1.0, 2.0, 3.0, 4.0)]
    assert find_layout(block(rows)).header_row == 2


def test_a_header_without_rows() -> None:
    layout = find_layout(block([("Report",), (), HEADER]))
    assert (layout.header_row, layout.first_row, layout.headers) == (3, 4, HEADER)
    assert find_layout(block([HEADER])).headers == HEADER


def test_one_column() -> None:
    layout = find_layout(block([("Name",), ("Ann",), ("Bob",)]))
    assert (layout.header_row, layout.headers) == (1, ("Name",))


@pytest.mark.parametrize("value", [2024.0, 7, True, dt.date(2024, 1, 1), dt.datetime(2024, 1, 1), CellError("#N/A")])
def test_values_in_the_first_wide_row_are_no_header(value: Cell) -> None:
    layout = find_layout(block([(), ("Ann", "Oslo", value), ("n", "a", "t"), ("Bob", "Rome", value)]))
    assert (layout.header_row, layout.first_row, layout.headers) == (0, 2, (None, None, None))
    (note,) = layout.notes
    assert "row 2 holds values" in note
    assert "--header-row" in note


def test_no_row_is_lost_where_there_is_no_header() -> None:
    layout = find_layout(block([("Report",), ("Ann", "Oslo", 1.0), ("Bob", "Rome", 2.0)]))
    assert (layout.header_row, layout.first_row) == (0, 1)


@pytest.mark.parametrize("value", ["12", "-1.5", "1,234.50", "12%", "2024-01-31"])
def test_untyped_values_are_no_header(value: str) -> None:
    rows = [("Ann", value), ("Bob", "2")]
    assert find_layout(block(rows), typed=False).header_row == 0
    assert find_layout(block(rows)).header_row == 1
    assert find_layout(block([("Name", "Price"), *rows]), typed=False).header_row == 1


def test_a_known_header_wins() -> None:
    known = [frozenset({"name", "city", "price"})]
    rows = [("Sheet", "of", "all", "prices"), ("price", "NAME ", "City", "extra"), ("a", "b", "c", "d")]
    assert find_layout(block(rows)).header_row == 1
    layout = find_layout(block(rows), known=known)
    assert (layout.header_row, layout.headers) == (2, ("price", "NAME", "City", "extra"))
    assert find_layout(block([rows[0], ("Name", "City"), ("a", "b", "c")]), known=known).header_row == 2
    assert find_layout(block([("Name",), ("a", "b", "c"), ("d", "e", "f")]), known=known).header_row == 2


def test_the_founding_header() -> None:
    known = [frozenset(target for _, target in BUSINESSES.headers)]
    header = tuple(text for text, _ in BUSINESSES.headers)
    layout = find_layout(block([header, *[("x",) * 9] * 20]), known=known)
    assert (layout.header_row, layout.headers) == (1, header)


def test_no_cells() -> None:
    for empty in (Block(1, ()), block([(None, None)] * 3)):
        layout = find_layout(empty)
        assert (layout.header_row, layout.headers, layout.notes) == (0, (), ("there are no cells",))
    assert layout.stretched({2, 3}).headers == (None, None)


def test_the_users_header_row_wins() -> None:
    rows = [("a", "b"), (2023.0, 2024.0), (1.0, 2.0)]
    layout = find_layout(block(rows), header_row=2)
    assert (layout.header_row, layout.first_row, layout.headers) == (2, 3, ("2023", "2024"))
    none = find_layout(block(rows), header_row=0)
    assert (none.header_row, none.first_row, none.headers) == (0, 1, (None, None))
    far = [("x",)] * 150
    assert find_layout(block([*far, ("h",), ("y",)]), header_row=151).headers == ("h",)


@pytest.mark.parametrize(("row", "why"), [(9, "the last row with cells is row 3"), (2, "the row is blank")])
def test_a_header_row_that_is_not_there(row: int, why: str) -> None:
    with pytest.raises(PlanError, match=why):
        find_layout(block([("a",), (None,), ("b",)]), header_row=row)


def test_the_users_range_wins() -> None:
    rows: list[tuple[Cell, ...]] = [("junk",) * 6, *((None, "left", *row, "right") for row in [HEADER, *ROWS])]
    layout = find_layout(block(rows), within=parse_range("C2:E4"))
    assert (layout.header_row, layout.first_row, layout.last_row, layout.first_column) == (2, 3, 4, 2)
    assert layout.headers == HEADER
    above = find_layout(block(rows), within=parse_range("C4:E9"), header_row=2)
    assert (above.header_row, above.first_row, above.headers) == (2, 4, HEADER)
    nothing = find_layout(block(rows), within=parse_range("Z1"))
    assert nothing.notes == ("there are no cells in the range Z1",)
    with pytest.raises(PlanError, match="below the range C2:E4"):
        find_layout(block(rows), within=parse_range("C2:E4"), header_row=5)


@given(
    st.integers(0, 4),
    st.integers(0, 3),
    st.integers(2, 6),
    st.lists(st.booleans(), min_size=2, max_size=30),
    st.booleans(),
)
def test_a_full_header_is_found_wherever_it_stands(
    above: int, left: int, width: int, sparse: list[bool], titled: bool
) -> None:
    header = tuple(f"h{number}" for number in range(width))
    table: list[tuple[Cell, ...]] = [header, *((1.5, *["x"] * (width - 2), None if gap else "z") for gap in sparse)]
    title: list[tuple[Cell, ...]] = [("A title",)] if titled and width > 2 else []
    rows = [*title, *[()] * above, *((None,) * left + row for row in table)]
    layout = find_layout(block(rows))
    assert layout.header_row == len(title) + above + 1
    assert layout.first_column == left
    assert layout.headers == header


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A5:F900", CellRange(5, 900, 0, 5)),
        ("$a$5:$f$900", CellRange(5, 900, 0, 5)),
        ("A:F", CellRange(1, None, 0, 5)),
        ("5:900", CellRange(5, 900, 0, None)),
        ("B3", CellRange(3, None, 1, None)),
        ("B3:", CellRange(3, None, 1, None)),
        ("5:", CellRange(5, None, 0, None)),
        ("A5:F", CellRange(5, None, 0, 5)),
        (" XFD1048576 ", CellRange(MAX_ROWS, None, MAX_COLUMNS - 1, None)),
    ],
)
def test_ranges(text: str, expected: CellRange) -> None:
    assert parse_range(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "A", "5", "A:F900", "5:F900", ":F9", "F9:A1", "A9:F1", "A0", "A1048577", "XFE1", "ZZZZ1", "A5-F9"),
        *("Sheet1!A5", "Ä5", "A٣", "A1:B2:C3", "A" + "9" * 5000, "A" * 5000 + "1", "A\nB"),
    ],
)
def test_what_is_no_range_is_said_in_one_line(text: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_range(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


EDGES = st.tuples(st.integers(0, MAX_COLUMNS - 1), st.integers(1, MAX_ROWS))


@given(EDGES, st.none() | st.integers(0, 99), st.none() | st.integers(0, 99))
def test_a_range_reads_as_it_prints(start: tuple[int, int], wide: int | None, high: int | None) -> None:
    column, row = start
    last_column = None if wide is None else min(column + wide, MAX_COLUMNS - 1)
    last_row = None if high is None else min(row + high, MAX_ROWS)
    if last_column is None and last_row is not None:
        column = 0
    within = CellRange(row, last_row, column, last_column)
    assert parse_range(str(within)) == within


@pytest.mark.parametrize(
    "cells",
    [
        ("Total", None, 12.5),
        (None, "TOTAL:", 3, 4.0, ""),
        ("Grand  total", 1.0),
        ("Gesamtsumme", 1.0),
        ("Total général :", 1.0),
        ("Итого", 1.0),
        ("合計", 1.0),
        ("Toplam", 1.0),
    ],
)
def test_totals_rows(cells: tuple[Cell, ...]) -> None:
    assert is_totals_row(cells)


@pytest.mark.parametrize(
    "cells",
    [
        (),
        (None, None),
        ("Total",),
        ("Total", "Paris", 1.0),
        ("Total Energies", 1.0),
        ("Total", True),
        ("Total", dt.date(2024, 1, 1)),
        ("Total", CellError("#REF!")),
        ("Total", "12"),
        (12.5, "Total"),
        (12.5, 3.0),
    ],
)
def test_rows_of_data_are_no_totals(cells: tuple[Cell, ...]) -> None:
    assert not is_totals_row(cells)


def test_totals_of_untyped_sheets() -> None:
    assert is_totals_row(("Total", "", "1,234.50", "-3"), typed=False)
    assert not is_totals_row(("Total", "", "1,234.50", "EUR"), typed=False)
