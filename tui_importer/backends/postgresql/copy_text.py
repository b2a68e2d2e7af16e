"""Rows as COPY takes them: encoded chunks of text, or values in the binary format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg import sql

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.column import common_store
from tui_importer.core.model.encoded import EncodedBatch
from tui_importer.core.model.rows import RECORD_SEPARATOR, SEPARATED, UNIT_SEPARATOR
from tui_importer.core.model.types import ColumnType, Kind

#: Types whose binary format psycopg and COPY agree on; any other type makes the COPY a text one.
_BINARY_TYPES = {
    Kind.TEXT: "text",
    Kind.NUMERIC: "numeric",
    Kind.BOOLEAN: "bool",
    Kind.DATE: "date",
    Kind.TIME: "time",
    Kind.TIMESTAMP: "timestamp",
    Kind.INTERVAL: "interval",
}

#: The encoding of rows that :data:`TEXT_COPY_FORMAT` describes, in UTF-8.
COPY_TEXT = "postgresql-copy-text"

#: COPY options for encoded chunks: cells are separated by the delimiter, a blank is NULL, and rows end with a line feed
#: (manual, COPY).
TEXT_COPY_FORMAT = sql.SQL("(DELIMITER {}, NULL '')").format(sql.Literal(UNIT_SEPARATOR))


def encoded_for_copy(batch: Batch) -> EncodedBatch | None:
    """A batch of plain text for a text COPY, which is cheaper to produce than the binary format; None for any other."""
    store = common_store(batch.columns)
    if store is None:
        return None
    ready = store.encode(batch.columns, COPY_TEXT)
    if ready is not None:
        return ready
    rows = store.encode(batch.columns, SEPARATED)
    return None if rows is None else CopyText(rows)


class CopyText:
    """Converts rows in the encoding :data:`SEPARATED` into the encoding :data:`COPY_TEXT`."""

    format = COPY_TEXT

    def __init__(self, rows: EncodedBatch) -> None:
        self._rows = rows
        self._whole = list(map(_escaped, rows.chunks(0, len(rows))))

    def __len__(self) -> int:
        return len(self._rows)

    def chunks(self, start: int, stop: int) -> Iterable[bytes]:
        whole = start == 0 and stop == len(self)
        return self._whole if whole else map(_escaped, self._rows.chunks(start, stop))


def binary_types(types: Sequence[ColumnType]) -> list[str]:
    """psycopg's names of the columns' types; empty if one of them must be sent as text."""
    names = []
    for type_ in types:
        match type_.kind:
            case Kind.INTEGER:
                names.append(f"int{type_.bits // 8}")
            case Kind.FLOAT:
                names.append(f"float{type_.bits // 8}")
            case Kind.TIMESTAMP if type_.timezone:
                return []  # a time without a zone would depend on the server's TimeZone
            case kind if kind in _BINARY_TYPES:
                names.append(_BINARY_TYPES[kind])
            case _:
                return []
    return names


def has_literals(batch: Batch, types: Sequence[ColumnType]) -> bool:
    """Whether a batch has texts for values that only the server can parse."""
    return any(type_.literals and str in column.kinds for column, type_ in zip(batch.columns, types, strict=True))


def text_chunks(batch: Batch, start: int, stop: int) -> Iterable[bytes] | None:
    """The rows in COPY text format, if the batch was encoded in it.

    A single row is sent as values: only then does the server name the column of a text that it cannot convert.
    """
    encoded = batch.encoded
    if encoded is None or encoded.format != COPY_TEXT or stop - start == 1:
        return None
    return encoded.chunks(start, stop)


def _escaped(chunk: bytes) -> bytes:
    """Convert a chunk of rows to COPY text format. Searching for bytes that do not occur costs next to nothing."""
    for byte, escape in ((b"\\", rb"\\"), (b"\n", rb"\n"), (b"\r", rb"\r")):
        if byte in chunk:
            chunk = chunk.replace(byte, escape)
    return chunk.replace(RECORD_SEPARATOR.encode(), b"\n") + b"\n"
