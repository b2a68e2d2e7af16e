"""Inference from the texts of an untyped column (CSV): a type is inferred if every text is in one form of it.

The standard forms come first: a text in them would read the same afterwards (no leading zeros, no plus sign, at most 15
digits, or 17 with a decimal point, ISO 8601 dates and times, what PostgreSQL prints). Other forms are taken if the
texts prove one and rule out every other (:mod:`~tui_importer.core.conversion.date_guess`,
:mod:`~tui_importer.core.conversion.number_guess`, :mod:`~tui_importer.core.conversion.boolean_guess`). Words for NULL
rule no form out; the user is offered the option that reads them as NULL.

All passes over a block are in C and end at the first text that does not match; a form that is ruled out is not tried
again.
"""

from __future__ import annotations

import datetime as dt
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from itertools import compress
from typing import TypeVar

from tui_importer.core.conversion.boolean_guess import BooleanGuess
from tui_importer.core.conversion.candidate import TypeCandidate, shown
from tui_importer.core.conversion.date_guess import DateGuess
from tui_importer.core.conversion.guess_result import GuessResult
from tui_importer.core.conversion.intervals import parse_interval
from tui_importer.core.conversion.nulls import OFFERED_WORDS
from tui_importer.core.conversion.number_guess import NumberGuess
from tui_importer.core.model.formats import PLAIN, ColumnFormat
from tui_importer.core.model.patterns import pattern
from tui_importer.core.model.types import (
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    INTERVAL,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    ColumnType,
    Kind,
)

# A double (and so Excel) preserves 15 digits; longer whole numbers are identifiers and stay text.
_INTEGER = r"0|-?[1-9][0-9]{0,14}"
# An exponent needs a decimal point or a sign ("12E4" is a part number), and no double overflows.
_EXPONENT = r"(?:[0-9]{1,2}|[12][0-8][0-9])"
_NUMBER = (
    rf"-?(?:(?:0|[1-9][0-9]{{0,14}})(?:\.[0-9]*(?:[eE][+-]?{_EXPONENT})?|[eE][+-]{_EXPONENT})?"
    rf"|\.[0-9]+(?:[eE][+-]?{_EXPONENT})?)"
)
_FLOAT = rf"(?!-?[0.]*+(?:[0-9]\.?){{16}}){_NUMBER}"
# 17 digits: as many as programs print so that a double can be read again.
_DECIMAL = rf"(?!-?[0.]*+(?:[0-9]\.?){{18}}){_NUMBER}"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
# Hours end at 23: newer Python versions accept 24:00 as the next day.
_TIME = r"(?:[01][0-9]|2[0-3]):[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
_OFFSET = r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2}(?::[0-9]{2})?)?)"
_CLOCK = r"[0-9]{1,9}:[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
# 1:02:03 may be a time of day: each form here has a day, a sign or 24 hours, or is like one that has.
_INTERVAL = (
    rf"-?{_CLOCK}|(?:-?[0-9]{{1,7}} days? [+-]?)?{_CLOCK}|-?[0-9]{{1,7}} days?|-?P(?:[0-9]{{1,6}}D)?(?:T[0-9HMS.-]+)?"
)
_SURE_INTERVAL = pattern(r"(?m)^(?:-|(?:2[4-9]|[3-9][0-9]|[0-9]{3,}):|[0-9]+ days? .*:|P.*T)")

#: Why a text that looks like a number is not one.
_REASONS = (
    (pattern(r"[+-]?0[0-9]+(?:\.[0-9]*)?"), "leading zeros"),
    (pattern(r"\+[0-9]+(?:\.[0-9]*)?"), "a plus sign"),
    (pattern(r"-?(?:[0-9]\.?){16,}"), "more than 15 digits"),
)

_DECIMALS = pattern(r"\.([0-9]+)")
_TRAILING_ZERO = pattern(r"\.[0-9]+0(?![0-9])")
_NOT_UTC = pattern(r"[+-](?!00(?::?00)*$)[0-9:]+$", re.MULTILINE)


T = TypeVar("T")


class TextGuess:
    """Infers the type of a column of texts, which are added block by block. ``given`` is the user's format."""

    def __init__(self, given: ColumnFormat = PLAIN) -> None:
        self._boolean = TypeCandidate(BOOLEAN, "true or false", "(?i:true|false)")
        self._integer = TypeCandidate(INTEGER, "a whole number", _INTEGER)
        self._float = TypeCandidate(FLOAT, "a number", _FLOAT)
        self._decimal = TypeCandidate(ColumnType(Kind.NUMERIC), "a number", _DECIMAL)
        self._date = TypeCandidate(DATE, "a date", _DATE, dt.date.fromisoformat)
        self._timestamp = TypeCandidate(
            TIMESTAMP, "a date and time", f"{_DATE}(?:[T ]{_TIME})?", dt.datetime.fromisoformat
        )
        self._zoned = TypeCandidate(
            TIMESTAMPTZ, "a date and time with an offset", f"{_DATE}[T ]{_TIME}{_OFFSET}", dt.datetime.fromisoformat
        )
        self._time = TypeCandidate(TIME, "a time of day", _TIME, dt.time.fromisoformat)
        self._interval = TypeCandidate(INTERVAL, "a span of time", _INTERVAL, _read_interval)
        # The first candidate that matches is used, so the narrower ones come first.
        self._candidates = (
            self._boolean,
            self._integer,
            self._float,
            self._decimal,
            self._date,
            self._timestamp,
            self._zoned,
            self._time,
            self._interval,
        )
        self._given = given
        self._dates = DateGuess(given.date_format)
        self._numbers = NumberGuess(given.decimal_mark)
        self._booleans = BooleanGuess(given)
        self._decimals: set[int] = set()
        self._padded: tuple[int, str] | None = None
        self._sure_interval = False
        self._offsets = False
        self._nulls: Counter[str] = Counter()
        self._texts = 0

    def is_ruled_out(self, row: int | None) -> bool:
        """Whether no form is left after the rows before this one (None: all rows): further texts say nothing then."""
        misses = [candidate.miss for candidate in self._candidates]
        misses += (*self._dates.misses, *self._numbers.misses, *self._booleans.misses)
        return all(miss is not None and (row is None or miss[0] < row) for miss in misses)

    def add(self, texts: Sequence[str], rows: Sequence[int]) -> None:
        """Add texts (none of them blank) and their sheet rows (ascending)."""
        if self.is_ruled_out(rows[0]):
            return
        texts = list(map(str.strip, texts))
        if not OFFERED_WORDS.isdisjoint(texts):
            words = list(map(OFFERED_WORDS.__contains__, texts))
            self._nulls.update(compress(texts, words))
            texts, rows = _without(texts, words), _without(rows, words)
            if not texts:
                return
        self._texts += len(texts)
        boolean = self._boolean.match(texts, rows)
        # Each of these includes those before it.
        integer = self._integer.match(texts, rows)
        float_ = integer or self._float.match(texts, rows)
        decimal = float_ or self._decimal.match(texts, rows)
        date = self._date.match(texts, rows)
        timestamp = date or self._timestamp.match(texts, rows)
        if decimal and not integer:
            self._note_decimals(texts, rows)
        if self._zoned.match(texts, rows) and not self._offsets:
            self._offsets = _NOT_UTC.search("\n".join(texts)) is not None
        self._time.match(texts, rows)
        if self._interval.match(texts, rows) and not self._sure_interval:
            self._sure_interval = _SURE_INTERVAL.search("\n".join(texts)) is not None
        self._numbers.add(texts, rows, "integer" if integer else "decimal" if decimal else None)
        self._dates.add(texts, rows, standard=timestamp)
        self._booleans.add(texts, rows, standard=boolean)

    def result(self, first_row: int, *, comma_beside: bool = False) -> GuessResult:
        """The guess. ``first_row`` is the row of the column's first text; ``comma_beside``: another column of the same
        table has a decimal comma, so that ``1.234`` may well be a thousand."""
        found = self._decided(first_row, comma_beside=comma_beside)
        if not self._nulls or not self._texts or found.type.kind is Kind.TEXT:
            return found
        counts, options = null_words_offer(self._nulls)
        return GuessResult(
            reason=f"{found.reason} but for {counts}",
            format=found.format,
            reading=found.reading,
            hint=f"would be {found.type} but for {counts}: {options} reads them as NULL",
        )

    @property
    def only_nulls(self) -> Counter[str]:
        """The words that may stand for NULL, with their numbers, if there were no other texts."""
        return Counter() if self._texts else self._nulls

    @property
    def is_standard(self) -> bool:
        """Whether every text so far is in a standard form, or no form at all is left."""
        return (any(candidate.miss is None for candidate in self._candidates) and not self._nulls) or self.is_ruled_out(
            None
        )

    def _decided(self, first_row: int, *, comma_beside: bool) -> GuessResult:
        if not self._texts:
            return GuessResult()
        for candidate in self._candidates:
            if candidate.miss is None and (candidate is not self._interval or self._sure_interval):
                return self._standard(candidate, comma_beside=comma_beside)
        for guess in (self._dates, self._numbers, self._booleans):
            found = guess.result()
            if found is not None:
                return found
        longest = max(self._candidates, key=lambda candidate: candidate.miss or (0, ""))
        row, text = miss = longest.miss or (0, "")
        for form, reason in _REASONS:
            if form.fullmatch(text):
                return GuessResult(reason=f"{reason}, first in row {shown(miss)}")
        if row > first_row:
            return GuessResult(reason=f"not {longest.word} in row {shown(miss)}")
        return GuessResult()

    def _standard(self, candidate: TypeCandidate, *, comma_beside: bool) -> GuessResult:
        """The result if all texts are in a standard form, unless the user says that another one is meant."""
        number = candidate in (self._integer, self._float, self._decimal)
        if self._given.date_format is not None and (found := self._dates.result()) is not None:
            return found
        if number and self._given.decimal_mark == ",":
            return self._numbers.result() or GuessResult(reason="numbers with a decimal point")
        if number and self._given.decimal_mark is None and self._padded is not None and len(self._decimals) > 1:
            # 1.10 next to 1.9 is a version or section, not a number: as numbers, 1.1 and 1.10 are equal.
            return GuessResult(reason=f"zeros at the end that a number loses, first in row {shown(self._padded)}")
        reading = None
        thousands = number and self._numbers.could_be_thousands
        if thousands and comma_beside:
            return GuessResult(
                reason="each could be a number, with a decimal point or with thousands marks",
                hint="could be numbers, and other columns have a decimal comma: --decimal-mark {column=,} or "
                "{column=.} says which",
            )
        if thousands:
            reading = "is read with a decimal point; --decimal-mark {column=,} reads its points as thousands marks"
        if candidate is self._zoned and self._offsets:
            reading = "moments are kept, their offsets are not"
        return GuessResult(candidate.type, f"each is {candidate.word}", reading=reading)

    def _note_decimals(self, texts: Sequence[str], rows: Sequence[int]) -> None:
        joined = "\n".join(texts)  # no number contains a line feed
        self._decimals.update(map(len, _DECIMALS.findall(joined)))
        if padded := _TRAILING_ZERO.search(joined):
            offset = joined.count("\n", 0, padded.start())
            found = rows[offset], texts[offset]
            self._padded = found if self._padded is None else min(found, self._padded)


def null_words_offer(words: Counter[str]) -> tuple[str, str]:
    """How often each word occurs, the most frequent first, and the options that have them read as NULL."""
    order = sorted(words, key=lambda word: (-words[word], word))
    counts = ", ".join(f"{words[word]:,} × '{word}'" for word in order)
    options = (f"--null-if{'=' if word.startswith('-') else ' '}{shlex.quote(word)}" for word in order)
    return counts, " ".join(options)


def _without(items: Sequence[T], left_out: Sequence[bool]) -> list[T]:
    return [item for item, out in zip(items, left_out, strict=True) if not out]


def _read_interval(text: str) -> object:
    found = parse_interval(text)
    if found is None:
        raise ValueError(text)
    return found
