"""One cell into the type of its column: it comes out as it went in, or it is refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.conversion.parsing import (
    ConversionError,
    as_text,
    parser,
    to_boolean,
    to_float,
    to_integer,
    to_numeric,
    to_text,
)
from tui_importer.core.model.cells import Cell, CellError, UncalculatedFormula
from tui_importer.core.model.types import ColumnType, Kind

#: What each kind is made of, and how its text is written.
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "numeric": st.decimals(allow_nan=False, allow_infinity=False, places=4),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "date": st.dates(),
    "time": st.times(),
    "timestamp": st.datetimes(),
    "interval": st.timedeltas(),
}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_value_of_the_type_is_unchanged(kind: str, data: st.DataObject) -> None:
    value = data.draw(KINDS[kind])
    assert parser(ColumnType.parse(kind))(value) == value


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_text_of_a_value_parses_to_the_same_value(kind: str, data: st.DataObject) -> None:
    """Values shown in a reject workbook can be imported again."""
    value = data.draw(KINDS[kind])
    text = as_text(value)
    assert text is not None
    if kind == "numeric" and "E" in text.upper():
        return  # as_text keeps the exponent that the value has
    assert parser(ColumnType.parse(kind))(text) == value


@pytest.mark.parametrize("kind", Kind)
def test_non_values_are_refused_by_every_type(kind: Kind) -> None:
    parse = parser(ColumnType(kind, native="uuid" if kind is Kind.OTHER else None))
    with pytest.raises(ConversionError, match="error cell #N/A"):
        parse(CellError("#N/A"))
    with pytest.raises(ConversionError, match="never calculated"):
        parse(UncalculatedFormula("A1"))


@pytest.mark.parametrize(
    ("parse", "cell", "reason"),
    [
        (to_text, "a\0b", "NUL character (U+0000, position 2)"),
        (lambda cell: to_text(cell, 2), "abc", "3 characters long; the column takes 2"),
        (to_integer, 1.5, "this has a fraction"),
        (to_integer, True, "this is a boolean"),
        (to_integer, "12a", "an integer is expected"),
        (to_integer, "1" * 5_000, "out of the range of an integer"),
        (to_integer, "1e400", "out of the range of an integer"),
        (to_integer, float("nan"), "this has a fraction"),
        (lambda cell: to_integer(cell, 16), 32768, "out of the range of a 16-bit integer"),
        (to_float, True, "a number is expected"),
        (to_float, "1e400", "out of the range of a double"),
        (to_float, Decimal("-1e400"), "out of the range of a double"),
        (to_float, 10**400, "out of the range of a double"),
        (lambda cell: to_numeric(cell, 5, 2), "1.234", "3 decimals; the column takes 2"),
        (lambda cell: to_numeric(cell, 5, 2), 12345, "5 digits before the point; the column takes 3"),
        (to_numeric, float("inf"), "a finite number is expected"),
        (to_boolean, 2, "TRUE or FALSE is expected"),
        (parser(ColumnType(Kind.DATE)), dt.datetime(2024, 1, 1, 1), "this has a time of day"),
        (parser(ColumnType(Kind.DATE)), "2023-02-29", "no such date or time"),
        (parser(ColumnType(Kind.TIMESTAMP)), "2024-01-01T00:00:00+02:00", "has a time zone"),
        (parser(ColumnType(Kind.TIME)), dt.timedelta(days=1), "a time of day is expected"),
        (parser(ColumnType(Kind.INTERVAL)), "1:60", "a span of time is expected"),
        (parser(ColumnType(Kind.INTERVAL)), "99999999999999:00", "more hours"),
    ],
)
def test_lossy_conversions_are_refused(parse: Callable[[Cell], Cell], cell: Cell, reason: str) -> None:
    with pytest.raises(ConversionError) as refused:
        parse(cell)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, None),
        ("", None),
        (7.0, "7"),
        (0.1, "0.1"),
        (True, "TRUE"),
        (dt.datetime(2024, 1, 2, 3, 4, 5), "2024-01-02 03:04:05"),
        (dt.timedelta(hours=-30, minutes=-1), "-30:01:00"),
        (CellError("#N/A"), "#N/A"),
        (UncalculatedFormula("A1+1"), "=A1+1"),
    ],
    ids=repr,
)
def test_values_are_shown_as_text(cell: Cell, text: str | None) -> None:
    assert as_text(cell) == text


@given(st.one_of(st.integers(), st.floats(), st.decimals(), st.text(), st.booleans()), st.sampled_from([16, 32, 64]))
def test_parsed_integer_fits_its_column(cell: Any, bits: int) -> None:
    try:
        number = to_integer(cell, bits)
    except ConversionError:
        return
    assert -(2 ** (bits - 1)) <= number < 2 ** (bits - 1)
    if not isinstance(cell, str):
        assert number == cell
