"""Inference from the texts of an untyped column (CSV), in strict formats only.

A type is inferred if every text is in its format and would read the same afterwards: no leading zeros, no plus sign,
at most 15 digits, ISO 8601 dates and times. All passes over a block are in C and end at the first text that does not
match; a type that is ruled out is not tried again.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from itertools import compress, count
from operator import not_

from tui_importer.core.model.types import (
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    ColumnType,
)

#: The length of a cell's text in the evidence, in characters.
MAX_SHOWN = 40

# A double (and so Excel) preserves 15 digits; longer numbers are identifiers and stay text.
_INTEGER = r"0|-?[1-9][0-9]{0,14}"
# An exponent needs a decimal point ("12E4" is a part number) and at most two digits, so that no double overflows.
_FLOAT = r"(?!-?[0.]*+(?:[0-9]\.?){16})-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][+-]?[0-9]{1,2})?)?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
# Hours end at 23: newer Python versions accept 24:00 as the next day.
_TIME = r"(?:[01][0-9]|2[0-3]):[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
# Only UTC: of another zone, the database would keep the instant but not the zone.
_UTC = r"(?:Z|\+00:?00)"

#: Why a text that looks like a number is not one.
_REASONS = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (r"[+-]?0[0-9]+(?:\.[0-9]*)?", "leading zeros"),
        (r"\+[0-9]+(?:\.[0-9]*)?", "a plus sign"),
        (r"-?(?:[0-9]\.?){16,}", "more than 15 digits"),
    )
)

_DECIMALS = re.compile(r"\.([0-9]+)")
_TRAILING_ZERO = re.compile(r"\.[0-9]+0(?![0-9])")


class _Candidate:
    """A candidate type; ``miss`` is the first text that does not match it, with its row."""

    def __init__(self, type_: ColumnType, word: str, pattern: str, read: Callable[[str], object] | None = None) -> None:
        self.type = type_
        self.word = word
        self.miss: tuple[int, str] | None = None
        self._matches = re.compile(pattern).fullmatch
        self._read = read

    def match(self, texts: Sequence[str], rows: Sequence[int]) -> None:
        if self.miss is not None and self.miss[0] < rows[0]:
            return
        offset = next(compress(count(), map(not_, map(self._matches, texts))), len(texts))
        if self._read is not None:
            offset = _readable(self._read, texts[:offset])
        if offset < len(texts) and (self.miss is None or rows[offset] < self.miss[0]):
            self.miss = rows[offset], texts[offset][: MAX_SHOWN + 1]


class TextGuess:
    """Infers the type of a column of texts, which are added block by block."""

    def __init__(self) -> None:
        self._float = _Candidate(FLOAT, "a number", _FLOAT)
        # The first candidate that matches is used, so the narrower ones come first.
        self._candidates = (
            _Candidate(BOOLEAN, "true or false", "(?i:true|false)"),
            _Candidate(INTEGER, "a whole number", _INTEGER),
            self._float,
            _Candidate(DATE, "a date", _DATE, dt.date.fromisoformat),
            _Candidate(TIMESTAMP, "a date and time", f"{_DATE}(?:[T ]{_TIME})?", dt.datetime.fromisoformat),
            _Candidate(TIMESTAMPTZ, "a date and time (UTC)", f"{_DATE}[T ]{_TIME}{_UTC}", dt.datetime.fromisoformat),
            _Candidate(TIME, "a time of day", _TIME, dt.time.fromisoformat),
        )
        self._decimals: set[int] = set()
        self._padded: tuple[int, str] | None = None

    def add(self, texts: Sequence[str], rows: Sequence[int]) -> None:
        """Add texts (none of them blank) and their sheet rows (ascending)."""
        for candidate in self._candidates:
            candidate.match(texts, rows)
        if self._float.miss is None:
            self._note_decimals(texts, rows)

    def result(self, first_row: int) -> tuple[ColumnType, str | None]:
        """The type, and a sentence with the reason; None if no type other than text was plausible.

        ``first_row`` is the row of the column's first text.
        """
        for candidate in self._candidates:
            if candidate.miss is None:
                if candidate is self._float and self._padded is not None and len(self._decimals) > 1:
                    # 1.10 next to 1.9 is a version or section, not a number: as numbers, 1.1 and 1.10 are equal.
                    return TEXT, f"zeros at the end that a number loses, first in row {_shown(self._padded)}"
                return candidate.type, f"each is {candidate.word}"
        longest = max(self._candidates, key=lambda candidate: candidate.miss or (0, ""))
        row, text = miss = longest.miss or (0, "")
        for pattern, reason in _REASONS:
            if pattern.fullmatch(text):
                return TEXT, f"{reason}, first in row {_shown(miss)}"
        if row > first_row:
            return TEXT, f"not {longest.word} in row {_shown(miss)}"
        return TEXT, None

    def _note_decimals(self, texts: Sequence[str], rows: Sequence[int]) -> None:
        joined = "\n".join(texts)  # no number contains a line feed
        self._decimals.update(map(len, _DECIMALS.findall(joined)))
        if padded := _TRAILING_ZERO.search(joined):
            offset = joined.count("\n", 0, padded.start())
            found = rows[offset], texts[offset]
            self._padded = found if self._padded is None else min(found, self._padded)


def _readable(read: Callable[[str], object], texts: Sequence[str]) -> int:
    """The number of texts, from the first on, that ``read`` accepts."""
    readable = 0
    try:
        for _ in map(read, texts):
            readable += 1
    except ValueError:
        pass
    return readable


def _shown(place: tuple[int, str]) -> str:
    row, text = place
    return f"{row} ({text[:MAX_SHOWN] + '…' if len(text) > MAX_SHOWN else text!r})"
