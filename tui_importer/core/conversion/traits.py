"""Traits of a column's values that matter for its type, with counts and positions.

The scanners are whole-column passes in C over the values of one type. Cells are examined one by one only for the few
traits whose cells are named to the user, and only in blocks that may have such a cell.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import Enum, auto
from itertools import compress, repeat
from operator import attrgetter, is_, is_not
from typing import Any

import msgspec

from tui_importer.core.conversion.parsing import MAX_EXACT_FLOAT
from tui_importer.core.model.cells import MIDNIGHT, Cell
from tui_importer.core.model.column import NUL, Column
from tui_importer.core.model.types import DATE

#: Up to this, a double holds every whole number exactly (IEEE 754 binary64); larger integers do not mix with fractions.
MAX_FLOAT_INTEGER = 2**53

#: The number of cells among which the first one of a kind is searched for at once.
_SEARCHED = 256

#: The widest integer column that databases share has 64 bits.
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1


class ColumnFinding(msgspec.Struct, frozen=True):
    """A remark about a column for the user; ``first_row`` is the sheet row (from 1) of the first such cell."""

    message: str
    cells: int
    first_row: int

    def __str__(self) -> str:
        return f"{self.message}, {'first ' if self.cells > 1 else ''}in row {self.first_row}"


class Trait(Enum):
    """A property of some value of the column that rules out a narrower type."""

    FRACTION = auto()
    NOT_FINITE = auto()
    LONG_FLOAT = auto()
    LONG_INTEGER = auto()
    HUGE_INTEGER = auto()
    TIME_OF_DAY = auto()
    ZONED = auto()
    ZONELESS = auto()
    NUL = auto()


class CellStats(msgspec.Struct):
    """The number of cells of a kind, the row of the first one, and the least and greatest of them."""

    cells: int = 0
    first_row: int | None = None
    low: Any = None
    high: Any = None

    def count(self, cells: int, row: int) -> None:
        self.cells += cells
        self.first_row = row if self.first_row is None else min(self.first_row, row)

    def measure(self, values: Sequence[Any]) -> None:
        low, high = min(values), max(values)
        self.low = low if self.low is None else min(low, self.low)
        self.high = high if self.high is None else max(high, self.high)

    def finding(self, message: str) -> ColumnFinding:
        return ColumnFinding(message, self.cells, self.first_row or 0)


def _scan_floats(column: Column, stats: CellStats) -> set[Trait]:
    traits = set()
    extremes, integral = column.extremes(float), column.integral
    if extremes is None:  # a float is not finite
        traits.add(Trait.NOT_FINITE)
        values = list(filter(math.isfinite, of_kind(column, float)))
        extremes = (min(values), max(values)) if values else None
        integral = all(map(float.is_integer, values))
    if not integral:
        traits.add(Trait.FRACTION)
    if extremes is not None:
        stats.measure(extremes)
        if max(map(abs, extremes)) >= MAX_EXACT_FLOAT:
            traits.add(Trait.LONG_FLOAT)
    return traits


def _scan_integers(column: Column, stats: CellStats) -> set[Trait]:
    low, high = column.extremes(int) or (0, 0)
    stats.measure((low, high))
    if low >= -MAX_FLOAT_INTEGER and high <= MAX_FLOAT_INTEGER:
        return set()
    return {Trait.LONG_INTEGER, Trait.HUGE_INTEGER}


def _scan_decimals(column: Column, stats: CellStats) -> set[Trait]:
    extremes = column.extremes(Decimal)
    if extremes is None:
        return {Trait.NOT_FINITE}
    stats.measure(extremes)
    return set()


def _scan_moments(column: Column, stats: CellStats) -> set[Trait]:
    extremes = column.extremes(dt.datetime)
    if extremes is None:  # some have a zone and others have none
        return _scan_each_moment(column, stats)
    zoned = extremes[0].tzinfo is not None
    traits = {Trait.ZONED if zoned else Trait.ZONELESS}
    if not zoned:
        stats.measure(extremes)
    if any(moment.time() != MIDNIGHT for moment in extremes):
        return traits | {Trait.TIME_OF_DAY}
    if column.kinds == {dt.datetime} and column.cast(DATE) is not None:
        return traits
    return _scan_each_moment(column, stats)


def _scan_each_moment(column: Column, stats: CellStats) -> set[Trait]:
    values = of_kind(column, dt.datetime)
    zones = set(map(is_not, map(attrgetter("tzinfo"), values), repeat(None)))
    traits = {Trait.ZONED if zoned else Trait.ZONELESS for zoned in zones}
    if zones == {False}:
        stats.measure(values)
    if set(map(dt.datetime.time, values)) != {MIDNIGHT}:
        traits.add(Trait.TIME_OF_DAY)
    return traits


def _scan_dates(column: Column, stats: CellStats) -> set[Trait]:
    extremes = column.extremes(dt.date)
    if extremes is not None:
        stats.measure(extremes)
    return set()


#: The scanner for each type of cell; it is called for columns that have such cells.
SCANNERS: dict[type, Callable[[Column, CellStats], set[Trait]]] = {
    float: _scan_floats,
    int: _scan_integers,
    Decimal: _scan_decimals,
    dt.datetime: _scan_moments,
    dt.date: _scan_dates,
}

#: Traits whose cells are counted and located; only blocks that may have such a cell are searched.
PREDICATES: dict[Trait, Callable[[Cell], bool]] = {
    Trait.LONG_FLOAT: lambda cell: type(cell) is float and abs(cell) >= MAX_EXACT_FLOAT and cell.is_integer(),
    Trait.LONG_INTEGER: lambda cell: type(cell) is int and abs(cell) > MAX_FLOAT_INTEGER,
    Trait.HUGE_INTEGER: lambda cell: type(cell) is int and not MIN_INTEGER <= cell <= MAX_INTEGER,
    Trait.NUL: lambda cell: type(cell) is str and NUL in cell,
}


def first_of(column: Column, kind: type) -> int:
    """The index of the first cell of exactly this type; there must be one."""
    for start in range(0, len(column), _SEARCHED):
        kinds = list(map(type, column.slice(start, start + _SEARCHED).values()))
        if kind in kinds:
            return start + kinds.index(kind)
    raise ValueError(f"there is no {kind.__name__}")


def of_kind(column: Column, kind: type) -> Sequence[Any]:
    """The cells of exactly this type."""
    cells = column.values()
    if len(column.kinds) == 1 and not column.blanks:
        return cells
    return list(compress(cells, map(is_, map(type, cells), repeat(kind))))
