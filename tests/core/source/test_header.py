"""Finding the table in a sheet: header row, first row of data, columns; ranges; totals rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial
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


Row = tuple[Cell, ...]


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


def test_titles_blank_rows_and_blank_columns_before_the_table_are_skipped() -> None:
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


def test_short_rows_above_the_table_are_not_a_table() -> None:
    preamble: list[tuple[Cell, ...]] = [("Customer", "ACME"), ("Date", dt.date(2024, 1, 1)), ("By", "Ann"), ("To", "B")]
    layout = find_layout(block([*preamble, ("a", "b", "c", "d", "e")]))
    assert (layout.header_row, layout.first_row) == (5, 6)
    assert "and left out: row 1 ('Customer'), row 2 ('Date'), row 3 ('By'), 1 more" in layout.notes[0]


def test_many_blank_rows_above_the_table_are_skipped() -> None:
    layout = find_layout(block([(), *[(None, None, None)] * 400, HEADER, *ROWS]))
    assert layout.header_row == 402


def test_blank_columns_inside_do_not_end_the_table() -> None:
    rows = [("a", None, "c", None, "e"), (1.0, None, 3.0, 4.0, 5.0), (1.0, None, 3.0, None, 5.0)]
    layout = find_layout(block(rows))
    assert layout.headers == ("a", None, "c", None, "e")
    assert layout.columns({0, 2, 3, 4}) == (0, 2, 3, 4)


def test_cells_found_beside_the_table_extend_the_layout() -> None:
    layout = find_layout(block([HEADER, *ROWS], first_column=2))
    wider = layout.stretched({1, 2, 3, 7})
    assert wider.first_column == 1
    assert wider.headers == (None, *HEADER, None, None, None)
    assert wider.columns({1, 2, 3, 7}) == (1, 2, 3, 4, 7)
    assert layout.stretched({2, 3}) is layout
    within = find_layout(block([HEADER, *ROWS], first_column=2), within=parse_range("C:E"))
    assert within.stretched({1, 2, 7}).headers == HEADER


def test_first_row_of_a_sheet_of_texts_is_the_header() -> None:
    rows = [("code", "name", "note"), ("x", "y", None), ("x", "y", "z")]
    assert find_layout(block(rows)).header_row == 1


def test_an_empty_last_header_does_not_hide_the_header() -> None:
    values = [("Name", "Born", None), ("Ann", 1990.0, "x"), ("Bob", 1991.0, "y")]
    assert find_layout(block(values)).headers == ("Name", "Born", None)
    texts = [("a", "b", "c", None), ("p", "q", "r", "s"), ("p", "q", "r", "s")]
    assert find_layout(block(texts)).headers == ("a", "b", "c", None)


def test_header_may_be_blank_above_row_labels() -> None:
    layout = find_layout(block([(None, "Q1", "Q2"), ("North", 1.0, 2.0), ("South", 3.0, 4.0)]))
    assert (layout.header_row, layout.headers) == (1, (None, "Q1", "Q2"))


def test_duplicate_headers_are_kept() -> None:
    assert find_layout(block([("a", "a", " a "), (1.0, 2.0, 3.0)])).headers == ("a", "a", "a")


def test_group_headers_above_the_header_are_skipped() -> None:
    rows = [("2023", None, "2024", None), ("Q1", "Q2", "Q1", "Q2"), (1.0, 2.0, 3.0, 4.0)]
    assert find_layout(block(rows)).header_row == 2


def test_header_without_rows_is_found() -> None:
    layout = find_layout(block([("Report",), (), HEADER]))
    assert (layout.header_row, layout.first_row, layout.headers) == (3, 4, HEADER)
    assert find_layout(block([HEADER])).headers == HEADER


def test_header_of_one_column_is_found() -> None:
    layout = find_layout(block([("Name",), ("Ann",), ("Bob",)]))
    assert (layout.header_row, layout.headers) == (1, ("Name",))


@pytest.mark.parametrize("value", [2024.0, 7, True, dt.date(2024, 1, 1), dt.datetime(2024, 1, 1), CellError("#N/A")])
def test_first_wide_row_with_values_is_not_a_header(value: Cell) -> None:
    layout = find_layout(block([(), ("Ann", "Oslo", value), ("n", "a", "t"), ("Bob", "Rome", value)]))
    assert (layout.header_row, layout.first_row, layout.headers) == (0, 2, (None, None, None))
    (note,) = layout.notes
    assert "row 2 holds values" in note
    assert "--header-row" in note


def test_sheet_without_a_header_loses_no_row() -> None:
    layout = find_layout(block([("Report",), ("Ann", "Oslo", 1.0), ("Bob", "Rome", 2.0)]))
    assert (layout.header_row, layout.first_row) == (0, 1)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "12",
            "-1.5",
            "1,234.50",
            "12%",
            "2024-01-31",
            "$1,200.00",
            "€ 12",
            "12 EUR",
            "(1,234.50)",
            "1.234,56",
            "1e5",
        ),
        *(
            "31/12/2024",
            "12/31/2024 10:30",
            "31.12.2024",
            "2024-01-31 10:00:00",
            "10:30",
            "9:05 PM",
            "10:30:15.5",
            ".5",
        ),
    ],
)
def test_values_stored_as_text_are_not_a_header(value: str) -> None:
    rows = [("Ann", value), ("Bob", "2")]
    assert find_layout(block(rows)).header_row == 0
    assert find_layout(block([("Name", "Price"), *rows])).header_row == 1


def test_known_header_takes_precedence() -> None:
    known = [frozenset({"name", "city", "price"})]
    rows = [("Sheet", "of", "all", "prices"), ("price", "NAME ", "City", "extra"), ("a", "b", "c", "d")]
    assert find_layout(block(rows)).header_row == 1
    layout = find_layout(block(rows), known=known)
    assert (layout.header_row, layout.headers) == (2, ("price", "NAME", "City", "extra"))
    assert find_layout(block([rows[0], ("Name", "City"), ("a", "b", "c")]), known=known).header_row == 2
    assert find_layout(block([("Name",), ("a", "b", "c"), ("d", "e", "f")]), known=known).header_row == 2


def test_header_of_the_sample_file_is_found() -> None:
    known = [frozenset(target for _, target in BUSINESSES.headers)]
    header = tuple(text for text, _ in BUSINESSES.headers)
    layout = find_layout(block([header, *[("x",) * 9] * 20]), known=known)
    assert (layout.header_row, layout.headers) == (1, header)


def test_sheet_without_cells_has_no_header() -> None:
    for empty in (Block(1, ()), block([(None, None)] * 3)):
        layout = find_layout(empty)
        assert (layout.header_row, layout.headers, layout.notes) == (0, (), ("there are no cells",))
    assert layout.stretched({2, 3}).headers == (None, None)


def test_header_row_option_takes_precedence() -> None:
    rows = [("a", "b"), (2023.0, 2024.0), (1.0, 2.0)]
    layout = find_layout(block(rows), header_row=2)
    assert (layout.header_row, layout.first_row, layout.headers) == (2, 3, ("2023", "2024"))
    none = find_layout(block(rows), header_row=0)
    assert (none.header_row, none.first_row, none.headers) == (0, 1, (None, None))
    far = [("x",)] * 150
    assert find_layout(block([*far, ("h",), ("y",)]), header_row=151).headers == ("h",)


@pytest.mark.parametrize(("row", "why"), [(9, "the last row with cells is row 3"), (2, "the row is blank")])
def test_missing_or_blank_header_row_is_refused(row: int, why: str) -> None:
    with pytest.raises(PlanError, match=why):
        find_layout(block([("a",), (None,), ("b",)]), header_row=row)


def test_range_option_takes_precedence() -> None:
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
def test_complete_header_is_found_at_any_position(
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
def test_ranges_are_parsed(text: str, expected: CellRange) -> None:
    assert parse_range(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "A", "5", "A:F900", "5:F900", ":F9", "F9:A1", "A9:F1", "A0", "A1048577", "XFE1", "ZZZZ1", "A5-F9"),
        *("Sheet1!A5", "Ä5", "A٣", "A1:B2:C3", "A" + "9" * 5000, "A" * 5000 + "1", "A\nB"),
    ],
)
def test_invalid_range_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_range(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


EDGES = st.tuples(st.integers(0, MAX_COLUMNS - 1), st.integers(1, MAX_ROWS))


@given(EDGES, st.none() | st.integers(0, 99), st.none() | st.integers(0, 99))
def test_formatted_range_parses_to_the_same_range(start: tuple[int, int], wide: int | None, high: int | None) -> None:
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
def test_totals_rows_are_recognised(cells: tuple[Cell, ...]) -> None:
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
def test_data_rows_are_not_totals_rows(cells: tuple[Cell, ...]) -> None:
    assert not is_totals_row(cells)


def test_totals_rows_of_untyped_sheets_are_recognised() -> None:
    assert is_totals_row(("Total", "", "1,234.50", "-3"), typed=False)
    assert not is_totals_row(("Total", "", "1,234.50", "EUR"), typed=False)


@pytest.mark.parametrize(
    ("header", "first", "second"),
    [
        (("Country", "Code", 2019.0, 2020.0, 2021.0), ("Peru", "PER", 1.5, 1.6, None), ("Mali", "MLI", None, 2.5, 2.7)),
        (("region", "2021", "2022", "2023"), ("North", "10", "11", "12"), ("South", "20", "21", "22")),
        (("region", "2023", "2022", "2021"), ("North", "10", "11", "12"), ("South", "20", "21", "22")),
        (("Country", 2021), ("Peru", 1.5), ("Mali", 2.5)),
        (("Country", 2021, 2022, "Total"), ("Peru", 1, 2, 3), ("Mali", 4, 5, 9)),
        ((None, 2020.0, 2021.0), ("Peru", 1.5, 1.6), ("Mali", 2.5, 2.6)),
        ((1999, 2000, 2001), (5.5, 6.5, 7.5), (8.5, 9.5, 10.5)),
        (("Item", 1.0, 2.0, 3.0, 4.0), ("A", 7.0, 9.0, 11.0, 3.0), ("B", 2.0, 4.0, 6.0, 9.0)),
        (("Item", *map(str, range(1, 13))), ("A", *["5"] * 12), ("B", *["7"] * 12)),
        ((1.0, 2.0, 3.0), ("Ann", "Oslo", 5.0), ("Bob", "Rome", 7.0)),
        (("Shop", dt.date(2024, 1, 1), dt.date(2024, 2, 1)), ("A", 7.0, 9.0), ("B", 2.0, 4.0)),
        (("Shop", "2024-01", "2024-02", "2024-03"), ("A", "7", "9", "1"), ("B", "2", "4", "5")),
        (("Shop", "01/2024", "02/2024"), ("A", "7", "9"), ("B", "2", "4")),
        (("Shop", "01.01.2024", "01.02.2024"), ("A", "7", "9"), ("B", "2", "4")),
        (("Room", "08:00", "09:00", "10:00"), ("A", "Ann", "Bob", None), ("B", "Cy", None, "Di")),
        (("Name", "5"), ("Ann", "x"), ("Bob", "y")),
    ],
)
def test_ordered_years_dates_and_numbers_are_a_header(header: Row, first: Row, second: Row) -> None:
    layout = find_layout(block([header, first, second]))
    assert (layout.header_row, layout.first_row) == (1, 2)
    assert find_layout(block([first, second, first])).header_row != 1 or not isinstance(first[-1], (float, int))


@pytest.mark.parametrize(
    "rows",
    [
        [("North", 2019, 2020), ("South", 2018, 2021), ("East", 2017, 2020)],
        [("North", "2019", "2020"), ("South", "2018", "2021"), ("East", "2017", "2020")],
        [(1, 2, 3), (4, 5, 6), (7, 8, 9)],
        [("A", 1, 2, 3), ("B", 2, 3, 4), ("C", 3, 4, 5)],
        [("North", 10.0, 11.0), ("South", 20.0, 21.0), ("North", 30.0, 31.0)],
        [("A", dt.date(2024, 1, 1), dt.date(2024, 2, 1)), ("B", dt.date(2023, 1, 1), dt.date(2023, 2, 1))],
        [("A", 3, 1, 2), ("B", 5, 5, 5)],
        [("1", "2"), ("3", "5"), ("4", "4")],
    ],
)
def test_first_row_similar_to_the_rows_below_is_not_a_header(rows: list[Row]) -> None:
    layout = find_layout(block(rows))
    assert (layout.header_row, layout.first_row) == (0, 1)


@pytest.mark.parametrize(
    ("upper", "lower", "row", "headers"),
    [
        (
            ("Region", "2022", None, "2023", None),
            (None, "Male", "Female", "Male", "Female"),
            ("North", 1, 2, 3, 4),
            ("Region", "2022 Male", "2022 Female", "2023 Male", "2023 Female"),
        ),
        (
            ("Region", 2022.0, None, 2023.0, None),
            (None, "Male", "Female", "Male", "Female"),
            ("North", 1, 2, 3, 4),
            ("Region", "2022 Male", "2022 Female", "2023 Male", "2023 Female"),
        ),
        (
            (None, "male", None, "female", None),
            ("region", "count", "mean", "count", "mean"),
            ("North", 1, 2.5, 3, 4.5),
            ("region", "male count", "male mean", "female count", "female mean"),
        ),
        (
            ("Region", "Q1", "Q1", "Q2", "Q2"),
            (None, "plan", "fact", "plan", "fact"),
            ("North", "1", "2", "3", "4"),
            ("Region", "Q1 plan", "Q1 fact", "Q2 plan", "Q2 fact"),
        ),
        (
            ("Person", None, "Money", None, "Note"),
            ("First", "Last", "Plan", "Fact", None),
            ("F0", "L0", 0, 0, "n0"),
            ("First", "Last", "Plan", "Fact", "Note"),
        ),
        (
            ("Name", "Sales", None, "Comment"),
            (None, "plan", "fact", None),
            ("Ann", 1, 2, "x"),
            ("Name", "plan", "fact", "Comment"),
        ),
    ],
)
def test_two_row_header_is_joined(upper: Row, lower: Row, row: Row, headers: tuple[str, ...]) -> None:
    for above in ([], [("Sales of the year",)], [("Sales",), ()]):
        layout = find_layout(block([*above, upper, lower, row, row]))
        assert (layout.header_row, layout.first_row) == (len(above) + 2, len(above) + 3)
        assert layout.headers == headers
        assert "rows" in layout.notes[0]


@pytest.mark.parametrize(
    "rows",
    [
        [("Name", None, "Q1", "Q2"), ("Ann", "x", "n/a", "n/a"), ("Bob", "y", 3, 4), ("Cy", "z", 5, 6)],
        [("Name", None, "Phone"), ("Ann", "x", None), ("Bob", "y", "12 34"), ("Cy", None, "56 78")],
        [("Name", "Q1", "Q2"), ("Ann", "absent", "absent"), ("Bob", 3, 4), ("Cy", 5, 6)],
        [("Name", "City", "Country"), ("Ann", "Oslo", "Norway"), ("Bob", "Rome", "Italy")],
        [("Name", "Amount"), ("Ann", 1), ("Bob", 2)],
    ],
)
def test_first_data_row_of_texts_is_not_a_second_header_row(rows: list[Row]) -> None:
    layout = find_layout(block(rows))
    assert (layout.header_row, layout.first_row) == (1, 2)


@pytest.mark.parametrize(
    ("upper", "lower", "row", "merged", "headers"),
    [
        (  # a column between two groups belongs to neither
            ("Region", 2022.0, None, None, 2023.0, None),
            (None, "Male", "Female", "Total", "Male", "Female"),
            ("North", 1, 2, 3, 3, 4),
            ("B1:C1", "E1:F1", "A1:A2"),
            ("Region", "2022 Male", "2022 Female", "Total", "2023 Male", "2023 Female"),
        ),
        (  # a column of texts below groups that are merged
            ("Person", "Home", None, "Work", None),
            (None, "phone", "street", "phone", "street"),
            ("Ann", "a", "b", "c", "d"),
            ("B1:C1", "D1:E1"),
            ("Person", "Home phone", "Home street", "Work phone", "Work street"),
        ),
        (  # a group whose cell is repeated, and merged each time
            ("Region", "Q1", None, "Q1", None),
            (None, "plan", "fact", "old plan", "old fact"),
            ("North", 1, 2, 3, 4),
            ("B1:C1", "D1:E1"),
            ("Region", "plan", "fact", "old plan", "old fact"),
        ),
        (  # only one of the groups is merged
            ("Region", 2022.0, None, 2023.0, None),
            (None, "Male", "Female", "Male", "Female"),
            ("North", 1, 2, 3, 4),
            ("B1:C1",),
            ("Region", "2022 Male", "2022 Female", "2023 Male", "2023 Female"),
        ),
    ],
)
def test_merged_cells_determine_the_extent_of_a_group_header(
    upper: Row, lower: Row, row: Row, merged: tuple[str, ...], headers: tuple[str, ...]
) -> None:
    layout = find_layout(block([upper, lower, row, row]), merged=lambda: list(map(parse_range, merged)))
    assert (layout.header_row, layout.headers) == (2, headers)


def test_merged_cells_of_other_rows_do_not_make_a_two_row_header() -> None:
    rows: list[Row] = [("name", "a", "b"), ("Ann", "x", None), ("Bob", "y", "z"), ("Cy", "u", "v")]
    for merged in ("B2:C2", "A1:B1", "A1:C1", "B1:C1"):
        assert find_layout(block(rows), merged=partial(list, [parse_range(merged)])).header_row == 1


def test_a_title_is_not_joined_to_the_header() -> None:
    layout = find_layout(block([("Sales", None, None), ("Name", "Plan", "Fact"), ("Ann", 1, 2), ("Bob", 3, 4)]))
    assert (layout.header_row, layout.headers) == (2, ("Name", "Plan", "Fact"))


@pytest.mark.parametrize(
    "rows",
    [
        [("name", "city"), ("Ann", "Oslo"), ("Bob", "Rome"), ("x", "y", "source:", "office", "2024")],
        [("name", "n"), ("Ann", 1), ("Bob", 2), ("Total", 3, "mean", 1.5, "most", 2)],
        [("id", "name", "note"), (1, "x"), (2, "y"), (3, "z", "long", "more", "and", "more")],
    ],
)
def test_wide_last_row_is_not_a_header(rows: list[Row]) -> None:
    assert find_layout(block(rows)).header_row == 1


def test_last_row_below_titles_is_a_header_without_rows() -> None:
    layout = find_layout(block([("Report",), ("2024",), ("id", "name", "city", "n")]))
    assert (layout.header_row, layout.first_row) == (3, 4)
