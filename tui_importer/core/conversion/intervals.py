"""Durations as text: ``H:MM:SS``, as PostgreSQL prints them (``1 day 02:03:04``), and ISO 8601 (``P1DT2H``).

Months and years have no fixed length, so a text with them is not a duration, but a calendar interval.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

from tui_importer.core.model.patterns import pattern

_CLOCK = r"(?P<sign>[+-]?)(?P<hours>[0-9]+):(?P<minutes>[0-5][0-9])(?::(?P<seconds>[0-5][0-9](?:\.[0-9]{1,6})?))?"
#: As PostgreSQL prints durations (``intervalstyle = postgres``), and the plain ``H:MM:SS``.
POSTGRESQL = pattern(rf"(?=[^ ])(?:(?P<days>[+-]?[0-9]{{1,9}}) days?)?(?:(?:^| ){_CLOCK})?", re.ASCII)
_ISO_NUMBER = r"-?[0-9]{1,9}(?:\.[0-9]{1,6})?"
#: Durations of ISO 8601 (``intervalstyle = iso_8601``); signs before single numbers are PostgreSQL's.
ISO = pattern(
    rf"(?P<sign>[+-]?)P(?=[0-9T-])(?:(?P<weeks>{_ISO_NUMBER})W)?(?:(?P<days>{_ISO_NUMBER})D)?"
    rf"(?:T(?=[0-9-])(?:(?P<hours>{_ISO_NUMBER})H)?(?:(?P<minutes>{_ISO_NUMBER})M)?(?:(?P<seconds>{_ISO_NUMBER})S)?)?",
    re.ASCII,
)
#: The same with years and months.
_POSTGRESQL_CALENDAR = pattern(
    r"(?=[^ ])(?:(?P<years>[+-]?[0-9]{1,9}) years?)?(?:(?:^| )(?P<months>[+-]?[0-9]{1,9}) mons?)?"
    rf"(?:(?:^| )(?P<days>[+-]?[0-9]{{1,9}}) days?)?(?:(?:^| ){_CLOCK})?",
    re.ASCII,
)
_ISO_CALENDAR = pattern(
    r"P(?:(?P<years>-?[0-9]{1,9})Y)?(?:(?P<months>-?[0-9]{1,9})M)?(?:(?P<days>-?[0-9]{1,9})D)?"
    rf"(?:T(?=[0-9-])(?:(?P<hours>{_ISO_NUMBER})H)?(?:(?P<minutes>{_ISO_NUMBER})M)?(?:(?P<seconds>{_ISO_NUMBER})S)?)?",
    re.ASCII,
)
_UNITS = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def parse_interval(text: str) -> dt.timedelta | None:
    """The duration; None if the text is not one. Raises ``OverflowError`` if it is too long for a ``timedelta``."""
    match = POSTGRESQL.fullmatch(text)
    if match is not None:
        days, signed = int(match["days"] or 0), -1 if match["sign"] == "-" else 1
        clock = 0 if match["hours"] is None else signed * _microseconds(match, "hours", "minutes", "seconds")
        return dt.timedelta(days=days) + _span(clock)
    match = ISO.fullmatch(text)
    if match is None:
        return None
    return _span((-1 if match["sign"] == "-" else 1) * _microseconds(match, *_UNITS))


def calendar_interval(text: str) -> tuple[int, int, int] | None:
    """The months, days and microseconds of an interval with months or years; None for any other text."""
    match = _POSTGRESQL_CALENDAR.fullmatch(text) or _ISO_CALENDAR.fullmatch(text)
    if match is None or (match["years"] is None and match["months"] is None):
        return None
    clock = _microseconds(match, "hours", "minutes", "seconds")
    if match.groupdict().get("sign") == "-":
        clock = -clock
    return int(match["years"] or 0) * 12 + int(match["months"] or 0), int(match["days"] or 0), clock


def _microseconds(match: re.Match[str], *units: str) -> int:
    return int(sum(Decimal(match[unit] or 0) * _UNITS[unit] for unit in units) * 1_000_000)


def _span(microseconds: int) -> dt.timedelta:
    return dt.timedelta(seconds=microseconds // 1_000_000, microseconds=microseconds % 1_000_000)
