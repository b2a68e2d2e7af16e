"""A text column gets a type only where every text comes back as it was."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.conversion.text_guess import TextGuess
from tui_importer.core.model.types import (
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    INTERVAL,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    ColumnType,
    Kind,
)


def guess(texts: Sequence[str], *, blocks: int = 1) -> tuple[ColumnType, str | None]:
    found, rows = TextGuess(), range(2, 2 + len(texts))
    size = -(-len(texts) // blocks)
    for start in range(0, len(texts), size):
        found.add(texts[start : start + size], rows[start : start + size])
    result = found.result(2)
    return result.type, result.reason


@pytest.mark.parametrize(
    ("texts", "type_"),
    [
        (["true", "FALSE"], BOOLEAN),
        (["0", "-12", "123456789012345"], INTEGER),
        (["1", "1.5", "2.5E-3"], FLOAT),
        (["2024-02-29"], DATE),
        (["2024-02-29", "2024-03-01 12:00"], TIMESTAMP),
        (["2024-03-01T12:00:00Z", "2024-03-01 12:00+00:00"], TIMESTAMPTZ),
        (["2024-01-02 03:04:05.678+00", "2024-01-02 03:04:05+05:30"], TIMESTAMPTZ),
        (["1 day 02:03:04", "02:03:04", "-00:00:01.5"], INTERVAL),
        (["P1DT2H", "PT30M"], INTERVAL),
        (["25:00:00", "1:02:03"], INTERVAL),
        (["1e+05", "0.25", "4e-06"], FLOAT),
        ([".5", "1.", "-3"], FLOAT),
        ([" 12 ", "\u00a03"], INTEGER),
        (["0.30000000000000004", "1.5"], ColumnType(Kind.NUMERIC)),
        (["23:59", "01:02:03.5"], TIME),
    ],
)
def test_narrowest_common_type_is_chosen(texts: list[str], type_: ColumnType) -> None:
    assert guess(texts)[0] == type_


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["1", "007"], "leading zeros, first in row 3 ('007')"),
        (["1", "+49"], "a plus sign, first in row 3 ('+49')"),
        (["1", "1234567890123456"], "more than 15 digits, first in row 3 ('1234567890123456')"),
        (["1", "2", "x"], "not a whole number in row 4 ('x')"),
        (["2024-02-29", "2023-02-29"], "not a date in row 3 ('2023-02-29')"),
        (["1.10", "1.9"], "zeros at the end that a number loses, first in row 2 ('1.10')"),
        (["12:00", "24:00"], "not a time of day in row 3 ('24:00')"),
        (["12E4"], None),
        (["x", "1"], None),
    ],
)
def test_text_type_has_a_reason(texts: list[str], why: str | None) -> None:
    assert guess(texts) == (TEXT, why)


WRITTEN: dict[ColumnType, tuple[st.SearchStrategy[str], Callable[[str], object]]] = {
    INTEGER: (st.integers(-(10**14), 10**14).map(str), int),
    DATE: (st.dates().map(str), dt.date.fromisoformat),
    TIME: (st.times().map(str), dt.time.fromisoformat),
    TIMESTAMP: (st.datetimes().map(str), dt.datetime.fromisoformat),
}


@pytest.mark.parametrize("type_", WRITTEN, ids=str)
@given(data=st.data())
def test_text_of_python_values_is_recognised_across_blocks(type_: ColumnType, data: st.DataObject) -> None:
    texts, read = WRITTEN[type_]
    column = data.draw(st.lists(texts, min_size=1, max_size=20))
    found, _ = guess(column, blocks=data.draw(st.integers(1, 4)))
    assert found == type_
    assert [str(read(text)) for text in column] == column


@given(st.lists(st.from_regex(r"[-+]?[0-9]{1,17}(\.[0-9]{1,3})?", fullmatch=True), min_size=1, max_size=6))
def test_number_keeps_all_digits_of_its_text(column: list[str]) -> None:
    type_, _ = guess(column)
    if type_ == INTEGER:
        assert [str(int(text)) for text in column] == column
    elif type_ == FLOAT:
        plain = {text.rstrip("0").rstrip(".") if "." in text else text for text in column}
        plain = {text.replace("-0", "0") if float(text) == 0 else text for text in plain}
        assert len({float(text) for text in column}) == len(plain)  # no two texts become the same number
