"""The virtual table ``tui_importer_rows``, through which SQLite reads encoded rows without a Python object for a cell.

A compiled reader can bring it (:attr:`tui_importer.plugins.specs.ReaderSpec.backend_setup`); SQLite itself has none.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.column import common_store
from tui_importer.core.model.encoded import EncodedBatch
from tui_importer.core.model.types import Kind

#: The encoding. Each piece begins with the number of columns as two bytes, followed by whole rows. A cell is one byte
#: and what belongs to it: 0 for NULL; 1 and an integer or 2 and a float in eight bytes; 3 and a text in UTF-8, after
#: its length in four bytes; all little-endian. Dates, times and decimals are texts as Python writes them, time spans as
#: hours, minutes and seconds.
FORMAT = "sqlite-rows"

#: Selects the columns of a piece, which is its only parameter. ``WHERE`` ends the FROM clause before an ON CONFLICT
#: (SQLite documentation, "UPSERT", 2.1).
_SELECTION = "SELECT {columns} FROM tui_importer_rows(?) WHERE true"

#: Fails on a connection that does not know the virtual table.
PROBE = (_SELECTION.format(columns="c0"), (b"\0\0",))

#: The classes of the cells that are encoded as they would be bound, by the type of their column.
_EXACT: dict[Kind, frozenset[type]] = {
    Kind.NUMERIC: frozenset({Decimal}),
    Kind.DATE: frozenset({date}),
    Kind.TIME: frozenset({time}),
    Kind.TIMESTAMP: frozenset({datetime}),
    Kind.INTERVAL: frozenset({timedelta}),
}
_PLAIN = frozenset[type]({str, int, float, bool})


def selection(columns: int) -> str:
    """The query for so many columns of a piece."""
    return _SELECTION.format(columns=", ".join(f"c{number}" for number in range(columns)))


def encoded_rows(batch: Batch) -> EncodedBatch | None:
    """The rows for the virtual table; None if their columns cannot be encoded together."""
    store = common_store(batch.columns)
    if store is None or len(batch.types) != len(batch.columns):
        return None
    for column, type_ in zip(batch.columns, batch.types, strict=True):
        if not column.kinds <= _EXACT.get(type_.kind, _PLAIN):
            return None
    return store.encode(batch.columns, FORMAT)


def pieces(batch: Batch, start: int, stop: int) -> Iterable[bytes] | None:
    """The rows from ``start`` to ``stop`` (exclusive), if the batch was encoded.

    A single row is bound as values, so that its error is that of an INSERT with values.
    """
    encoded = batch.encoded
    if encoded is None or encoded.format != FORMAT or stop - start == 1:
        return None
    return encoded.chunks(start, stop)
