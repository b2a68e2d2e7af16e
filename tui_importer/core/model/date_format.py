"""How dates are written as text: ``DD.MM.YYYY``, ``%d.%m.%Y`` or only an order, ``dmy``.

A format describes the date; a time of day may follow it in every cell.
"""

from __future__ import annotations

import re

from tui_importer.core.model.patterns import pattern
from tui_importer.errors import PlanError

#: Formats that only say the order: the separator is a point, a slash, a hyphen or a blank.
ORDERS = ("dmy", "mdy", "ymd")

#: The parts of a date in a format, with the field that each gives.
FIELDS = {
    "YYYY": "year",
    "YY": "year",
    "MONTH": "month",
    "MON": "month",
    "MM": "month",
    "M": "month",
    "DD": "day",
    "D": "day",
}

#: The parts of a format: a field of the date, or the text between two of them.
PARTS = pattern(r"YYYY|YY|MONTH|MON|MM?|DD?|[^A-Z%]+")

_STRFTIME = {"%Y": "YYYY", "%y": "YY", "%B": "MONTH", "%b": "MON", "%m": "MM", "%d": "DD", "%e": "DD"}
_TIME = pattern(r"(?:[ ,]+|(?<=[YD])T)(?:HH?(?:24|12)?|%H|%I)(?:[:.](?:MM|MI|%M)(?:[:.](?:SS|%S).*)?)?.*")


def parse_date_format(text: str) -> str:
    """Return the format in its one spelling; a time of day at its end is left out. Raises :class:`PlanError`."""
    if text.strip().lower() in ORDERS:
        return text.strip().lower()
    pattern = re.sub(r"%[YyBbmde]", lambda match: _STRFTIME[match[0]], text.strip())
    pattern = re.sub(r"[a-zA-Z]+", lambda match: match[0].upper(), re.sub(r"%[HIMSpfz]", lambda m: m[0], pattern))
    pattern = _TIME.sub("", pattern)
    parts = PARTS.findall(pattern)
    fields = sorted(FIELDS[part] for part in parts if part in FIELDS)
    if fields != ["day", "month", "year"] or "".join(parts) != pattern:
        raise PlanError(
            "date_format must be like DD.MM.YYYY, MM/DD/YYYY or %d-%b-%Y, or an order "
            f"({', '.join(ORDERS)}), not {text!r}"
        )
    return pattern
