"""A clean batch needs no Python value of any cell: columns that refuse to give any go all the way into the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import pack
from typing import TYPE_CHECKING, Any

import pytest

from tui_importer.backends.postgresql.backend import PostgreSQL
from tui_importer.backends.postgresql.copy_text import COPY_BINARY, COPY_TEXT
from tui_importer.core.conversion.convert import Conversion
from tui_importer.core.conversion.mapping import ColumnMapping, MappedColumn, fitted, trimmed, without_blank_rows
from tui_importer.core.model.batch import Block
from tui_importer.core.model.cells import Cell
from tui_importer.core.model.column import Column
from tui_importer.core.model.encoded import EncodedBatch
from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.model.types import INTEGER, TEXT, ColumnType, Kind
from tui_importer.core.writing.backend import ConnectionSettings, Destination
from tui_importer.core.writing.encoding import encoded
from tui_importer.core.writing.loaded import Loaded

if TYPE_CHECKING:
    from tests.conftest import Database


class OpaqueColumn:
    """A column that knows its facts and refuses to make Python values of its cells."""

    def __init__(self, store: OpaqueStore, texts: Sequence[str], kind: type) -> None:
        self.store = store
        self.texts = texts
        self.kinds = frozenset({kind})
        self.blanks = 0
        self.longest = max(map(len, texts)) if kind is str else 0
        self.has_nul = False
        self.integral = True
        self.blank_mask = bytes(len(texts))

    def __len__(self) -> int:
        return len(self.texts)

    def extremes(self, kind: type) -> tuple[Any, Any] | None:
        return (min(self.texts), max(self.texts)) if kind in self.kinds else None

    def cast(self, type_: ColumnType) -> Column | None:
        fits = type_.kind is Kind.TEXT if str in self.kinds else type_.kind is Kind.INTEGER
        return self if fits else None

    def slice(self, start: int, stop: int) -> OpaqueColumn:
        (kind,) = self.kinds
        return OpaqueColumn(self.store, self.texts[start:stop], kind)

    def keep(self, selected: Sequence[bool]) -> OpaqueColumn:
        raise AssertionError("no row of a clean batch is dropped")

    def values(self) -> Sequence[Cell]:
        raise AssertionError("a clean batch needs no Python values")

    def take(self, rows: Sequence[int]) -> Sequence[Cell]:
        raise AssertionError("a clean batch needs no Python values")


class OpaqueStore:
    """Encodes such columns for PostgreSQL in one format or both."""

    def __init__(self, *, binary: bool) -> None:
        self.binary = binary

    def records(self, columns: Sequence[Column]) -> Iterable[Sequence[Cell]] | None:
        raise AssertionError("a clean batch needs no Python values")

    def encode(self, columns: Sequence[Column], format_: str) -> EncodedBatch | None:
        opaque = [column for column in columns if isinstance(column, OpaqueColumn)]
        if format_ == COPY_TEXT:
            return OpaqueRows(opaque, format_)
        return OpaqueRows(opaque, format_) if self.binary and format_ == COPY_BINARY + "text,int8" else None


class OpaqueRows:
    """Encodes row ranges when it is asked for them, and keeps which."""

    def __init__(self, columns: Sequence[OpaqueColumn], format_: str) -> None:
        self.columns = columns
        self.format = format_
        self.asked: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self.columns[0])

    def chunks(self, start: int, stop: int) -> Iterable[bytes]:
        self.asked.append((start, stop))
        for row in range(start, stop):
            if self.format != COPY_TEXT:
                name, number = (column.texts[row] for column in self.columns)
                yield pack(f">hi{len(name)}siq", 2, len(name), name.encode(), 8, int(number))
                continue
            yield "\x1f".join(column.texts[row] for column in self.columns).encode() + b"\n"


def opaque_block(*, binary: bool) -> Block:
    store = OpaqueStore(binary=binary)
    names = OpaqueColumn(store, [f"n{row}" for row in range(100)], str)
    numbers = OpaqueColumn(store, [str(row) for row in range(100)], int)
    return Block(first_row=2, columns=(names, numbers), first_column=0)


@pytest.fixture
def mapping() -> ColumnMapping:
    table = Table("t", (TableColumn("name", TEXT), TableColumn("number", INTEGER)))
    columns = (
        MappedColumn("Name", 0, "name", Conversion(TEXT)),
        MappedColumn("Number", 1, "number", Conversion(INTEGER)),
    )
    return ColumnMapping("S", 0, ("Name", "Number"), columns, table)


@pytest.mark.parametrize("binary", [False, True])
def test_clean_opaque_batch_is_loaded_without_python_values(
    postgres: Database, mapping: ColumnMapping, *, binary: bool
) -> None:
    postgres.execute("CREATE TABLE t (name text, number bigint CHECK (number <> 17))")
    block, rows = without_blank_rows(trimmed(opaque_block(binary=binary), 0, 2))
    backend = PostgreSQL(ConnectionSettings(postgres.url, "test", 10))
    backend.connect()
    try:
        batch = encoded(mapping.batch(1, fitted(block, 0, 2), rows), backend, "postgresql")
        assert isinstance(batch.encoded, OpaqueRows)
        assert batch.encoded.format == (COPY_BINARY + "text,int8" if binary else COPY_TEXT)
        assert batch.encoded.asked == []  # nothing is encoded before it is loaded
        session = backend.open_session(Destination(mapping.table, ("name", "number"), (TEXT, INTEGER)))
        session.begin()
        assert session.load(batch, 18, 100) == Loaded(82)
        session.commit()
        # What isolation does with the row that the table refuses needs no values either.
        session.begin()
        isolated = session.isolate(batch, 0, 18)
        assert isolated is not None
        assert [row for row, _ in isolated.refused] == [17]
        session.rollback()
        session.close()
    finally:
        backend.close()
    assert batch.encoded.asked[0] == (18, 100)
    assert postgres.fetch("SELECT count(*), min(number), max(name) FROM t") == [(82, 18, "n99")]
