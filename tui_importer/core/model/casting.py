"""Casts of whole columns of Python values: facts and passes in C instead of Python code for each cell.

A cast gives the same values as :func:`tui_importer.core.conversion.convert.convert_cells`, or None; property tests
compare the two.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from itertools import compress, repeat
from operator import eq, not_
from typing import Any, TypeVar

from tui_importer.core.model.cells import MIDNIGHT, Cell, CellError, MalformedRecord, UncalculatedFormula
from tui_importer.core.model.column import Column
from tui_importer.core.model.types import ColumnType, Kind

C = TypeVar("C", bound=Column)

_DIGITS = frozenset("0123456789-")
_NUMBER = frozenset("0123456789-+.eE")
_PLAIN_NUMBER = frozenset("0123456789-+.")

#: Whole floats below this have at most the 15 digits that a spreadsheet program keeps, so they are exact.
_MAX_SHOWN_FLOAT = 1e15


def cast(column: C, type_: ColumnType) -> C | list[Cell] | None:
    """The column's cells as values of the type: the column itself if they are already, otherwise a list.

    None if the cells have to be converted one by one.
    """
    if not column.kinds:
        return column  # only blanks
    values: C | list[Cell] | None = _CASTS[type_.kind](column, type_)
    return values


def _cast_text(column: C, type_: ColumnType) -> C | list[Cell] | None:
    if column.has_nul:
        return None
    if column.kinds == _TEXTS:
        return column if type_.length is None or column.longest <= type_.length else None
    if type_.length is not None or column.kinds & _FAULTY:
        return None
    if column.kinds == _FLOATS:
        extremes = column.extremes(float) if column.integral else None
        if extremes is not None and extremes[0] > -_MAX_SHOWN_FLOAT and extremes[1] < _MAX_SHOWN_FLOAT:
            return _mapped(column, lambda cells: map(str, map(int, cells)))
        return None
    return None


def _cast_integer(column: C, type_: ColumnType) -> C | list[Cell] | None:
    low, high = -(1 << type_.bits - 1), (1 << type_.bits - 1) - 1
    if column.kinds == _FLOATS:
        extremes = column.extremes(float) if column.integral else None
        # A double rounds: 2**63 - 1 becomes 2**63, which is out of range.
        if extremes is not None and low <= extremes[0] and extremes[1] < float(high):
            return _mapped(column, lambda cells: map(int, cells))
        return None
    if column.kinds == _INTS:
        extremes = column.extremes(int)
        return column if extremes is not None and low <= extremes[0] and extremes[1] <= high else None
    values = _filled(column)
    if column.kinds == _TEXTS and _DIGITS.issuperset("".join(values)):
        try:
            numbers = list(map(int, values))
        except ValueError:
            return None  # a lone or misplaced minus sign
        if low <= min(numbers) and max(numbers) <= high:
            return _mapped(column, lambda cells: iter(numbers))
    return None


def _cast_float(column: C, type_: ColumnType) -> C | list[Cell] | None:
    if column.kinds == _FLOATS:
        return column
    if column.kinds <= _INTS | _FLOATS:
        try:
            return _mapped(column, lambda cells: map(float, cells))
        except OverflowError:
            return None
    values = _filled(column)
    if column.kinds == _TEXTS and _NUMBER.issuperset("".join(values)):
        try:
            numbers = list(map(float, values))
        except ValueError:
            return None
        if all(map(math.isfinite, numbers)):
            return _mapped(column, lambda cells: iter(numbers))
    return None


def _cast_numeric(column: C, type_: ColumnType) -> C | list[Cell] | None:
    values = _filled(column)
    if column.kinds == _FLOATS:
        if not all(map(math.isfinite, values)):
            return None
        decimals = list(map(Decimal, map(repr, values)))
    elif column.kinds == {Decimal}:
        decimals = list(values)
        if not all(map(Decimal.is_finite, decimals)):
            return None
    elif column.kinds <= {int, Decimal}:
        decimals = list(map(Decimal, values))
        if not all(map(Decimal.is_finite, decimals)):
            return None
    elif column.kinds == _TEXTS and _PLAIN_NUMBER.issuperset("".join(values)):
        try:
            decimals = list(map(Decimal, values))
        except InvalidOperation:
            return None  # a lone or misplaced sign or point
    else:
        return None
    if type_.precision is not None:
        scale = type_.scale or 0
        limit = Decimal(10) ** (type_.precision - scale)
        if max(map(abs, decimals)) >= limit:
            return None
        try:
            fits = list(map(eq, decimals, map(Decimal.quantize, decimals, repeat(Decimal(1).scaleb(-scale)))))
            if not all(fits):
                if column.kinds != _FLOATS:
                    return None
                # Judge the doubles that do not fit by the 15 digits that a spreadsheet program shows.
                for place in compress(range(len(fits)), map(not_, fits)):
                    shown = decimals[place] = Decimal(f"{values[place]:.15g}")
                    if shown != shown.quantize(Decimal(1).scaleb(-scale)) or abs(shown) >= limit:
                        return None
        except InvalidOperation:
            return None  # more digits than the context has: rare enough to be converted cell by cell
    return _mapped(column, lambda cells: iter(decimals))


def _cast_date(column: C, type_: ColumnType) -> C | list[Cell] | None:
    if column.kinds == {dt.date}:
        return column
    if column.kinds == {dt.datetime}:
        values = _filled(column)
        if set(map(dt.datetime.time, values)) == {MIDNIGHT}:
            return _mapped(column, lambda cells: map(dt.datetime.date, cells))
    if column.kinds == _TEXTS:
        return _cast_iso_text(column, dt.date.fromisoformat, 10)
    return None


def _cast_timestamp(column: C, type_: ColumnType) -> C | list[Cell] | None:
    if column.kinds == {dt.datetime}:
        zones = {moment.tzinfo for moment in _filled(column)}
        return column if type_.timezone or zones == {None} else None
    if column.kinds == {dt.date}:
        midnight, combine = MIDNIGHT, dt.datetime.combine
        return _mapped(column, lambda cells: (combine(day, midnight) for day in cells))
    if column.kinds == _TEXTS:
        return _cast_iso_text(column, dt.datetime.fromisoformat, 19)
    return None


def _cast_iso_text(column: Column, read: Callable[[str], Cell], length: int) -> list[Cell] | None:
    # A text of exactly this length with only these separators can be read in one way only.
    values = _filled(column)
    if set(map(len, values)) != {length} or not set("".join(values)) <= set("0123456789-: T"):
        return None
    try:
        moments = list(map(read, values))
    except ValueError:
        return None
    if length == 10 and {text[4] + text[7] for text in values} != {"--"}:
        return None  # fromisoformat also accepts week dates
    return _mapped(column, lambda cells: iter(moments))


def _cast_same(kind: type) -> Callable[[Any, ColumnType], Any]:
    return lambda column, type_: column if column.kinds == {kind} else None


_TEXTS: frozenset[type] = frozenset({str})
_FLOATS: frozenset[type] = frozenset({float})
_INTS: frozenset[type] = frozenset({int})
_FAULTY: frozenset[type] = frozenset({CellError, MalformedRecord, UncalculatedFormula})

_CASTS: dict[Kind, Callable[[Any, ColumnType], Any]] = {
    Kind.TEXT: _cast_text,
    Kind.OTHER: _cast_text,
    Kind.INTEGER: _cast_integer,
    Kind.FLOAT: _cast_float,
    Kind.NUMERIC: _cast_numeric,
    Kind.BOOLEAN: _cast_same(bool),
    Kind.DATE: _cast_date,
    Kind.TIMESTAMP: _cast_timestamp,
    Kind.TIME: _cast_same(dt.time),
    Kind.INTERVAL: _cast_same(dt.timedelta),
}


def _filled(column: Column) -> Sequence[Any]:
    """The cells that are not blank."""
    cells = column.values()
    return [cell for cell in cells if cell is not None] if column.blanks else cells


def _mapped(column: Column, convert: Callable[[Sequence[Any]], Any]) -> list[Cell]:
    """The column with its filled cells converted and its blanks unchanged."""
    converted = convert(_filled(column))
    if not column.blanks:
        return list(converted)
    following = iter(converted)
    return [None if cell is None else next(following) for cell in column.values()]
