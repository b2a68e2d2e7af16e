"""Columns over plain Python lists.

Their facts come from passes in C over the whole column: ``set(map(type, ...))``, ``str.join``, ``max(map(len, ...))``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import cached_property
from itertools import compress, repeat
from operator import is_
from typing import Any, Self

from tui_importer.core.model.casting import cast
from tui_importer.core.model.cells import Cell
from tui_importer.core.model.column import NUL, Column, ColumnStore
from tui_importer.core.model.types import ColumnType

_FINITE = {float: math.isfinite, Decimal: Decimal.is_finite}


class ListColumn:
    """A column backed by a Python list or tuple."""

    store: ColumnStore | None = None

    def __init__(self, values: Sequence[Cell], *, blanks: int | None = None) -> None:
        self._values = values
        if blanks is not None:
            self.__dict__["blanks"] = blanks

    @classmethod
    def from_cells(cls, cells: Sequence[Cell]) -> Self:
        """A column of cells as libraries return them, where ``''`` may be a blank."""
        try:
            # One pass shows that all cells are texts, and whether one contains a NUL.
            joined = "".join(cells)  # type: ignore[arg-type]  # raises TypeError for anything else
        except TypeError:
            # Not ``cell or None``: 0 and False are values.
            return cls([None if type(cell) is str and not cell else cell for cell in cells] if "" in cells else cells)
        blanks = 0 if all(cells) else cells.count("")  # all() is five times as fast as count()
        column = cls([cell or None for cell in cells] if blanks else cells, blanks=blanks)
        column.__dict__["kinds"] = frozenset({str}) if blanks < len(cells) else frozenset()
        column.__dict__["has_nul"] = NUL in joined
        return column

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"ListColumn({self._values!r})"

    @cached_property
    def _types(self) -> frozenset[type]:
        return frozenset(map(type, self._values))

    @cached_property
    def kinds(self) -> frozenset[type]:
        return self._types - {type(None)}

    @cached_property
    def blanks(self) -> int:
        # Counted only if there are any: comparing with None may call Python code (as Decimal does).
        return self._values.count(None) if type(None) in self._types else 0

    @cached_property
    def longest(self) -> int:
        return max(map(len, self._texts()), default=0)

    @cached_property
    def has_nul(self) -> bool:
        return str in self.kinds and NUL in "".join(self._texts())

    @cached_property
    def integral(self) -> bool:
        return all(map(float.is_integer, self._of(float)))

    def extremes(self, kind: type) -> tuple[Any, Any] | None:
        values = self._of(kind)
        finite = _FINITE.get(kind)
        if not values or (finite is not None and not all(map(finite, values))):
            return None
        try:
            return min(values), max(values)
        except TypeError:
            return None  # times with and without a zone, or values without an order

    @cached_property
    def blank_mask(self) -> bytes:
        return bytes(map(is_, self._values, repeat(None))) if self.blanks else bytes(len(self._values))

    def values(self) -> Sequence[Cell]:
        return self._values

    def take(self, rows: Sequence[int]) -> Sequence[Cell]:
        return [self._values[row] for row in rows]

    def cast(self, type_: ColumnType) -> Column | None:
        values = cast(self, type_)
        return ListColumn(values, blanks=self.blanks) if isinstance(values, list) else values

    def slice(self, start: int, stop: int) -> ListColumn:
        part = ListColumn(self._values[start:stop])
        self._pass_facts(part)
        return part

    def keep(self, selected: Sequence[bool]) -> ListColumn:
        part = ListColumn(list(compress(self._values, selected)))
        self._pass_facts(part)
        return part

    def _of(self, kind: type) -> Sequence[Any]:
        """The cells of exactly this type."""
        if kind not in self.kinds:
            return ()
        if len(self.kinds) == 1 and not self.blanks:
            return self._values
        return list(compress(self._values, map(is_, map(type, self._values), repeat(kind))))

    def _texts(self) -> Iterable[str]:
        if self.kinds == {str}:
            return filter(None, self._values)  # type: ignore[arg-type]  # only str and None are in it
        return [cell for cell in self._values if isinstance(cell, str)]

    def _pass_facts(self, part: ListColumn) -> None:
        # Facts that hold for every subset need not be computed again.
        if not self.blanks:
            part.__dict__["blanks"] = 0
            if len(self.kinds) == 1:
                part.__dict__["kinds"] = self.kinds if len(part) else frozenset()
        if not self.has_nul:
            part.__dict__["has_nul"] = False
