"""Conversion of single cells, for columns that cannot be cast as a whole.

Each function takes a cell that is not blank and returns the converted value, or raises :class:`ConversionError`.
Nothing is rounded, cut or guessed: a value that the database would return in another form is refused.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_HALF_UP, Context, Decimal
from typing import TypeVar

from tui_importer.core.conversion.intervals import parse_interval
from tui_importer.core.conversion.literals import LITERAL_KINDS, literal
from tui_importer.core.model.cells import MIDNIGHT, Cell, CellError, MalformedRecord, UncalculatedFormula
from tui_importer.core.model.column import NUL
from tui_importer.core.model.patterns import pattern
from tui_importer.core.model.types import ColumnType, Kind

#: Below it, every whole number is exact as a double and has at most the 15 digits that Excel keeps (IEEE 754 binary64;
#: ECMA-376 18.17.2.1).
MAX_EXACT_FLOAT = 1e15

#: From it on, a whole number is shown with an exponent.
MAX_PLAIN_FLOAT = 1e21

#: Rounds nothing unasked.
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)

#: More digits than a number has that fits into any integer column.
_MAX_DIGITS = 40

REQUIRED_BUT_BLANK = "value required but blank"
#: How the reason of an error cell begins.
ERROR_CELL = "error cell"

_INTEGER = pattern(r"[+-]?[0-9]+", re.ASCII)
_DECIMAL = pattern(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_DATE = pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TIMESTAMP = pattern(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
    r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2}(?::[0-9]{2})?)?)?)?",
    re.ASCII,
)
_TIME = pattern(r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?", re.ASCII)

#: The boolean literals of PostgreSQL (manual, 8.6), with the abbreviations that stand for one word only.
_BOOLEANS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}

#: Texts that may be dates in another order than the standard one, for the reasons of refusals.
_OTHER_DATE = pattern(r"[0-9]{1,4}[./ -][0-9]{1,2}[./ -][0-9]{1,4}(?:[ T,].*)?", re.ASCII)
_FAR_YEAR = pattern(r"[0-9]{5,7}-[0-9]{2}-[0-9]{2}", re.ASCII)
_OTHER_NUMBER = pattern(r"[-(]?[0-9][0-9.,' \u00a0\u202f]*[)%-]?", re.ASCII)


class ConversionError(Exception):
    """The cell cannot be converted; ``str()`` is the reason, without the value."""


class NotOfTypeError(ConversionError):
    """The cell is not a value of the type, however it is written."""


T = TypeVar("T")

CellParser = Callable[[Cell], Cell]


def parser(type_: ColumnType, *, rounded: bool = False) -> CellParser:
    """The function that converts one cell to ``type_``; ``rounded``: a number with more decimals is rounded."""
    parse = _parser(type_, rounded=rounded)
    if type_.kind not in LITERAL_KINDS:
        return parse

    def parse_literal(cell: Cell) -> Cell:
        what = literal(cell.strip(), type_) if isinstance(cell, str) else None
        if what is None:
            return parse(cell)
        if not type_.literals:
            raise ConversionError(f"is {what}: only columns of PostgreSQL tables that are there already take it")
        return str(cell).strip()

    return parse_literal


def _parser(type_: ColumnType, *, rounded: bool) -> CellParser:
    match type_.kind:
        case Kind.TEXT:
            return lambda cell: to_text(cell, type_.length)
        case Kind.INTEGER:
            return lambda cell: to_integer(cell, type_.bits, rounded=rounded)
        case Kind.NUMERIC:
            return lambda cell: to_numeric(cell, type_.precision, type_.scale, rounded=rounded)
        case Kind.TIMESTAMP:
            return lambda cell: to_timestamp(cell, timezone=type_.timezone)
        case kind:
            return _SIMPLE[kind]


def as_text(cell: Cell) -> str | None:
    """A cell as people read it; None if blank. Never fails (for reports and reject files)."""
    match cell:
        case None | "":
            return None
        case str():
            return cell
        case bool():
            return "TRUE" if cell else "FALSE"
        case float():
            return str(int(cell)) if cell.is_integer() and abs(cell) < MAX_PLAIN_FLOAT else repr(cell)
        case dt.datetime():
            return cell.isoformat(sep=" ")
        case dt.timedelta():
            return _interval_text(cell)
        case _:
            return str(cell)


def to_text(cell: Cell, length: int | None = None) -> str:
    """Convert any cell to text: numbers as they are shown (``7``, not ``7.0``), dates and times in ISO 8601."""
    text = as_text(_plain(cell)) or ""
    if NUL in text:
        raise ConversionError(
            f"holds a NUL character (U+0000, position {text.index(NUL) + 1}), which SQL text cannot hold"
        )
    if length is not None and len(text) > length:
        raise ConversionError(f"{len(text)} characters long; the column takes {length}")
    return text


def to_integer(cell: Cell, bits: int = 64, *, rounded: bool = False) -> int:
    """Convert to an integer of ``bits`` bits; a double is judged as :func:`shown_decimal` gives it."""
    match _plain(cell):
        case bool():
            raise NotOfTypeError("an integer is expected, this is a boolean")
        case int() as number:
            pass
        case float() as double if double.is_integer():  # False for NaN and infinities
            number = int(double)
        case float() as double:
            number = _whole(shown_decimal(double), rounded=rounded)
        case Decimal() as decimal:
            number = _whole(decimal, rounded=rounded)
        case str() as text if _INTEGER.fullmatch(text.strip()) and len(text) <= _MAX_DIGITS:
            number = int(text)
        case str() as text if _DECIMAL.fullmatch(text.strip()):
            number = _whole(Decimal(text.strip()), rounded=rounded)
        case other:
            raise NotOfTypeError(f"an integer is expected{_mark_hint(other)}")
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise ConversionError(f"out of the range of a {bits}-bit integer")
    return number


def to_float(cell: Cell) -> float:
    """Convert any number to a double."""
    match _plain(cell):
        case bool():
            pass
        case float() as double:
            return double
        case int() | Decimal() as number:
            return _double(number)
        case str() as text if _DECIMAL.fullmatch(text.strip()):
            return _double(Decimal(text.strip()))
        case other:
            raise NotOfTypeError(f"a number is expected{_mark_hint(other)}")
    raise NotOfTypeError("a number is expected, this is a boolean")


def to_numeric(cell: Cell, precision: int | None = None, scale: int | None = None, *, rounded: bool = False) -> Decimal:
    """Convert any number exactly; a value that ``numeric(precision, scale)`` would round is refused, or ``rounded``.

    A double that has more decimals than the column is judged as :func:`shown_decimal` gives it.
    """
    match _plain(cell):
        case bool():
            raise NotOfTypeError("a number is expected, this is a boolean")
        case float() as number:
            value = Decimal(repr(number))
            if precision is not None and value.is_finite() and _decimals(value) > (scale or 0):
                value = shown_decimal(number)
        case int() | Decimal() as exact:
            value = Decimal(exact)
        case str() as text if _DECIMAL.fullmatch(text.strip()):
            value = Decimal(text.strip())
        case other:
            raise NotOfTypeError(f"a number is expected{_mark_hint(other)}")
    if not value.is_finite():
        raise NotOfTypeError("a finite number is expected")
    if precision is None:
        return value
    scale = scale or 0
    if (decimals := _decimals(value)) > scale:
        if not rounded:
            raise ConversionError(f"{decimals} decimals; the column takes {scale} (--round would round it)")
        value = _rounded(value, scale)
    if value.adjusted() + 1 > precision - scale and value:
        raise ConversionError(f"{value.adjusted() + 1} digits before the point; the column takes {precision - scale}")
    return value


def to_boolean(cell: Cell) -> bool:
    """Convert TRUE and FALSE, 1 and 0, and the usual English words."""
    match _plain(cell):
        case bool() as value:
            return value
        case int() | float() as number if number in (0, 1):
            return bool(number)
        case str() as text if text.strip().lower() in _BOOLEANS:
            return _BOOLEANS[text.strip().lower()]
        case _:
            raise NotOfTypeError("TRUE or FALSE is expected")


def to_date(cell: Cell) -> dt.date:
    """Convert to a date; a timestamp only if its time is midnight."""
    match _plain(cell):
        case dt.datetime() as moment:
            if moment.time() != MIDNIGHT:
                raise NotOfTypeError("a date is expected, this has a time of day")
            return moment.date()
        case dt.date() as day:
            return day
        case str() as text if _DATE.fullmatch(text.strip()):
            return _read(dt.date.fromisoformat, text.strip())
        case other:
            raise NotOfTypeError(f"a date is expected {_date_hint(other, 'YYYY-MM-DD')}")


def to_timestamp(cell: Cell, *, timezone: bool = False) -> dt.datetime:
    """Convert to a timestamp; a date becomes midnight. A time zone is refused unless the column has one."""
    match _plain(cell):
        case dt.datetime() as moment:
            pass
        case dt.date() as day:
            moment = dt.datetime.combine(day, MIDNIGHT)
        case str() as text if _TIMESTAMP.fullmatch(text.strip()):
            moment = _read(dt.datetime.fromisoformat, text.strip())
        case other:
            raise NotOfTypeError(f"a date and time is expected {_date_hint(other, 'YYYY-MM-DD HH:MM:SS')}")
    if moment.tzinfo is not None and not timezone:
        raise ConversionError("has a time zone, which the column cannot keep")
    return moment


def to_time(cell: Cell) -> dt.time:
    """Convert to a time of day."""
    match _plain(cell):
        case dt.datetime():
            pass
        case dt.time() as time:
            return time
        case dt.timedelta() as span if dt.timedelta() <= span < dt.timedelta(days=1):
            return (dt.datetime.min + span).time()
        case str() as text if _TIME.fullmatch(text.strip()):
            return _read(dt.time.fromisoformat, text.strip())
        case _:
            pass
    raise NotOfTypeError("a time of day is expected (as text: HH:MM:SS)")


def to_interval(cell: Cell) -> dt.timedelta:
    """Convert to a duration; texts are as in :mod:`tui_importer.core.conversion.intervals`."""
    match _plain(cell):
        case dt.timedelta() as span:
            return span
        case dt.time() as time:
            return dt.datetime.combine(dt.date.min, time) - dt.datetime.min
        case str() as text:
            try:
                parsed = parse_interval(text.strip())
            except OverflowError as error:
                raise ConversionError("more hours than a span of time can have") from error
            if parsed is not None:
                return parsed
        case _:
            pass
    raise NotOfTypeError("a span of time is expected (as text: H:MM:SS)")


_SIMPLE: dict[Kind, CellParser] = {
    Kind.FLOAT: to_float,
    Kind.BOOLEAN: to_boolean,
    Kind.DATE: to_date,
    Kind.TIME: to_time,
    Kind.INTERVAL: to_interval,
    Kind.OTHER: to_text,
}


def _plain(cell: Cell) -> Cell:
    match cell:
        case CellError(code):
            raise ConversionError(f"{ERROR_CELL} {code}")
        case MalformedRecord(reason=reason):
            raise ConversionError(reason)
        case UncalculatedFormula():
            raise ConversionError(
                "formula was never calculated: open the file in a spreadsheet program and save it (or --uncalculated)"
            )
        case _:
            return cell


def shown_decimal(number: float) -> Decimal:
    """A double with the 15 significant digits that a spreadsheet program shows: 3.3000000000000003 is 3.3."""
    return Decimal(f"{number:.15g}")


def _decimals(value: Decimal) -> int:
    return max(0, -int(value.normalize(_EXACT).as_tuple().exponent))


def _rounded(value: Decimal, scale: int) -> Decimal:
    """Half away from zero, as spreadsheet programs and SQL do."""
    return value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, _EXACT)


def _whole(value: Decimal, *, rounded: bool) -> int:
    if value.is_finite():
        if value.adjusted() > _MAX_DIGITS:
            raise ConversionError("out of the range of an integer")  # before it takes long to find out
        if value == value.to_integral_value():
            return int(value)
        if rounded:
            return int(_rounded(value, 0))
    raise NotOfTypeError("an integer is expected, this has a fraction")


def _mark_hint(cell: Cell) -> str:
    """What the reason says besides if the text may be a number with other marks."""
    written = isinstance(cell, str) and _OTHER_NUMBER.fullmatch(cell.strip())
    return " (--decimal-mark says how numbers are written)" if written else ""


def _date_hint(cell: Cell, standard: str) -> str:
    """What a text must be, or which option helps if it may be a date in another form."""
    if isinstance(cell, str) and _FAR_YEAR.match(cell.strip()):
        return f"(as text: {standard}; a year after 9999 is more likely a typing error)"
    if isinstance(cell, str) and _OTHER_DATE.fullmatch(cell.strip()):
        return "(--date-format says how dates are written)"
    return f"(as text: {standard})"


def _double(number: int | Decimal) -> float:
    try:
        double = float(number)
    except (OverflowError, ValueError):  # a signalling NaN
        double = math.inf
    if math.isinf(double) and not (isinstance(number, Decimal) and number.is_infinite()):
        raise ConversionError("out of the range of a double")
    return double


def _read(read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ValueError as error:
        raise ConversionError("no such date or time") from error


def _interval_text(span: dt.timedelta) -> str:
    sign = "-" if span < dt.timedelta() else ""
    span = abs(span)
    minutes, seconds = divmod(span.days * 86_400 + span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{span.microseconds:06}" if span.microseconds else ""
    return f"{sign}{hours}:{minutes:02}:{seconds:02}{fraction}"
