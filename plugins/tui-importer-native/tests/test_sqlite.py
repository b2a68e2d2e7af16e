"""SQLite reads encoded rows as if their values had been bound, and without a Python object of any cell."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_imports import TYPES
from tui_importer_native import _native, sqlite
from tui_importer_native._native import STORE, Column

from tui_importer import Cell, ColumnType, ListColumn
from tui_importer.backends.sqlite.rows_table import FORMAT, PROBE, encoded_rows, selection
from tui_importer.backends.sqlite.session import Statements
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.writing.backend import Destination


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A connection that knows the virtual table."""
    sqlite.register_rows_table()
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        opened.execute(*PROBE)
        yield opened


@pytest.mark.parametrize("name", TYPES)
def test_encoded_cells_are_stored_as_values_are(name: str, connection: sqlite3.Connection) -> None:
    declared, cells = TYPES[name]
    type_ = ColumnType.parse(name.split()[0])
    columns = (TableColumn("cell", type_), TableColumn("same", type_))
    statements = Statements(Destination(Table("bound", columns), ("cell", "same"), (type_, type_)))
    for each in ("bound", "encoded"):
        connection.execute(f"CREATE TABLE {each} (cell {declared}, same)")  # the other one as it comes

    @settings(max_examples=60, deadline=None)
    @given(column=st.lists(st.none() | cells, min_size=1, max_size=20))
    def check(column: Sequence[Cell]) -> None:
        cast = Column.from_cells(column).cast(type_)
        assert cast is not None
        if isinstance(cast, ListColumn):
            return  # left to Python
        rows = range(1, len(column) + 1)
        batch = Batch(1, "s", 1, len(column), rows, (cast, cast), (), types=(type_, type_))
        encoded = encoded_rows(batch)
        assert encoded is not None
        connection.execute("DELETE FROM bound")
        connection.execute("DELETE FROM encoded")
        connection.executemany(statements.insert.values, statements.records(batch, 0, len(batch)))
        for piece in encoded.chunks(0, len(batch)):
            connection.execute(f"INSERT INTO encoded {selection(2)}", (piece,))
        stored = "SELECT rowid, typeof(cell), quote(cell), typeof(same), quote(same) FROM {}"
        assert connection.execute(stored.format("encoded")).fetchall() == (
            connection.execute(stored.format("bound")).fetchall()
        )

    check()


def test_any_part_of_the_rows_can_be_encoded(connection: sqlite3.Connection) -> None:
    numbers = Column.from_cells([float(number) for number in range(100_000)])
    texts = Column.from_cells([f"text {number}" for number in range(100_000)])
    encoded = STORE.encode([numbers, texts], FORMAT)
    assert encoded is not None
    pieces = list(encoded.chunks(10, 99_990))
    assert len(pieces) > 1
    rows = [row for piece in pieces for row in connection.execute(selection(2), (piece,))]
    assert rows == [(float(number), f"text {number}") for number in range(10, 99_990)]


def test_malformed_bytes_are_an_error(connection: sqlite3.Connection) -> None:
    encoded = STORE.encode([Column.from_cells(["a", None]), Column.from_cells([1.5, 2.5])], FORMAT)
    assert encoded is not None
    [piece] = encoded.chunks(0, 2)
    chosen = random.Random(1)
    for length in range(2, len(piece)):
        bad = bytearray(piece[:length])
        bad[chosen.randrange(length)] = chosen.randrange(256)
        for columns in (1, 2, 5):
            try:
                connection.execute(selection(columns), (bytes(bad),)).fetchall()
            except sqlite3.Error:
                continue
    for unusable in (b"", b"\1", b"\0\0\0", None, "text", 5):
        with pytest.raises(sqlite3.Error):
            connection.execute(selection(1), (unusable,)).fetchall()
    with pytest.raises(sqlite3.Error):
        connection.execute("SELECT c0 FROM tui_importer_rows").fetchall()
    assert connection.execute(selection(3), (piece,)).fetchall() == [("a", 1.5, None), (None, 2.5, None)]


def test_no_view_of_a_file_can_use_it(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE VIEW sly AS SELECT c0 FROM tui_importer_rows(x'0000')")
    with pytest.raises(sqlite3.Error, match="unsafe use of virtual table"):
        connection.execute("SELECT * FROM sly").fetchall()


def test_there_is_no_second_copy_of_sqlite() -> None:
    assert b"SQLite format 3" not in Path(_native.__file__).read_bytes()  # each copy writes it into its files
