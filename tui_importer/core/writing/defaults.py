"""Blanks that take their column's default.

A blank in a column that is NOT NULL and has a default (or is numbered by the database) means the same as an INSERT that
omits the column. COPY and most INSERT statements can only omit a column for all their rows. The rows of a batch are
therefore written in parts, each of which omits the columns that are blank in its rows. The database evaluates the
default, row by row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import compress
from typing import Generic, TypeVar

import msgspec
from msgspec.structs import replace

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.patterns import pattern
from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.writing.backend import Destination
from tui_importer.errors import DataFault

S = TypeVar("S")

#: A literal followed by the cast that PostgreSQL appends.
_CAST_LITERAL = pattern(r"('(?:[^']|'')*')::[^']+")


class Part(msgspec.Struct, frozen=True):
    """Rows of a batch that are blank in the same columns.

    ``columns`` are the indexes of the columns that are written, ``offsets`` the positions of the rows among all rows to
    be written, and ``batch`` holds these rows and columns only.
    """

    columns: tuple[int, ...]
    offsets: Sequence[int]
    batch: Batch

    @contextmanager
    def placing_faults(self) -> Iterator[None]:
        """Translate the row that a fault names from the part to all rows to be written."""
        try:
            yield
        except DataFault as fault:
            if fault.offset is not None and 0 <= fault.offset < len(self.offsets):
                fault.offset = self.offsets[fault.offset]
            raise


def omitted_columns(batch: Batch, start: int, stop: int, defaults: Sequence[int]) -> list[tuple[int, ...]] | None:
    """For each row from ``start`` to ``stop`` (exclusive), the indexes of the columns that it omits: those of
    ``defaults`` in which it is blank.

    Returns None if no row omits any; where no column has a blank, finding that out takes only the columns' facts.
    """
    lacking = [place for place in defaults if batch.columns[place].blanks]
    if not lacking:
        return None
    blank = ([cell is None for cell in batch.columns[place].values()[start:stop]] for place in lacking)
    patterns = list(zip(*blank, strict=True))
    places = {pattern: tuple(compress(lacking, pattern)) for pattern in set(patterns)}
    return [places[pattern] for pattern in patterns] if any(places.values()) else None


def kept_columns(count: int, omitted: Sequence[int]) -> tuple[int, ...]:
    """The indexes below ``count`` that are not omitted."""
    return tuple(place for place in range(count) if place not in omitted)


def parts_without_blanks(batch: Batch, start: int, stop: int, defaults: Sequence[int]) -> list[Part] | None:
    """Rows ``start`` to ``stop`` (exclusive) in parts without a blank in any column of ``defaults``.

    Returns None if there is no such blank. The rows of a part are in sheet order, but the parts are not.
    """
    omitted = omitted_columns(batch, start, stop, defaults)
    if omitted is None:
        return None
    offsets: dict[tuple[int, ...], list[int]] = {}
    for offset, places in enumerate(omitted):
        offsets.setdefault(places, []).append(offset)
    columns = [column.slice(start, stop) for column in batch.columns]
    parts = []
    for places, found in offsets.items():
        kept = kept_columns(len(columns), places)
        chosen = set(found)
        selected = [offset in chosen for offset in range(stop - start)]
        part = replace(
            batch,
            rows=[batch.rows[start + offset] for offset in found],
            columns=tuple(columns[place].keep(selected) for place in kept),
            origin=(),
            rejects=(),
            encoded=None,
            types=tuple(batch.types[place] for place in kept) if batch.types else (),
        )
        parts.append(Part(kept, found, part))
    return parts


class PartStatements(Generic[S]):
    """The statements that a session sends for its destination, built by ``build``.

    ``whole`` is for rows without blanks that take a default; each set of remaining columns has a statement of its own.
    """

    def __init__(self, destination: Destination, build: Callable[[Destination], S]) -> None:
        self.whole = build(destination)
        self._destination = destination
        self._build = build
        self._parts: dict[tuple[int, ...], S] = {}

    def split(self, batch: Batch, start: int, stop: int) -> list[tuple[S, Part]] | None:
        """:func:`parts_without_blanks`, each with its statement."""
        parts = parts_without_blanks(batch, start, stop, self._destination.defaults)
        return None if parts is None else [(self._part(part.columns), part) for part in parts]

    def omitted(self, batch: Batch, start: int, stop: int) -> list[tuple[int, ...]] | None:
        """:func:`omitted_columns` of these rows."""
        return omitted_columns(batch, start, stop, self._destination.defaults)

    def without(self, omitted: Sequence[int]) -> S:
        """The statements for rows that omit the columns at these indexes."""
        return self._part(kept_columns(len(self._destination.columns), omitted)) if omitted else self.whole

    def _part(self, places: tuple[int, ...]) -> S:
        if places not in self._parts:
            self._parts[places] = self._build(self._destination.part(places))
        return self._parts[places]


def blanks_filled(
    batch: Batch, rows: int, rejected: set[int], defaults: Sequence[int], names: Sequence[str]
) -> dict[str, int]:
    """How many blanks in the first ``rows`` rows of the batch took a default, by column name.

    Blanks in ``rejected`` rows (sheet row numbers) are not counted.
    """
    filled = {}
    for place in defaults:
        if batch.columns[place].blanks:
            cells = zip(batch.rows[:rows], batch.columns[place].values(), strict=False)
            count = sum(1 for row, cell in cells if cell is None and row not in rejected)
            if count:
                filled[names[place]] = count
    return filled


def default_places(table: Table, columns: Sequence[str]) -> tuple[int, ...]:
    """The indexes of the columns whose blanks take the default."""
    return tuple(place for place, name in enumerate(columns) if table.takes_default(name))


def sentences(filled: Mapping[str, int], table: Table) -> list[str]:
    """One sentence per column for the blanks that took a default."""
    messages = []
    for name, count in sorted(Counter(filled).items()):
        blanks = "1 blank takes" if count == 1 else f"{count:,} blanks take"
        column = table.column(name)
        messages.append(f"column {name!r}: {blanks} the table's default ({_describe(column)})")
    return messages


def _describe(column: TableColumn | None) -> str:
    text = column.default_sql if column is not None else None
    if text is None or text.startswith("nextval("):
        return "the next number"
    literal = _CAST_LITERAL.fullmatch(text)
    return literal[1] if literal else text
