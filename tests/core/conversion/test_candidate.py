"""A form that is ruled out without its pattern is one that the pattern rules out."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.conversion.candidate import Candidate
from tui_importer.core.conversion.date_guess import DateGuess
from tui_importer.core.conversion.number_guess import NumberGuess

DATES = DateGuess(None)._candidates
NUMBERS = {
    f"{'percent' if sort.percent else 'money' if sort.currency else 'plain'} {mark}": candidate
    for sort in NumberGuess(None)._sorts
    for mark, candidate in sort.candidates.items()
}


@pytest.mark.parametrize("form", NUMBERS)
@given(data=st.data())
def test_number_that_matches_is_possible(form: str, data: st.DataObject) -> None:
    candidate = NUMBERS[form]
    pattern = candidate._pattern
    assert callable(pattern)
    text = data.draw(st.from_regex(pattern(), fullmatch=True))
    assert candidate._possible is None or candidate._possible(text)


@pytest.mark.parametrize("form", DATES)
@given(day=st.dates(dt.date(1970, 1, 1), dt.date(2068, 12, 31)), time=st.sampled_from(["", " 7:05", "T07:05:09Z"]))
def test_date_that_matches_is_possible(form: str, day: dt.date, time: str) -> None:
    fields = {"YYYY": "%Y", "YY": "%y", "MON": "%B", "MM": "%m", "DD": "%d"}
    written = day.strftime(re.sub(r"YYYY|YY|MON|MM|DD", lambda field: fields[field[0]], form)) + time
    candidate = DATES[form]
    assert candidate._matches(written)
    assert candidate._possible is not None
    assert candidate._possible(written)


def test_pattern_of_an_impossible_text_is_not_compiled() -> None:
    def pattern() -> re.Pattern[str]:
        raise AssertionError("compiled")

    candidate = Candidate(pattern, possible=str.isdigit)
    assert not candidate.match(["x", "1"], [4, 5])
    assert candidate.miss == (4, "x")
