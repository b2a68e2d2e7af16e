"""Verification that a table holds what was imported: order-independent checksums of each column of source and table.

A column's checksum is the sum of the digests of its cells, so the order of the rows does not matter, and the checksum
of the rows added to a table is the difference of two checksums.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from decimal import Context, Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from tui_importer.core.conversion.intervals import calendar_interval
from tui_importer.core.conversion.mapping import ColumnMapping
from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.model.completed_rows import CompletedRows, Interval
from tui_importer.core.model.counters import ReaderCounters
from tui_importer.core.model.report import Verification
from tui_importer.core.model.types import ColumnType, Kind
from tui_importer.core.source.open_source import OpenSource
from tui_importer.core.writing.catalog import Catalog
from tui_importer.core.writing.defaults import default_places
from tui_importer.errors import VerificationError

#: Bytes of a digest. Sums are taken modulo 2 ** (8 * _SIZE).
_SIZE = 16
_MODULUS = 1 << (8 * _SIZE)
_EXACT = Context(prec=20_000)  # more digits than PostgreSQL's numeric has
_BLANK = int.from_bytes(blake2b(b"blank", digest_size=_SIZE, person=b"tui_importer").digest())


def of_source(source: OpenSource, mapping: ColumnMapping, rejected: Iterable[int], rows: int) -> Checksums:
    """The checksums of the source, which is read once more, without the ``rejected`` sheet rows."""
    checksums = Checksums([column.conversion.type for column in mapping.columns])
    completed: Future[CompletedRows] = Future()
    completed.set_result(CompletedRows(Interval(row, row) for row in rejected))
    defaults = default_places(mapping.table, [column.target for column in mapping.columns])
    for batch in source.batches(mapping, rows, ReaderCounters(), lambda message: None, completed):
        checksums.add(column.values() for column in batch.columns[: len(mapping.columns)])
        checksums.defaulted.update(place for place in defaults if batch.columns[place].blanks)
    return checksums


def of_table(catalog: Catalog, mapping: ColumnMapping, rows: int) -> Checksums:
    """The checksums of the imported columns of the table."""
    checksums = Checksums([column.conversion.type for column in mapping.columns])
    for records in catalog.read(mapping.table, [column.target for column in mapping.columns], rows):
        checksums.add(zip(*records, strict=True))
    return checksums


def compare(source: Checksums, table: Checksums, mapping: ColumnMapping) -> Verification:
    """Compare the checksums; raises :class:`VerificationError` naming the columns that differ."""
    name = mapping.table.qualified_name
    if source.rows != table.rows:
        raise VerificationError(f"table {name!r} has got {table.rows:,} rows, the source has {source.rows:,} for it")
    wrong = [
        column.target
        for place, (column, expected, found) in enumerate(zip(mapping.columns, source.sums, table.sums, strict=True))
        if expected != found and place not in source.defaulted
    ]
    if wrong:
        names = ", ".join(map(repr, wrong))
        raise VerificationError(f"table {name!r} does not hold what the source does in {names}")
    compared = [fits and place not in source.defaulted for place, fits in enumerate(source.compared)]
    others = tuple(column.target for column, done in zip(mapping.columns, compared, strict=True) if not done)
    return Verification(rows=source.rows, columns=sum(compared), not_compared=others)


class Checksums:
    """Checksums of columns of the given types, and the number of rows added.

    A column has no checksum if a database may return its values in another form than it was sent. ``defaulted`` has the
    indexes of the columns in which blanks of the source took the table's default, whose value is unknown here.
    """

    def __init__(self, types: Sequence[ColumnType]) -> None:
        self.rows = 0
        self.defaulted: set[int] = set()
        self.sums = [0] * len(types)
        self._normalizers = [comparable(type_) for type_ in types]

    @property
    def compared(self) -> list[bool]:
        """Whether each column has a checksum."""
        return [normalizer is not None for normalizer in self._normalizers]

    def add(self, columns: Iterable[Sequence[Any]]) -> None:
        """Add rows, given as columns."""
        rows = 0
        for place, (normalizer, cells) in enumerate(zip(self._normalizers, columns, strict=True)):
            rows = len(cells)
            if normalizer is not None:
                self.sums[place] = (self.sums[place] + sum(_digest(normalizer, cell) for cell in cells)) % _MODULUS
        self.rows += rows

    def since(self, before: str | None) -> Checksums:
        """The checksums of the rows added since ``before`` was taken (None: of all rows)."""
        result = Checksums(())
        result._normalizers, result.rows, result.sums = self._normalizers, self.rows, list(self.sums)
        if before is not None:
            rows, sums = msgspec.json.decode(before, type=tuple[int, list[str]])
            result.rows -= rows
            result.sums = [(now - int(then, 16)) % _MODULUS for now, then in zip(self.sums, sums, strict=True)]
        return result

    def to_json(self) -> str:
        """The checksums as JSON text, for :meth:`since`."""
        return msgspec.json.encode((self.rows, [f"{number:x}" for number in self.sums])).decode()


def _digest(normalizer: Callable[[Any], object], cell: Any) -> int:
    if cell is None:
        return _BLANK
    text = str(normalizer(cell)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=_SIZE).digest())


def comparable(type_: ColumnType) -> Callable[[Any], object] | None:
    """A function that maps a cell and the value that the database returns for it to the same result; None if none."""
    if type_.timezone:
        return None  # returned in the time zone of the session
    if type_.kind is Kind.FLOAT and type_.bits == 32:
        return lambda value: struct.pack("f", float(value))
    return _NORMALIZERS.get(type_.kind)


def _number(value: Any) -> Decimal:
    number = Decimal(str(value))
    if not number.is_finite():
        return number
    return number.normalize(_EXACT) if number else Decimal(0)


def _moment(value: Any) -> str:
    """ISO 8601 without trailing zeros after the decimal point, whose number differs between databases."""
    text = str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _duration(value: Any) -> object:
    if isinstance(value, dt.timedelta):
        return as_text(value)
    return calendar_interval(str(value)) or value


_NORMALIZERS: dict[Kind, Callable[[Any], object]] = {
    Kind.TEXT: str,
    Kind.INTEGER: int,
    Kind.NUMERIC: _number,
    Kind.FLOAT: float,
    Kind.BOOLEAN: bool,
    Kind.DATE: str,
    Kind.TIME: _moment,
    Kind.TIMESTAMP: _moment,
    Kind.INTERVAL: _duration,
}
