"""Inference of dates in the forms that people write, from all texts of a column."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

from tui_importer.core.conversion.candidate import Candidate, readable
from tui_importer.core.conversion.dates import DateForm, date_pattern
from tui_importer.core.conversion.guess_result import GuessResult
from tui_importer.core.model.date_format import ORDERS
from tui_importer.core.model.formats import ColumnFormat
from tui_importer.core.model.types import DATE, TIMESTAMP, TIMESTAMPTZ, ColumnType

_LONG_YEARS = tuple(
    mark.join(parts) for mark in "./-" for parts in (("DD", "MM", "YYYY"), ("MM", "DD", "YYYY"), ("YYYY", "MM", "DD"))
)
_SHORT_YEARS = tuple(
    mark.join(parts) for mark in "./-" for parts in (("DD", "MM", "YY"), ("MM", "DD", "YY"), ("YY", "MM", "DD"))
)
_NAMED_MONTHS = (
    *("DD MON YYYY", "DD-MON-YYYY", "DD/MON/YYYY", "DD. MON YYYY", "MON DD, YYYY", "MON DD YYYY", "YYYY-MON-DD"),
    *("DD-MON-YY", "DD MON YY"),
)
#: The format whose texts are those of ISO 8601, at least where they have all digits.
_STANDARD = "YYYY-MM-DD"
_STANDARD_LENGTH = len(_STANDARD)
#: What every text of these formats has: three numbers with marks between them, or a word between two numbers.
_DATE_LIKE = (
    r"[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}(?:[ ,T].*)?|(?:[0-9]{1,4}[ ./-]+)?[A-Za-z]{3,9}[ ./-]+[0-9]{1,4}\b.*"
)
_MARKS = "./-,"
#: Two digits each: 13.1.10 is a version.
_TWO_DIGITS = r"(?=[0-9]{2}[./-][0-9]{2}[./-][0-9]{2}(?![0-9]))"


class DateGuess:
    """Finds the one format that every text has; ``given`` is the user's, and then the only one."""

    def __init__(self, given: str | None) -> None:
        formats = (given,) if given is not None else (*_LONG_YEARS, *_SHORT_YEARS, *_NAMED_MONTHS)
        self._given = given
        self._candidates = {each: _candidate(each) for each in formats}
        self._date_like = Candidate(_DATE_LIKE if given is None else ".+")
        self._times: set[bool] = set()
        self._zoned: set[bool] = set()

    @property
    def misses(self) -> list[tuple[int, str] | None]:
        """The first text of each format that does not have it."""
        if self._date_like.miss is not None:
            return [self._date_like.miss]
        return [candidate.miss for candidate in self._candidates.values()]

    def add(self, texts: Sequence[str], rows: Sequence[int], *, standard: bool = False) -> None:
        """Add texts and their rows (ascending); ``standard``: each is a standard date, or one with a time of day."""
        if not standard and not self._date_like.match(texts, rows):
            return
        if standard and self._given is None:  # all other formats look different
            for each, candidate in self._candidates.items():
                if each != _STANDARD:
                    candidate.rule_out(texts[0], rows[0])
            self._times |= {length > _STANDARD_LENGTH for length in set(map(len, texts))}
            self._zoned |= {False}
            return
        left = [each for each, candidate in self._candidates.items() if candidate.match(texts, rows)]
        if left:
            found = list(filter(None, map(date_pattern(left[0]).fullmatch, texts)))
            self._times |= {match["hour"] is not None for match in found}
            self._zoned |= {match["offset"] is not None for match in found}

    def result(self) -> GuessResult | None:
        """None if no format fits every text."""
        left = [each for each, candidate in self._candidates.items() if candidate.miss is None]
        if self._date_like.miss is not None or not left or self._zoned == {True, False}:
            return None
        type_ = self._type()
        word = "date" if type_ == DATE else "date and time"
        if len(left) > 1:
            choices = " or ".join(left)
            return GuessResult(
                reason=f"each could be a {word}, as {choices}",
                hint=f"could be dates as {choices}: --date-format {{column={left[0]}}} reads it as the first",
            )
        (only,) = left
        years = "" if "YYYY" in only else ", with years from 1969 to 2068"
        reading = None if self._given is not None else f"dates are read as {only}{years}"
        return GuessResult(type_, f"each is a {word} ({only})", ColumnFormat(date_format=only), reading)

    def _type(self) -> ColumnType:
        if True not in self._times:
            return DATE
        return TIMESTAMPTZ if self._zoned == {True} else TIMESTAMP


def _candidate(date_format: str) -> Candidate:
    def pattern() -> re.Pattern[str]:
        found = date_pattern(date_format)
        return re.compile(f"{_TWO_DIGITS}{found.pattern}") if date_format in _SHORT_YEARS else found

    def read(texts: Sequence[str]) -> int:
        return readable(dt.datetime.fromisoformat, DateForm(date_format).rewrite(texts))

    marks, named_first = set(date_format) & {*_MARKS}, date_format.startswith("MON")

    def possible(text: str) -> bool:
        return text[:1].isdigit() is not named_first and all(mark in text for mark in marks)

    return Candidate(pattern, read, None if date_format in ORDERS else possible)
