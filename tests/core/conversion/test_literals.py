"""Values that no Python type holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tui_importer.core.conversion.intervals import calendar_interval
from tui_importer.core.conversion.literals import literal
from tui_importer.core.conversion.parsing import ConversionError, parser
from tui_importer.core.model.types import DATE, INTERVAL, TEXT, TIMESTAMP, TIMESTAMPTZ, ColumnType


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (DATE, "infinity"),
        (DATE, "-Infinity"),
        (DATE, "0044-03-15 BC"),
        (DATE, "12345-03-15 BC"),
        (TIMESTAMP, "0044-03-15 12:00:00.5 BC"),
        (TIMESTAMP, "0044-03-15 BC"),
        (TIMESTAMPTZ, "0044-03-15 12:00:00+00:53:28 BC"),
        (INTERVAL, "1 year 2 mons 3 days 04:05:06"),
        (INTERVAL, "P1Y"),
    ],
)
def test_only_types_with_literals_accept_them(type_: ColumnType, text: str) -> None:
    assert parser(replace(type_, literals=True))(f" {text} ") == text
    with pytest.raises(ConversionError, match=r"^is .*: only columns of PostgreSQL tables that are there already"):
        parser(type_)(text)


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (DATE, "inf"),
        (DATE, "0044-13-15 BC"),
        (DATE, "44-03-15 BC"),
        (DATE, "0044-03-15 12:00:00 BC"),
        (DATE, "20240-01-01"),
        (TIMESTAMP, "0044-03-15 12:00:00+00 BC"),
        (TIMESTAMP, "0044-03-15 25:00:00 BC"),
        (INTERVAL, "3 days"),
        (INTERVAL, "1 month"),
        (TEXT, "3 days"),
    ],
)
def test_other_texts_are_not_literals(type_: ColumnType, text: str) -> None:
    assert literal(text, type_) is None


def test_ordinary_values_are_converted_by_types_with_literals() -> None:
    assert str(parser(replace(DATE, literals=True))("2024-02-29")) == "2024-02-29"
    with pytest.raises(ConversionError, match="a date is expected"):
        parser(replace(DATE, literals=True))("tomorrow")


def test_literals_do_not_change_type_equality() -> None:
    assert replace(DATE, literals=True) == DATE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 year 2 mons 3 days 04:05:06.5", (14, 3, 14_706_500_000)),
        ("-1 years -2 mons +3 days -04:05:06", (-14, 3, -14_706_000_000)),
        ("1 mon", (1, 0, 0)),
        ("P1Y2M3DT4H5M6.5S", (14, 3, 14_706_500_000)),
        ("P-1Y2MT-1S", (-10, 0, -1_000_000)),
        ("PT5M", None),
        ("1 day", None),
        ("", None),
        ("1 year ", None),
        (" 1 year", None),
    ],
)
def test_calendar_intervals_are_parsed(text: str, expected: tuple[int, int, int] | None) -> None:
    assert calendar_interval(text) == expected
