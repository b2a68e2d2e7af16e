"""Turns records into blocks, for the built-in readers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat, zip_longest

from tui_importer.core.model.batch import Block
from tui_importer.core.model.cells import Cell
from tui_importer.core.model.column import Column
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.rows import Rows
from tui_importer.readers.hidden_cell import HiddenCell

#: Maximum number of cells of a block whose rows differ in length: one long row makes all rows of its block as long.
_CELLS = 1 << 20

#: A row as libraries return it: cells from the first column on.
Record = Sequence[Cell]


def blocks(records: Iterable[Record], rows: int, *, first_column: int = 0) -> Iterator[Block]:
    """Cut records, the first of which is sheet row 1, into blocks of at most ``rows``; short records are padded with
    blanks."""
    source = iter(records)
    first_row = 1
    while True:
        cut, texts = Rows.read(source, rows)
        if not cut:
            return
        for part in [cut] if texts is not None else _parts(cut):
            columns: tuple[Column, ...] = texts.columns() if texts is not None else _columns(part)
            yield Block(
                first_row=first_row,
                columns=columns or (ListColumn([None] * len(part)),),
                first_column=first_column,
            )
            first_row += len(part)


def _parts(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Split the records into as few parts as needed for each to be a small rectangle."""
    if len(records) > 1 and len(records) * max(map(len, records)) > _CELLS:
        middle = len(records) // 2
        yield from _parts(records[:middle])
        yield from _parts(records[middle:])
    else:
        yield records


def _columns(records: Sequence[Record]) -> tuple[ListColumn, ...]:
    return tuple(map(ListColumn.from_cells, zip_longest(*records)))


def revealed(
    records: Iterable[Record], hidden: Mapping[int, Sequence[HiddenCell]], first_column: int
) -> Iterator[Record]:
    """Insert the cells that the library hid into the records, including those beyond its last row or column.

    ``hidden`` is by sheet row (from 1); it has no cells before ``first_column``.
    """
    row = 0
    for row, record in enumerate(records, start=1):  # used after the loop
        cells = hidden.get(row)
        yield _patched(record, cells, first_column) if cells else record
    for later in range(row + 1, max(hidden, default=0) + 1):
        yield _patched((), hidden.get(later, ()), first_column)


def shifted(records: Iterable[Record], columns: int) -> Iterator[Record]:
    """The records with ``columns`` blanks in front."""
    blanks: list[Cell] = list(repeat(None, columns))
    for record in records:
        yield blanks + list(record)


def _patched(record: Record, cells: Iterable[HiddenCell], first_column: int) -> Record:
    patched = list(record)
    for cell in cells:
        place = cell.column - first_column
        patched.extend(repeat(None, place + 1 - len(patched)))
        patched[place] = cell.value
    return patched
