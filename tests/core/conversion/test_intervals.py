"""Durations as programs and databases write them."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.conversion.intervals import parse_interval
from tui_importer.core.conversion.parsing import as_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 day 02:03:04", dt.timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("-1 days +02:03:04", dt.timedelta(days=-1, hours=2, minutes=3, seconds=4)),
        ("1 day -00:00:01.5", dt.timedelta(days=1, seconds=-1.5)),
        ("3 days", dt.timedelta(days=3)),
        ("-02:00:00", dt.timedelta(hours=-2)),
        ("100:00", dt.timedelta(hours=100)),
        ("P1DT2H", dt.timedelta(days=1, hours=2)),
        ("PT1H30M0.000001S", dt.timedelta(hours=1, minutes=30, microseconds=1)),
        ("P2W", dt.timedelta(weeks=2)),
        ("-PT30M", dt.timedelta(minutes=-30)),
        ("P-1DT-2H", dt.timedelta(days=-1, hours=-2)),
    ],
)
def test_durations_are_parsed(text: str, expected: dt.timedelta) -> None:
    assert parse_interval(text) == expected


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "1 mon", "P1M", "P1Y", "day", "1", " 1:00", "1:60", "1:00 ", "١:00"]
)
def test_invalid_durations_are_not_parsed(text: str) -> None:
    assert parse_interval(text) is None


def test_too_long_duration_is_refused() -> None:
    with pytest.raises(OverflowError):
        parse_interval("9999999999999:00")


def postgresql(span: dt.timedelta) -> str:
    """As PostgreSQL prints a duration by default."""
    clock = as_text(dt.timedelta(seconds=span.seconds, microseconds=span.microseconds)) or ""
    return f"{span.days} day{'s' * (span.days != 1)} +{clock:0>8}" if span.days else clock.zfill(8)


@given(st.timedeltas(dt.timedelta(-9_999_999), dt.timedelta(9_999_999)))
def test_intervals_printed_by_databases_are_read(span: dt.timedelta) -> None:
    assert parse_interval(as_text(span) or "") == span
    assert parse_interval(postgresql(span)) == span
    micro = span // dt.timedelta(microseconds=1)
    iso = f"{'-' * (micro < 0)}PT{abs(micro) // 1_000_000 % 10**9}.{abs(micro) % 1_000_000:06}S"
    if abs(micro) < 10**15:
        assert parse_interval(iso) == span
