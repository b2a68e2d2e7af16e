"""Dates as people write them, and when a column proves its format."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.conversion.date_guess import DateGuess
from tui_importer.core.conversion.dates import MONTHS, DateForm
from tui_importer.core.conversion.guess_result import GuessResult
from tui_importer.core.model.types import DATE, TEXT, TIMESTAMP, TIMESTAMPTZ, ColumnType


def guess(*texts: str, given: str | None = None) -> GuessResult | None:
    found = DateGuess(given)
    found.add(texts, range(2, 2 + len(texts)))
    return found.result()


@pytest.mark.parametrize(
    ("date_format", "text", "iso"),
    [
        ("DD.MM.YYYY", "31.12.2024", "2024-12-31"),
        ("DD.MM.YYYY", "1.2.2024", "2024-02-01"),
        ("DD.MM.YYYY", "31.12.2024 23:59", "2024-12-31 23:59:00"),
        ("DD.MM.YYYY", "31.12.2024, 3.07", "2024-12-31 03:07:00"),
        ("MM/DD/YYYY", "12/31/2024 11:59:30 PM", "2024-12-31 23:59:30"),
        ("MM/DD/YYYY", "12/31/2024 12:05 a.m.", "2024-12-31 00:05:00"),
        ("DD/MM/YYYY", "31/12/2024T10:00:00.25+02:00", "2024-12-31 10:00:00.25+02:00"),
        ("DD MON YYYY", "3 sept. 2024", "2024-09-03"),
        ("MON DD, YYYY", "September 3, 2024", "2024-09-03"),
        ("DD-MON-YY", "03-SEP-69", "1969-09-03"),
        ("DD.MM.YY", "03.09.68", "2068-09-03"),
        ("YYYYMMDD", "20240903", "2024-09-03"),
        ("dmy", "3-9-24", "2024-09-03"),
        ("mdy", "9/3/2024", "2024-09-03"),
        ("ymd", "2024.9.3", "2024-09-03"),
    ],
)
def test_dates_are_rewritten_as_iso(date_format: str, text: str, iso: str) -> None:
    form = DateForm(date_format)
    assert form.matches([text])
    assert form.rewrite([text]) == [iso]
    assert form.rewrite([text, text]) == [iso, iso]


@pytest.mark.parametrize(
    ("date_format", "text"),
    [
        ("DD.MM.YYYY", "12.31.2024"),
        ("DD.MM.YYYY", "31.12.24"),
        ("DD.MM.YYYY", "31/12/2024"),
        ("DD.MM.YYYY", "31.12.2024 24:00"),
        ("DD.MM.YYYY", "31.12.2024\n"),
        ("dmy", "1.2/2024"),
        ("YYYYMMDD", "2024123"),
        ("DD MON YYYY", "3 Foo 2024"),
    ],
)
def test_text_in_another_format_does_not_match(date_format: str, text: str) -> None:
    assert not DateForm(date_format).matches([text])


@pytest.mark.parametrize(
    ("texts", "type_", "date_format"),
    [
        (["31.12.2024", "01.02.2025"], DATE, "DD.MM.YYYY"),
        (["12/31/2024", "02/01/2025"], DATE, "MM/DD/YYYY"),
        (["31/12/2024", "1/2/2025"], DATE, "DD/MM/YYYY"),
        (["31-12-2024"], DATE, "DD-MM-YYYY"),
        (["31.12.2024 23:59", "01.02.2025 00:00"], TIMESTAMP, "DD.MM.YYYY"),
        (["31.12.2024 23:59", "01.02.2025"], TIMESTAMP, "DD.MM.YYYY"),
        (["12/31/2024 1:05 PM"], TIMESTAMP, "MM/DD/YYYY"),
        (["31.12.2024 10:00+02", "31.12.2024 10:00Z"], TIMESTAMPTZ, "DD.MM.YYYY"),
        (["2024/01/02"], DATE, "YYYY/MM/DD"),
        (["2024-1-2"], DATE, "YYYY-MM-DD"),
        (["2024-01-02 3:04 PM"], TIMESTAMP, "YYYY-MM-DD"),
        (["1 Jan 2024", "31 December 2024"], DATE, "DD MON YYYY"),
        (["01-JAN-24"], DATE, "DD-MON-YY"),
        (["Jan 1, 2024"], DATE, "MON DD, YYYY"),
        (["15.01.99"], DATE, "DD.MM.YY"),
    ],
)
def test_unambiguous_column_determines_its_format(texts: Sequence[str], type_: ColumnType, date_format: str) -> None:
    found = guess(*texts)
    assert found is not None
    assert (found.type, found.format.date_format) == (type_, date_format)
    assert date_format in (found.reading or "")


@pytest.mark.parametrize(
    ("texts", "first", "second"),
    [
        (["01.02.2025", "03.04.2025"], "DD.MM.YYYY", "MM.DD.YYYY"),
        (["01/02/2025"], "DD/MM/YYYY", "MM/DD/YYYY"),
        (["31.12.24"], "DD.MM.YY", "YY.MM.DD"),
    ],
)
def test_ambiguous_column_stays_text_with_a_hint(texts: Sequence[str], first: str, second: str) -> None:
    found = guess(*texts)
    assert found is not None
    assert found.type == TEXT
    assert f"dates as {first} or {second}: --date-format {{column={first}}}" in (found.hint or "")


@pytest.mark.parametrize(
    "texts",
    [
        ["31.12.2024", "12.31.2024"],
        ["31.12.2024", "2024-12-31"],
        ["31.12.2024", "31/12/2024"],
        ["31.12.2024", "30.02.2024"],
        ["31.12.2024", "soon"],
        ["13.1.10", "14.2.11"],
        ["31.12.2024 10:00", "31.12.2024 10:00Z"],
        ["31.12.20245"],
    ],
)
def test_contradictory_texts_have_no_format(texts: Sequence[str]) -> None:
    assert guess(*texts) is None


def test_configured_format_is_the_only_candidate() -> None:
    found = guess("01/02/2025", given="MM/DD/YYYY")
    assert found is not None
    assert (found.type, found.reading, found.hint) == (DATE, None, None)
    assert guess("31.12.2024", given="mdy") is None


WRITERS = {
    "DD.MM.YYYY": lambda day: f"{day:%d.%m.}{day.year:04}",
    "MM/DD/YYYY": lambda day: f"{day:%m/%d/}{day.year:04}",
    "DD-MON-YYYY": lambda day: f"{day.day}-{MONTHS[day.month - 1][:3].upper()}-{day.year:04}",
    "MON DD, YYYY": lambda day: f"{MONTHS[day.month - 1]} {day.day}, {day.year:04}",
    "YYYY/MM/DD": lambda day: f"{day.year:04}/{day.month}/{day.day}",
}


@pytest.mark.parametrize("date_format", WRITERS)
@given(days=st.lists(st.dates(), min_size=1, max_size=9), unpadded=st.booleans())
def test_dates_written_in_a_format_round_trip(date_format: str, days: list[dt.date], unpadded: bool) -> None:
    texts = [WRITERS[date_format](day) for day in days]
    if unpadded and date_format in ("DD.MM.YYYY", "MM/DD/YYYY"):
        texts[0] = texts[0].removeprefix("0")
    form = DateForm(date_format)
    assert form.matches(texts)
    assert form.rewrite(texts) == [day.isoformat() for day in days]
    assert [form.rewrite([text])[0] for text in texts] == form.rewrite(texts)
    found = guess(*texts)
    assert found is not None
    assert found.format.date_format in (date_format, None)
    assert date_format in f"{found.reason}"
