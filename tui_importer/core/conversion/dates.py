"""Dates as people write them, in any order and with the names of months, with or without a time of day."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from tui_importer.core.model.date_format import FIELDS, ORDERS, PARTS

#: From it on, two digits are a year of the last century, as in POSIX (``strptime``).
FIRST_YEAR_OF_LAST_CENTURY = 69

#: English, in full and as three letters (``Sept`` too).
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_MONTH_NUMBERS = {month[:3].lower(): number for number, month in enumerate(MONTHS, start=1)}
_MONTH = rf"(?i:{'|'.join(MONTHS)}|sept|{'|'.join(_MONTH_NUMBERS)})\.?"
_DAY_NUMBER, _MONTH_NUMBER = r"0?[1-9]|[12][0-9]|3[01]", r"0?[1-9]|1[0-2]"

#: What may follow the date: a time of day, AM or PM, and an offset.
TIME = (
    r"(?:(?:T|,? +)(?P<hour>[01]?[0-9]|2[0-3])[:.](?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9](?:[.,][0-9]{1,6})?))?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?(?: ?(?P<offset>Z|[+-][0-9]{2}(?::?[0-9]{2})?))?)?"
)

_Match = re.Match[str]


class DateForm:
    """Dates in one format (:mod:`tui_importer.core.model.date_format`); ISO 8601 is read besides."""

    exclusive = False

    def __init__(self, date_format: str) -> None:
        self._fullmatch = date_pattern(date_format).fullmatch
        self._plain = _plain_pattern(date_format)
        shown = f"in the order {date_format}" if date_format in ORDERS else date_format
        self.expected = f"a date {shown} is expected (see --date-format)"

    def matches(self, texts: Sequence[str]) -> bool:
        return all(map(self._fullmatch, texts))

    def rewrite(self, texts: Sequence[str]) -> list[str]:
        if self._plain is not None:
            joined = "\n".join(texts)  # no date contains a line feed
            rewritten, number = self._plain.subn(r"\g<year>-\g<month>-\g<day>", joined)
            if number == len(texts):
                return rewritten.split("\n")
        return [iso_text(match) for match in map(self._fullmatch, texts) if match is not None]


def iso_text(match: _Match) -> str:
    """The text in ISO 8601 for a match of :func:`date_pattern`; it need not be a date that exists."""
    found = match.groupdict()
    year, month, day = found["year"], found["month"], found["day"]
    if len(year) == 2:
        year = f"{19 if int(year) >= FIRST_YEAR_OF_LAST_CENTURY else 20}{year}"
    if not month.isdecimal():
        month = str(_MONTH_NUMBERS[month[:3].lower()])
    date = f"{year}-{month:0>2}-{day:0>2}"
    if found["hour"] is None:
        return date
    hour, half = int(found["hour"]), found["half"]
    if half is not None:
        if not 1 <= hour <= 12:
            return f"{date} {hour}:{half}"  # no time of day
        hour = hour % 12 + (12 if half in "Pp" else 0)
    second = (found["second"] or "00").replace(",", ".")
    return f"{date} {hour:02}:{found['minute']}:{second}{found['offset'] or ''}"


@cache
def date_pattern(date_format: str) -> re.Pattern[str]:
    """The pattern of whole texts in a format, with a time of day or without."""
    if date_format in ORDERS:
        year, month, day = r"(?P<year>[0-9]{4}|[0-9]{2})", rf"(?P<month>{_MONTH_NUMBER})", rf"(?P<day>{_DAY_NUMBER})"
        fields = {"d": day, "m": month, "y": year}
        first, second, third = (fields[letter] for letter in date_format)
        return re.compile(rf"{first}(?P<mark>[./ -]){second}(?P=mark){third}{TIME}")
    parts = PARTS.findall(date_format)
    apart = len(parts) > 3  # with marks between the fields, a leading zero may be missing
    return re.compile("".join(_part(part, apart=apart) for part in parts) + TIME)


def _part(part: str, *, apart: bool) -> str:
    match FIELDS.get(part):
        case None:
            return re.escape(part).replace(r"\ ", " +")
        case "year":
            return rf"(?P<year>[0-9]{{{len(part)}}})"
        case "month" if part in ("MON", "MONTH"):
            return rf"(?P<month>{_MONTH})"
        case "month":
            return rf"(?P<month>{_MONTH_NUMBER if apart else '0[1-9]|1[0-2]'})"
        case _:
            return rf"(?P<day>{_DAY_NUMBER if apart else '0[1-9]|[12][0-9]|3[01]'})"


@cache
def _plain_pattern(date_format: str) -> re.Pattern[str] | None:
    """A pattern for lines of a text that hold just a date of ten digits and marks; None for other formats."""
    parts = PARTS.findall(date_format)
    if date_format in ORDERS or not {"YYYY", "MM", "DD"} <= {*parts} or len(parts) != 5:
        return None
    digits: dict[str, str] = {"YYYY": r"(?P<year>[0-9]{4})", "MM": r"(?P<month>[0-9]{2})", "DD": r"(?P<day>[0-9]{2})"}
    return re.compile(f"^{''.join(digits.get(part) or re.escape(part) for part in parts)}$", re.MULTILINE)
