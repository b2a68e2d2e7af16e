"""Columns over rows: for readers that hand over rows of texts, which are most of what business sheets hold.

Rows need not be turned into columns and back only to find out that nothing is wrong with them: one pass in C tells that
all cells of a block are texts and whether a NUL is among them, and a batch whose columns all stayed as they were gives
back the very rows. A column is made into a list when somebody asks for its values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import Any

from tui_importer.core.cells import Cell
from tui_importer.core.column import NUL, Column, ListColumn

_TEXTS: frozenset[type] = frozenset({str})
_NOTHING: frozenset[type] = frozenset()

#: Rows whose texts are joined at once: a longer join has to be given fresh memory by the system every time.
_JOINED_ROWS = 500


class Rows:
    """Consecutive rows of ``width`` texts each, of which the empty ones are blanks; shared by the columns over them.

    ``has_nul`` says whether a NUL may be among them.
    """

    def __init__(self, rows: Sequence[Sequence[str]], width: int, *, has_nul: bool) -> None:
        self.width = width
        self.has_nul = has_nul
        self._rows = rows
        self._parts: dict[tuple[int, int], Rows] = {}

    @classmethod
    def of(cls, records: Sequence[Sequence[Cell]]) -> Rows | None:
        """The records as rows; None where they are not all texts, or not equally many."""
        widths = set(map(len, records))
        if len(widths) != 1:
            return None
        has_nul = False
        try:
            for start in range(0, len(records), _JOINED_ROWS):
                texts: Any = chain.from_iterable(records[start : start + _JOINED_ROWS])
                has_nul |= NUL in "".join(texts)
        except TypeError:
            return None
        # join() has seen that all are texts.
        return cls(records, widths.pop(), has_nul=has_nul)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self._rows)

    def columns(self) -> tuple[RowColumn, ...]:
        """All columns over these rows."""
        return tuple(RowColumn(self, index) for index in range(self.width))

    def part(self, start: int, stop: int) -> Rows:
        """Rows ``start`` to ``stop`` (exclusive): one object for all columns that ask."""
        if (start, stop) not in self._parts:
            self._parts[start, stop] = Rows(self._rows[start:stop], self.width, has_nul=self.has_nul)
        return self._parts[start, stop]

    def texts(self, index: int) -> Iterator[str]:
        """The cells of one column, blanks as empty texts."""
        return map(itemgetter(index), self._rows)

    @cached_property
    def records(self) -> list[Sequence[str | None]]:
        """The rows with ``None`` for blanks."""
        return [row if all(row) else [cell or None for cell in row] for row in self._rows]


class RowColumn:
    """One column over rows; implements :class:`tui_importer.core.column.Column`."""

    def __init__(self, rows: Rows, index: int) -> None:
        self.rows = rows
        self.index = index

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def kinds(self) -> frozenset[type]:
        return _TEXTS if any(self.rows.texts(self.index)) else _NOTHING

    @cached_property
    def blanks(self) -> int:
        return 0 if all(self.rows.texts(self.index)) else self._list.blanks

    @property
    def longest(self) -> int:
        return self._list.longest

    @property
    def has_nul(self) -> bool:
        return self.rows.has_nul and self._list.has_nul

    def values(self) -> Sequence[Cell]:
        return self._list.values()

    def slice(self, start: int, stop: int) -> RowColumn:
        return RowColumn(self.rows.part(start, stop), self.index)

    def keep(self, selected: Sequence[bool]) -> ListColumn:
        return self._list.keep(selected)

    @cached_property
    def _list(self) -> ListColumn:
        return ListColumn([text or None for text in self.rows.texts(self.index)])


def records_of(columns: Sequence[Column]) -> Sequence[Sequence[Cell]] | Iterator[Sequence[Cell]] | None:
    """The records of columns that all look at the same rows; None where they do not."""
    first = columns[0] if columns else None
    if not isinstance(first, RowColumn):
        return None
    indices = []
    for column in columns:
        if not isinstance(column, RowColumn) or column.rows is not first.rows:
            return None
        indices.append(column.index)
    if indices == list(range(first.rows.width)):
        return first.rows.records
    if len(indices) == 1:
        return None
    return map(itemgetter(*indices), first.rows.records)
