"""Whole columns into the types of their target: the facts decide whether any cell needs a look.

A column whose facts clear it goes through passes in C over the whole column (``map``, ``min``, comprehensions
without calls); only the others are walked, and then only guilty cells cost more than a look. Both ways give the same
values and the same rejects (a property test holds them together).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import repeat
from operator import eq
from typing import Any

from tui_importer.core.conversion.parsing import MIDNIGHT, REQUIRED_BUT_BLANK, ConversionError, as_text, parser
from tui_importer.core.model.cells import Cell, CellError, UncalculatedFormula
from tui_importer.core.model.column import Column, ListColumn
from tui_importer.core.model.plan import ErrorCells
from tui_importer.core.model.types import ColumnType, Kind

#: What a column's cells became: the column, and the reason for each row (by offset) that cannot go in.
Converted = tuple[Column, dict[int, str]]

_DIGITS = frozenset("0123456789-")
_NUMBER = frozenset("0123456789-+.eE")


@dataclass(frozen=True, slots=True)
class Conversion:
    """How one column is converted. ``error_cells`` says what becomes of cells like ``#N/A``."""

    type: ColumnType
    required: bool = False
    error_cells: ErrorCells = "reject"

    def apply(self, column: Column) -> Converted:
        """Convert a column; the result has as many cells, those that were refused as ``None``."""
        if self.error_cells != "reject" and CellError in column.kinds:
            column = ListColumn([self._resolved_error_cell(cell) for cell in column.values()])
        faults: dict[int, str] = {}
        if self.required and column.blanks:
            faults = {row: REQUIRED_BUT_BLANK for row, cell in enumerate(column.values()) if cell is None}
        cleared = convert_fast(column, self.type)
        if cleared is not None:
            return cleared, faults
        values, refused = convert_cells(column.values(), self.type)
        return ListColumn(values), faults | refused

    def _resolved_error_cell(self, cell: Cell) -> Cell:
        if not isinstance(cell, CellError):
            return cell
        return cell.code if self.error_cells == "text" else None


def convert_cells(cells: Sequence[Cell], type_: ColumnType) -> tuple[list[Cell], dict[int, str]]:
    """Convert cell by cell: the values, ``None`` where refused, and the reasons by offset."""
    parse = parser(type_)
    values: list[Cell] = list(cells)
    refused: dict[int, str] = {}
    for row, cell in enumerate(cells):
        if cell is None:
            continue
        try:
            values[row] = parse(cell)
        except ConversionError as reason:
            values[row] = None
            refused[row] = str(reason)
    return values, refused


def convert_fast(column: Column, type_: ColumnType) -> Column | None:
    """The converted column where its facts rule every problem out; None where it has to be walked."""
    if not column.kinds:
        return column  # nothing but blanks
    return _FAST[type_.kind](column, type_)


def _fast_text(column: Column, type_: ColumnType) -> Column | None:
    if column.has_nul:
        return None
    if column.kinds == _TEXTS:
        return column if type_.length is None or column.longest <= type_.length else None
    if type_.length is not None or column.kinds & _FAULTY:
        return None
    if column.kinds == _FLOATS:
        values = _filled(column)
        if all(map(float.is_integer, values)) and max(map(abs, values)) < 1e15:
            return _mapped(column, lambda cells: map(str, map(int, cells)))
        return None
    return None


def _fast_integer(column: Column, type_: ColumnType) -> Column | None:
    low, high = -(1 << type_.bits - 1), (1 << type_.bits - 1) - 1
    values = _filled(column)
    if column.kinds == _FLOATS:
        # A double rounds: 2**63 - 1 as a double is 2**63, one too many.
        if all(map(float.is_integer, values)) and low <= min(values) and max(values) < float(high):
            return _mapped(column, lambda cells: map(int, cells))
        return None
    if column.kinds == _INTS:
        return column if low <= min(values) and max(values) <= high else None
    if column.kinds == _TEXTS and _DIGITS.issuperset("".join(values)):
        try:
            numbers = list(map(int, values))
        except ValueError:
            return None  # a lone or misplaced minus sign
        if low <= min(numbers) and max(numbers) <= high:
            return _mapped(column, lambda cells: iter(numbers))
    return None


def _fast_float(column: Column, type_: ColumnType) -> Column | None:
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


def _fast_numeric(column: Column, type_: ColumnType) -> Column | None:
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
    else:
        return None
    if type_.precision is not None:
        scale = type_.scale or 0
        limit = Decimal(10) ** (type_.precision - scale)
        if max(map(abs, decimals)) >= limit:
            return None
        try:
            rounded = map(Decimal.quantize, decimals, repeat(Decimal(1).scaleb(-scale)))
            if not all(map(eq, decimals, rounded)):
                return None
        except InvalidOperation:
            return None  # more digits than the context has: rare enough to be walked
    return _mapped(column, lambda cells: iter(decimals))


def _fast_date(column: Column, type_: ColumnType) -> Column | None:
    if column.kinds == {dt.date}:
        return column
    if column.kinds == {dt.datetime}:
        values = _filled(column)
        if set(map(dt.datetime.time, values)) == {MIDNIGHT}:
            return _mapped(column, lambda cells: map(dt.datetime.date, cells))
    if column.kinds == _TEXTS:
        return _fast_iso_text(column, dt.date.fromisoformat, 10)
    return None


def _fast_timestamp(column: Column, type_: ColumnType) -> Column | None:
    if column.kinds == {dt.datetime}:
        zones = {moment.tzinfo for moment in _filled(column)}
        return column if type_.timezone or zones == {None} else None
    if column.kinds == {dt.date}:
        midnight, combine = MIDNIGHT, dt.datetime.combine
        return _mapped(column, lambda cells: (combine(day, midnight) for day in cells))
    if column.kinds == _TEXTS:
        return _fast_iso_text(column, dt.datetime.fromisoformat, 19)
    return None


def _fast_iso_text(column: Column, read: Callable[[str], Cell], length: int) -> Column | None:
    # Texts of just this length with just these separators have one reading only.
    values = _filled(column)
    if set(map(len, values)) != {length} or not set("".join(values)) <= set("0123456789-: T"):
        return None
    try:
        moments = list(map(read, values))
    except ValueError:
        return None
    if length == 10 and {text[4] + text[7] for text in values} != {"--"}:
        return None  # fromisoformat also reads week dates
    return _mapped(column, lambda cells: iter(moments))


def _fast_same(kind: type) -> Callable[[Column, ColumnType], Column | None]:
    return lambda column, type_: column if column.kinds == {kind} else None


_TEXTS: frozenset[type] = frozenset({str})
_FLOATS: frozenset[type] = frozenset({float})
_INTS: frozenset[type] = frozenset({int})
_FAULTY: frozenset[type] = frozenset({CellError, UncalculatedFormula})

_FAST: dict[Kind, Callable[[Column, ColumnType], Column | None]] = {
    Kind.TEXT: _fast_text,
    Kind.OTHER: _fast_text,
    Kind.INTEGER: _fast_integer,
    Kind.FLOAT: _fast_float,
    Kind.NUMERIC: _fast_numeric,
    Kind.BOOLEAN: _fast_same(bool),
    Kind.DATE: _fast_date,
    Kind.TIMESTAMP: _fast_timestamp,
    Kind.TIME: _fast_same(dt.time),
    Kind.INTERVAL: _fast_same(dt.timedelta),
}


def _filled(column: Column) -> Sequence[Any]:
    """The cells that are not blank."""
    cells = column.values()
    return [cell for cell in cells if cell is not None] if column.blanks else cells


def _mapped(column: Column, convert: Callable[[Sequence[Any]], Any]) -> Column:
    """The column with its filled cells converted and its blanks where they were."""
    converted = convert(_filled(column))
    if not column.blanks:
        return ListColumn(list(converted), blanks=0)
    following = iter(converted)
    return ListColumn([None if cell is None else next(following) for cell in column.values()], blanks=column.blanks)


__all__ = ["Conversion", "Converted", "as_text", "convert_cells", "convert_fast"]
