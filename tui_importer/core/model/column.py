"""A batch is columns, and a column knows facts about itself.

What a fact rules out costs nothing per cell: a column without a NUL is never searched for one, a column of
nothing but text that goes into a text column is handed on as it is. The facts of :class:`ListColumn` come from
whole-column passes in C (``set(map(type, ...))``, ``str.join``, ``max(..., key=len)``); a compiled reader may
bring columns of its own that know their facts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import compress
from typing import Protocol, Self

from tui_importer.core.model.cells import Cell

NUL = "\0"


class Column(Protocol):
    """The cells of one column of a batch, in row order. Immutable: facts are worked out once at most."""

    def __len__(self) -> int: ...

    @property
    def kinds(self) -> frozenset[type]:
        """The exact types of the cells that are not blank."""

    @property
    def blanks(self) -> int:
        """How many cells are blank."""

    @property
    def longest(self) -> int:
        """The length in characters of the longest text; 0 where there is none."""

    @property
    def has_nul(self) -> bool:
        """Whether any text holds U+0000, which no SQL text can."""

    def values(self) -> Sequence[Cell]:
        """The cells as Python values, a blank as ``None``."""

    def slice(self, start: int, stop: int) -> Column:
        """The cells of rows ``start`` to ``stop`` (exclusive)."""

    def keep(self, selected: Sequence[bool]) -> Column:
        """The cells whose row is selected; ``selected`` has one entry a row."""


class ListColumn:
    """A column over a plain Python list or tuple."""

    def __init__(self, values: Sequence[Cell], *, blanks: int | None = None) -> None:
        self._values = values
        if blanks is not None:
            self.__dict__["blanks"] = blanks

    @classmethod
    def from_cells(cls, cells: Sequence[Cell]) -> Self:
        """A column of cells as libraries hand them over, where ``''`` may stand for a blank."""
        try:
            # One pass tells that all are texts and that none holds a NUL.
            joined = "".join(cells)  # type: ignore[arg-type]  # anything else raises
        except TypeError:
            # Not ``cell or None``: 0 and False are values.
            return cls([None if cell == "" else cell for cell in cells] if "" in cells else cells)
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
        # Only where there are any: to compare with None may cost a call of Python (Decimal does).
        return self._values.count(None) if type(None) in self._types else 0

    @cached_property
    def longest(self) -> int:
        return max(map(len, self._texts()), default=0)

    @cached_property
    def has_nul(self) -> bool:
        return str in self.kinds and NUL in "".join(self._texts())

    def values(self) -> Sequence[Cell]:
        return self._values

    def slice(self, start: int, stop: int) -> ListColumn:
        part = ListColumn(self._values[start:stop])
        self._hand_on(part)
        return part

    def keep(self, selected: Sequence[bool]) -> ListColumn:
        part = ListColumn(list(compress(self._values, selected)))
        self._hand_on(part)
        return part

    def _texts(self) -> Iterable[str]:
        if self.kinds == {str}:
            return filter(None, self._values)  # type: ignore[arg-type]  # only str and None are in it
        return [cell for cell in self._values if isinstance(cell, str)]

    def _hand_on(self, part: ListColumn) -> None:
        # Facts that hold for every subset need not be worked out again.
        if not self.blanks:
            part.__dict__["blanks"] = 0
            if len(self.kinds) == 1:
                part.__dict__["kinds"] = self.kinds if len(part) else frozenset()
        if not self.has_nul:
            part.__dict__["has_nul"] = False
