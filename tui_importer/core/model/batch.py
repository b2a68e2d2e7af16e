"""Blocks (as read) and batches (as written): consecutive rows of one sheet, stored as columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat

import msgspec

from tui_importer.core.model.cells import Cell
from tui_importer.core.model.column import Column, common_store
from tui_importer.core.model.encoded import EncodedBatch
from tui_importer.core.model.types import ColumnType
from tui_importer.events import Reject


class Block(msgspec.Struct, frozen=True):
    """Consecutive rows of a sheet, as a reader returns them.

    ``first_row`` is the sheet row (from 1) of the first one, ``first_column`` the sheet column (from 0) of
    ``columns[0]``. All columns have the same length; blank rows are included.
    """

    first_row: int
    columns: tuple[Column, ...]
    first_column: int = 0

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0


class Batch(msgspec.Struct, frozen=True):
    """Rows to be written to the target table.

    ``rows`` are the sheet rows (from 1) of the rows to be written, ``columns`` their converted values in the order of
    the target columns, and ``origin`` their cells as in the sheet. ``rejects`` are the rows of the same interval that
    failed conversion. The batch covers the sheet rows ``first_row`` to ``last_row``. ``encoded`` is the batch in the
    backend's encoding, if it has one (:mod:`tui_importer.core.writing.encoding`), ``types`` are the types of the target
    columns, if they are known to whoever made the batch. A batch can be pickled, to be written
    by another process.
    """

    number: int
    sheet: str
    first_row: int
    last_row: int
    rows: Sequence[int]
    columns: tuple[Column, ...]
    origin: tuple[Column, ...]
    rejects: tuple[Reject, ...] = ()
    encoded: EncodedBatch | None = None
    types: tuple[ColumnType, ...] = ()

    def __len__(self) -> int:
        """The number of rows to be written."""
        return len(self.rows)

    @property
    def row_count(self) -> int:
        """The number of rows of the source: those to be written and those that failed conversion."""
        return len(self.rows) + len(self.rejects)

    def records(self, start: int = 0, stop: int | None = None) -> Iterator[Sequence[Cell]]:
        """Rows ``start`` to ``stop`` (exclusive), with their cells in the order of the target columns."""
        if not self.columns:
            return repeat((), (len(self) if stop is None else stop) - start)
        if start == 0 and (stop is None or stop == len(self)):
            columns = self.columns
        else:
            columns = tuple(column.slice(start, len(self) if stop is None else stop) for column in self.columns)
        store = common_store(columns)
        records = None if store is None else store.records(columns)
        return zip(*(column.values() for column in columns), strict=True) if records is None else iter(records)
