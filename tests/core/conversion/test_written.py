"""A column in a written form: as a whole as cell by cell, back as it was written, unchanged if a cell contradicts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.conversion.test_numbers import AMOUNTS, written
from tui_importer.core.conversion.convert import Conversion, form_parser
from tui_importer.core.conversion.inference import ColumnInference, Inferred
from tui_importer.core.conversion.parsing import CellParser, ConversionError, parser
from tui_importer.core.conversion.written import form_of
from tui_importer.core.model.cells import Cell
from tui_importer.core.model.formats import PLAIN, ColumnFormat
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.types import BOOLEAN, DATE, FLOAT, INTEGER, TIMESTAMP, ColumnType, Kind

NUMERIC = ColumnType(Kind.NUMERIC)
SCALE_1 = ColumnType(Kind.NUMERIC, precision=5, scale=1)
COMMA = ColumnFormat(decimal_mark=",")


def convert(cells: list[Cell], type_: ColumnType, format_: ColumnFormat) -> tuple[list[Cell], dict[int, str]]:
    column, reasons = Conversion(type_, format=format_).apply(ListColumn(cells))
    return list(column.values()), reasons


def infer(cells: list[Cell], *, typed: bool = False, given: ColumnFormat = PLAIN) -> Inferred:
    inference = ColumnInference(typed=typed, given=given)
    inference.add(ListColumn(cells), 2)
    return inference.result()


@pytest.mark.parametrize(
    ("type_", "format_", "cells", "values"),
    [
        (FLOAT, COMMA, ["1.234,5", None, " 2,0 "], [1234.5, None, 2.0]),
        (NUMERIC, COMMA, ["1.234,5", 2.5, "3"], [Decimal("1234.5"), Decimal("2.5"), Decimal(3)]),
        (INTEGER, COMMA, ["1.234", "2,0"], [1234, 2]),
        (DATE, ColumnFormat(date_format="dmy"), ["1.2.2024", "2024-02-01", None], [dt.date(2024, 2, 1)] * 2 + [None]),
        (TIMESTAMP, ColumnFormat(date_format="mdy"), ["2/1/2024"], [dt.datetime(2024, 2, 1)]),
        (BOOLEAN, ColumnFormat(true_words=("ja",), false_words=("nein",)), ["Ja", "nein", "t"], [True, False, True]),
        (SCALE_1, ColumnFormat(round=True), ["1.25", 2.35], [Decimal("1.3"), Decimal("2.4")]),
        (INTEGER, ColumnFormat(round=True), [1.5, -2.5, "3.4"], [2, -3, 3]),
        (FLOAT, ColumnFormat(null_if=("NA", "-")), ["1.5", "NA", "-"], [1.5, None, None]),
    ],
)  # fmt: skip
def test_values_in_the_configured_form_are_converted(
    type_: ColumnType, format_: ColumnFormat, cells: list[Cell], values: list[Cell]
) -> None:
    assert convert(cells, type_, format_) == (values, {})


@pytest.mark.parametrize(
    ("type_", "format_", "cell", "reason"),
    [
        (FLOAT, COMMA, "1.5", "a number with a decimal comma is expected (see --decimal-mark)"),
        (FLOAT, ColumnFormat(decimal_mark=".", percent=True), "12", "a percentage with a decimal point is expected"),
        (
            NUMERIC,
            ColumnFormat(decimal_mark=",", currency="€"),
            "$ 5",
            "an amount in € with a decimal comma is expected",
        ),
        (DATE, ColumnFormat(date_format="DD.MM.YYYY"), "12/31/2024", "a date DD.MM.YYYY is expected"),
        (DATE, ColumnFormat(date_format="DD.MM.YYYY"), "31.02.2024", "no such date or time"),
        (DATE, PLAIN, "01/02/2024", "a date is expected (--date-format says how dates are written)"),
        (TIMESTAMP, PLAIN, "1.2.2024 10:00", "--date-format says how dates are written"),
        (DATE, PLAIN, "soon", "a date is expected (as text: YYYY-MM-DD)"),
        (DATE, PLAIN, "20240-12-31", "a year after 9999 is more likely a typing error"),
        (DATE, PLAIN, "infinity", "only columns of PostgreSQL tables"),
        (FLOAT, PLAIN, "1,5", "a number is expected (--decimal-mark says how numbers are written)"),
        (BOOLEAN, ColumnFormat(true_words=("ja",)), "nein", "one of ja is expected"),
        (TIMESTAMP, ColumnFormat(date_format="dmy"), "1.2.2024 10:00+02", "has a time zone"),
        (SCALE_1, PLAIN, "1.25", "2 decimals; the column takes 1 (--round"),
    ],
)
def test_cells_in_another_form_are_refused(type_: ColumnType, format_: ColumnFormat, cell: str, reason: str) -> None:
    values, reasons = convert([cell, None], type_, format_)
    assert values == [None, None]
    assert reason in reasons[0]


@pytest.mark.parametrize(
    ("cell", "type_", "value"),
    [
        (3.3000000000000003, "numeric(10,2)", Decimal("3.3")),
        (57.699999999999996, "numeric(10,2)", Decimal("57.7")),
        (0.30000000000000004, "numeric(10,1)", Decimal("0.3")),
        (2.9999999999999996, "integer", 3),
        (0.1, "numeric(20,1)", Decimal("0.1")),
        (123456789012345.67, "numeric(20,2)", Decimal("123456789012345.67")),
    ],
)
def test_float_is_rounded_to_its_displayed_digits(cell: float, type_: str, value: Cell) -> None:
    columns: list[list[Cell]] = [[cell], [cell, 1.0], [cell, None], [cell, "1"]]
    for cells in columns:
        values, reasons = convert(cells, ColumnType.parse(type_), PLAIN)
        assert (values[0], reasons) == (value, {})


@pytest.mark.parametrize("cell", [3.333, 0.12345, 1e-10])
def test_a_double_with_more_decimals_is_refused_or_rounded(cell: float) -> None:
    type_ = ColumnType.parse("numeric(10,2)")
    assert convert([cell], type_, PLAIN)[1][0].endswith("decimals; the column takes 2 (--round would round it)")
    assert convert([cell], type_, ColumnFormat(round=True)) == ([round(Decimal(cell), 2)], {})


def test_workbook_texts_stay_text_with_a_hint_about_numbers() -> None:
    found = infer(["1", "22"], typed=True)
    assert str(found.type) == "text"
    assert found.hint == "numbers are stored as text: --type {column=integer} reads them"
    assert infer(["007"], typed=True).hint is None
    assert infer(["31.12.2024"], typed=True).type.kind is Kind.TEXT
    assert infer([1.0, "NA", "-"], typed=True).hint is not None
    assert infer(["01.02.2024"], typed=True, given=ColumnFormat(date_format="dmy")).type == DATE


def test_null_words_are_offered_with_their_counts() -> None:
    found = infer(["1", "NA", "-", "NA", None])
    assert str(found.type) == "text"
    assert found.hint == "would be integer but for 2 × 'NA', 1 × '-': --null-if NA --null-if=- reads them as NULL"
    assert infer(["NA", "none"]).hint is None
    assert infer(["Ann", "NA"]).hint is None
    assert str(infer(["1", "NA"], given=ColumnFormat(null_if=("NA",))).type) == "integer"


WRITERS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], str], Callable[[Any], Cell]]] = {
    "day first": (st.dates(), lambda day: f"{day:%d.%m.}{day.year:04}", lambda day: day),
    "month first": (st.dates(), lambda day: f"{day:%m/%d/}{day.year:04}", lambda day: day),
    "comma": (AMOUNTS, lambda number: written(number, ",", "."), float),
    "blank": (AMOUNTS, lambda number: written(number, ",", "\u202f"), float),
    "dollars": (AMOUNTS, lambda number: f"${written(number, '.', ',')}", lambda number: number),
    "percent": (AMOUNTS, lambda number: f"{written(number, '.', ',')} %", lambda number: float(number / 100)),
    "yes": (st.booleans(), lambda value: "Yes" if value else "no", lambda value: value),
}  # fmt: skip


@pytest.mark.parametrize("form", WRITERS)
@given(data=st.data())
def test_column_in_an_inferred_form_round_trips_or_stays_text(form: str, data: st.DataObject) -> None:
    values, write, stored = WRITERS[form]
    wanted = data.draw(st.lists(st.none() | values, min_size=1, max_size=12))
    cells: list[Cell] = [None if value is None else write(value) for value in wanted]
    found = infer(cells)
    converted, reasons = convert(cells, found.type, found.format)
    assert reasons == {}
    if found.type.kind is Kind.TEXT:
        assert converted == cells
    else:
        assert converted == [None if value is None else stored(value) for value in wanted]


@pytest.mark.parametrize("form", WRITERS)
@given(data=st.data())
def test_column_with_one_contradicting_cell_stays_text(form: str, data: st.DataObject) -> None:
    values, write, _ = WRITERS[form]
    cells: list[Cell] = list(map(write, data.draw(st.lists(values, min_size=1, max_size=12))))
    at = data.draw(st.integers(0, len(cells)))
    cells[at:at] = [data.draw(st.sampled_from(["soon", "99/99/9999", "1,2,3", "7 EUR/m", "2024-13-01", "(x)"]))]
    found = infer(cells)
    assert str(found.type) == "text"
    assert convert(cells, found.type, found.format) == (cells, {})


FORMATS = st.sampled_from(
    [
        COMMA,
        ColumnFormat(decimal_mark="."),
        ColumnFormat(decimal_mark=".", percent=True),
        ColumnFormat(decimal_mark=",", currency="€"),
        ColumnFormat(date_format="DD.MM.YYYY"),
        ColumnFormat(date_format="mdy"),
        ColumnFormat(true_words=("ja",), false_words=("nein",)),
    ]
)
CELLS = (
    st.from_regex(r"[ (€$-]{0,2}[0-9]{0,4}([.,' ][0-9]{1,3}){0,2}[ %)€-]{0,2}", fullmatch=True)
    | st.from_regex(r"[0-3]?[0-9][./][01]?[0-9][./](20)?[0-9]{2}( [0-2]?[0-9]:[0-5][0-9]( ?[AP]M)?)?", fullmatch=True)
    | st.sampled_from(["ja", "NEIN", "true", "2024-01-31", "NA"])
    | st.text(max_size=3)
    | st.none()
    | st.floats(allow_nan=False, allow_infinity=False)
)


@pytest.mark.parametrize("type_", [FLOAT, NUMERIC, INTEGER, DATE, TIMESTAMP, BOOLEAN], ids=str)
@given(cells=st.lists(CELLS, max_size=8) | st.lists(CELLS, min_size=1, max_size=1), format_=FORMATS)
def test_column_conversion_equals_conversion_per_cell(
    type_: ColumnType, cells: list[Cell], format_: ColumnFormat
) -> None:
    cells = [None if cell == "" else cell for cell in cells]
    values, reasons = convert(cells, type_, format_)
    form = form_of(type_.kind, format_)
    parse = parser(type_) if form is None else form_parser(parser(type_), form)
    for row, cell in enumerate(cells):
        if cell is None:
            assert values[row] is None
            continue
        wanted, reason = parsed(parse, cell)
        assert values[row] == wanted
        assert type(values[row]) is type(wanted)
        assert reasons.get(row) == reason


def parsed(parse: CellParser, cell: Cell) -> tuple[Cell, str | None]:
    """One cell's value, and the reason if it is refused."""
    try:
        return parse(cell), None
    except ConversionError as error:
        return None, str(error)
