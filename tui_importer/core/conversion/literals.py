"""Values that Python's types cannot hold, as PostgreSQL prints them: ``infinity``, dates BC, and spans of months and
years. They are sent as text to a column whose type has ``literals``.

PostgreSQL manual, 8.5 (Date/Time Types). Years after 9999 are not among them: they are more likely typing errors.
"""

from __future__ import annotations

import re

from tui_importer.core.conversion.intervals import calendar_interval
from tui_importer.core.model.patterns import pattern
from tui_importer.core.model.types import ColumnType, Kind

_INFINITY = pattern(r"[+-]?infinity", re.IGNORECASE | re.ASCII)
_DAY = r"[0-9]{4,}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
_OFFSET = r"[+-][0-9]{2}(?::[0-5][0-9](?::[0-5][0-9])?)?"
_DATE_BC = pattern(rf"{_DAY} BC", re.ASCII)
_TIMESTAMP_BC = pattern(rf"{_DAY}(?: {_TIME}(?P<offset>{_OFFSET})?)? BC", re.ASCII)

#: The kinds of types that have such values.
LITERAL_KINDS = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.INTERVAL})


def literal(text: str, type_: ColumnType) -> str | None:
    """What a text is that is such a value of the type, for messages; None for any other text."""
    if _INFINITY.fullmatch(text):
        return "infinity"
    match type_.kind:
        case Kind.DATE if _DATE_BC.fullmatch(text):
            return "a date BC"
        case Kind.TIMESTAMP if found := _TIMESTAMP_BC.fullmatch(text):
            # PostgreSQL ignores an offset that the column cannot keep.
            return None if found["offset"] and not type_.timezone else "a date BC"
        case Kind.INTERVAL if calendar_interval(text) is not None:
            return "a span of months or years, which have no fixed length"
        case _:
            return None
