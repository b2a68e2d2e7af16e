"""Encoded rows for SQLite: which batches are encoded, and what becomes of them where nothing reads the encoding."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from decimal import Decimal

import pytest

from tui_importer import Cell, Column, ColumnType, EncodedBatch, ListColumn
from tui_importer.backends.sqlite.rows_table import FORMAT, encoded_rows, pieces
from tui_importer.backends.sqlite.session import open_session
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.writing.backend import Destination


class Rows:
    """Encoded rows, which nothing on this machine can read."""

    format = FORMAT

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def chunks(self, start: int, stop: int) -> Iterable[bytes]:
        return [f"{start} to {stop}".encode()]


class Store:
    """Encodes any columns."""

    def records(self, columns: Sequence[Column]) -> None:
        return None

    def encode(self, columns: Sequence[Column], format_: str) -> EncodedBatch | None:
        return Rows(len(columns[0])) if format_ == FORMAT else None


STORE = Store()


class StoredColumn(ListColumn):
    """A column of that store."""

    store = STORE


def batch(*columns: tuple[str, Sequence[Cell]]) -> Batch:
    count = len(columns[0][1])
    stored = tuple(StoredColumn(cells) for _, cells in columns)
    types = tuple(ColumnType.parse(type_) for type_, _ in columns)
    return Batch(1, "Sheet1", 2, count + 1, range(2, count + 2), stored, stored, types=types)


NOON = dt.datetime(2026, 1, 2, 12)


@pytest.mark.parametrize(
    ("type_", "cells", "encoded"),
    [
        ("text", ["a", None], True),
        ("integer", [1, 2], True),
        ("float", [0.5, 2.0], True),
        ("boolean", [True, None], True),
        ("numeric", [Decimal("1.50")], True),
        ("numeric", [1.5], False),  # bound as the text '1.5'
        ("date", [NOON.date()], True),
        ("date", [NOON], False),
        ("timestamp", [NOON], True),
        ("time", [NOON.time()], True),
        ("interval", [dt.timedelta(1)], True),
        ("text", [NOON], False),
        ("text", ["a", Decimal(1)], False),
    ],
)
def test_only_cells_that_are_encoded_as_they_would_be_bound(type_: str, cells: list[Cell], encoded: bool) -> None:
    both = batch(("text", ["x"] * len(cells)), (type_, cells))
    assert (encoded_rows(both) is not None) == encoded


def test_batches_of_unknown_types_are_not_encoded() -> None:
    known = batch(("text", ["a"]))
    assert encoded_rows(Batch(1, "s", 2, 2, [2], known.columns, ())) is None
    assert encoded_rows(Batch(1, "s", 2, 2, [2], (ListColumn(["a"]),), (), types=known.types)) is None


def test_single_rows_are_bound_as_values() -> None:
    one = batch(("text", ["a", "b", "c"]))
    encoded = Batch(1, "s", 2, 4, [2, 3, 4], one.columns, (), encoded=encoded_rows(one), types=one.types)
    assert pieces(encoded, 0, 3) == [b"0 to 3"]
    assert pieces(encoded, 1, 2) is None


def test_rows_are_bound_as_values_where_nothing_reads_the_encoding() -> None:
    plain = batch(("text", ["a", "b", None]), ("integer", [1, None, 3]))
    encoded = Batch(1, "s", 2, 4, [2, 3, 4], plain.columns, (), encoded=encoded_rows(plain), types=plain.types)
    table = Table("t", tuple(TableColumn(name, type_) for name, type_ in zip("xy", plain.types, strict=True)))
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x TEXT, y INTEGER)")
        # A table of that name is not the virtual one.
        connection.execute("CREATE TABLE tui_importer_rows (c0, c1, rows)")
        session = open_session(connection, Destination(table, ("x", "y"), plain.types))
        for _ in range(2):
            session.begin()
            assert session.load(encoded, 0, 3).inserted == 3
            session.commit()
        rows = [("a", 1), ("b", None), (None, 3)]
        assert connection.execute("SELECT x, y FROM t").fetchall() == rows * 2
