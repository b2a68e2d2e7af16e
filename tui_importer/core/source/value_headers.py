"""Rows that hold values: which of them are headers all the same.

Years, months, dates and running numbers make headers too. A row of them is a header if it is unlike the rows below: its
values are one progression, and theirs are not.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum, auto
from itertools import pairwise

from tui_importer.core.model.cells import Cell
from tui_importer.core.model.patterns import pattern

#: The cells of a row that are filled, by sheet column.
Cells = Mapping[int, Cell]

#: Years as people write them into headers.
_YEARS = range(1800, 2200)
#: Larger numbers are not running numbers.
_MAX_WHOLE = 10**9
#: Less than this share of the cells below may be of the kind of their header: many columns hold a year somewhere.
_ALIKE = 1 / 2

#: The signs of currencies, and the codes (ISO 4217) of those in which most prices are written.
_CURRENCY = (
    r"(?:[$€£¥₹₽₩₺฿₴₫₪]|R\$|kr\.?|zł|Kč|Ft|USD|EUR|GBP|CHF|JPY|CNY|SEK|NOK|DKK|PLN|CZK|HUF|RON|BGN|RUB|UAH|TRY|INR|BRL"
    r"|CAD|AUD|NZD|MXN|ZAR|KRW|SGD|HKD|ILS|AED|SAR)"
)
_DIGITS = r"[0-9][0-9.,'\u00a0\u202f ]*(?:[eE][-+]?[0-9]+)?"
#: A text that is a number: with any separators, a sign or parentheses, a currency or a percent sign.
_NUMBER = pattern(rf"[-+(]?\s*{_CURRENCY}?\s*[-+]?{_DIGITS}\s*(?:%|‰|{_CURRENCY})?\s*\)?|[-+]?\.[0-9]+")
#: A text that is a date or a time: numbers between points, slashes, hyphens or colons, a time of day perhaps after it.
_MOMENT = pattern(
    r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}\.?(?:[T ]+[0-9]{1,2}:.*)?"
    r"|[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?:\s*[AaPp]\.?[Mm]\.?)?"
)
_YEAR = pattern(r"[0-9]{4}")
_MONTH = pattern(r"([0-9]{4})[-/. ](0?[1-9]|1[0-2])|(0?[1-9]|1[0-2])[-/. ]([0-9]{4})")


class _Progression(Enum):
    """Values that follow one another: years; months, dates or times; whole numbers without a gap."""

    YEARS = auto()
    MOMENTS = auto()
    NUMBERS = auto()


def is_value(cell: Cell) -> bool:
    """Whether a cell is a value: anything but a text, and a text that is a number, a date or a time."""
    if not isinstance(cell, str):
        return True
    text = cell.strip()
    return _NUMBER.fullmatch(text) is not None or _MOMENT.fullmatch(text) is not None


def holds_names_only(row: Cells, below: Sequence[Cells]) -> bool:
    """Whether each filled cell of a row can be the name of a column.

    ``below`` are the rows under it. A text is a name, unless it is a value like those below; a value is one only as a
    part of a progression (:class:`_Progression`).
    """
    values = {column: cell for column, cell in row.items() if is_value(cell)}
    if not values:
        return True
    names = {column: cell for column, cell in row.items() if column not in values}
    if any(column_below.get(column) == cell for column, cell in names.items() for column_below in below):
        return False  # a name that is repeated below is a value
    progression = _progression([*values.values()])
    if progression is not None and _is_unlike_below(values, progression, below, named=bool(names)):
        return True
    return bool(names) and all(
        isinstance(cell, str) and _is_above_others(column, below) for column, cell in values.items()
    )


def _is_above_others(column: int, below: Sequence[Cells]) -> bool:
    """Whether a text that looks like a value stands above cells that do not: other texts, or real numbers and dates."""
    cells = [row[column] for row in below if column in row]
    return bool(cells) and not any(isinstance(cell, str) and is_value(cell) for cell in cells)


def _is_unlike_below(values: Cells, progression: _Progression, below: Sequence[Cells], *, named: bool) -> bool:
    """Whether the rows below a progression of values are not progressions themselves."""
    if not below or (len(values) == 1 and not (named and all(map(_year, values.values())))):
        return False
    rows = [[row[column] for column in values if column in row] for row in below]
    alike = sum(_progression(row) is progression for row in rows if row)
    cells = [cell for row in rows for cell in row]
    if alike >= len(rows) * _ALIKE or sum(map(_is_year_or_moment, cells)) >= len(cells) * _ALIKE:
        return False
    if named or all(map(_is_year_or_moment, values.values())):
        return True
    # Numbers without any name beside them: 1, 2, 3 are names above texts, or if the first column has none.
    texts = {column for row in below for column, cell in row.items() if not is_value(cell)}
    return bool(texts - values.keys()) or len(texts & values.keys()) * 2 >= len(values)


def _is_year_or_moment(cell: Cell) -> bool:
    return _year(cell) is not None or _moment(cell) is not None


def _progression(cells: Sequence[Cell]) -> _Progression | None:
    """What the cells are, in order; None if they are something else, or in no order."""
    years = [(year,) for cell in cells if (year := _year(cell)) is not None]
    if len(years) == len(cells) and _is_monotone(years):
        return _Progression.YEARS
    moments = [moment for cell in cells if (moment := _moment(cell)) is not None]
    if len(moments) == len(cells) and _is_monotone(moments):
        return _Progression.MOMENTS
    numbers = [number for cell in cells if (number := _whole(cell)) is not None]
    if 2 <= len(numbers) == len(cells) and all(later - earlier == 1 for earlier, later in pairwise(numbers)):
        return _Progression.NUMBERS
    return None


def _is_monotone(values: Sequence[tuple[int, ...]]) -> bool:
    pairs = list(pairwise(values))
    return all(a < b for a, b in pairs) or all(a > b for a, b in pairs)


def _year(cell: Cell) -> int | None:
    number = _whole(cell) if not isinstance(cell, str) or _YEAR.fullmatch(cell.strip()) else None
    return number if number is not None and number in _YEARS else None


def _whole(cell: Cell) -> int | None:
    """The cell as a whole number; None if it is something else."""
    if isinstance(cell, str):
        return int(cell) if cell.strip().isascii() and cell.strip().isdecimal() and len(cell) < 10 else None
    if isinstance(cell, bool) or not isinstance(cell, (int, float, Decimal)):
        return None
    number = float(cell)
    return int(number) if abs(number) < _MAX_WHOLE and number.is_integer() else None  # False for NaN


def _moment(cell: Cell) -> tuple[int, ...] | None:
    """The cell as something that orders dates, times or months; None if it is something else."""
    if isinstance(cell, dt.datetime):
        return tuple(cell.timetuple()[:6])
    if isinstance(cell, dt.date):
        return tuple(cell.timetuple()[:3])
    if isinstance(cell, dt.time):
        return (cell.hour, cell.minute, cell.second)
    if not isinstance(cell, str):
        return None
    text = cell.strip()
    if (month := _MONTH.fullmatch(text)) is not None:
        year, after, before, year_behind = month.groups()
        return (int(year or year_behind), int(after or before))
    if not _MOMENT.fullmatch(text):
        return None
    numbers = [int(digits) for digits in re.findall("[0-9]+", text)]
    # The year, where there is one, comes first; the order of day and month does not matter for a few dates in order.
    return tuple(numbers if ":" in text[:3] or numbers[0] > 31 else (numbers[2], numbers[1], numbers[0], *numbers[3:]))
