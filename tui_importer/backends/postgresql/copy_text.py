"""Rows as COPY takes them: encoded chunks of text or of the binary format, or values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from psycopg import sql

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.column import ColumnStore, common_store
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


#: The encoding of rows in the binary format, without its header and trailer; the names of the columns' types follow,
#: separated by commas (manual, COPY, "Binary Format").
COPY_BINARY = "postgresql-copy-binary:"

#: What precedes and follows the rows in the binary format: signature, flags and an empty extension; a row of no length.
_BINARY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_BINARY_TRAILER = b"\xff\xff"


def encoded_for_copy(batch: Batch) -> EncodedBatch | None:
    """The rows in the binary format if some column is not text, so that the server need not parse its values, else as
    plain text, which is shorter; None if their columns cannot be encoded together."""
    store = common_store(batch.columns)
    if store is None:
        return None
    names = binary_types(batch.types)
    if any(name != "text" for name in names):
        ready = store.encode(batch.columns, COPY_BINARY + ",".join(names))
        if ready is not None:
            return ready
    return _encoded_text(store, batch)


def _encoded_text(store: ColumnStore, batch: Batch) -> EncodedBatch | None:
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
    if encoded is None or stop - start == 1:
        return None
    return encoded.chunks(start, stop) if encoded.format == COPY_TEXT else None


def binary_chunks(batch: Batch, start: int, stop: int) -> Iterable[bytes] | None:
    """The rows in the binary format, if the batch was encoded in it; a single row is sent as values here, too."""
    encoded = batch.encoded
    if encoded is None or not encoded.format.startswith(COPY_BINARY) or stop - start == 1:
        return None
    return chain((_BINARY_HEADER,), encoded.chunks(start, stop), (_BINARY_TRAILER,))


def all_text_chunks(batch: Batch) -> Iterable[bytes] | None:
    """All rows in COPY text format, also those of a batch that was encoded in the binary format."""
    if batch.encoded is not None and batch.encoded.format.startswith(COPY_BINARY) and len(batch) > 1:
        store = common_store(batch.columns)
        encoded = None if store is None else _encoded_text(store, batch)
        return None if encoded is None else encoded.chunks(0, len(batch))
    return text_chunks(batch, 0, len(batch))


def _escaped(chunk: bytes) -> bytes:
    """Convert a chunk of rows to COPY text format. Searching for bytes that do not occur costs next to nothing."""
    for byte, escape in ((b"\\", rb"\\"), (b"\n", rb"\n"), (b"\r", rb"\r")):
        if byte in chunk:
            chunk = chunk.replace(byte, escape)
    return chunk.replace(RECORD_SEPARATOR.encode(), b"\n") + b"\n"
