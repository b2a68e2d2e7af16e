"""The sessions of SQLite: autocommit mode, so that we open and end the transactions."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tui_importer.backends.sql.dialects import SQLiteDialect
from tui_importer.backends.sql.ledger_tables import LedgerStatements, WorkerStatements, worker_statements
from tui_importer.backends.sql.session import (
    RELEASE,
    ROLLBACK_TO,
    SAVEPOINT,
    SessionOperations,
    SqlSession,
)
from tui_importer.backends.sqlite.errors import STATEMENT_ERRORS, errors_of_rows
from tui_importer.backends.sqlite.isolation import PendingRows, check_only_row_undone
from tui_importer.backends.sqlite.rows_table import PROBE, pieces, selection
from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.types import Kind
from tui_importer.core.model.write_mode import OnConflict
from tui_importer.core.writing.backend import Destination, IsolatedRows
from tui_importer.core.writing.defaults import PartStatements
from tui_importer.core.writing.loaded import NOTHING_LOADED, Loaded
from tui_importer.core.writing.operation import Operation
from tui_importer.errors import DataFault, TransientFault

if TYPE_CHECKING:
    import aiosqlite

#: Seconds that a batch waits for another process's write lock before it fails and is retried.
BUSY_TIMEOUT = 5.0

#: How values of types that SQLite lacks are bound (SQLite documentation, "Datatypes In SQLite"): dates and times as ISO
#: 8601 text, exact numbers as text that a NUMERIC column converts if nothing is lost.
_BINDINGS: dict[Kind, Callable[[Any], Any]] = {
    Kind.NUMERIC: str,
    Kind.DATE: str,
    Kind.TIME: str,
    Kind.TIMESTAMP: str,
    Kind.INTERVAL: as_text,
}


def open_session(connection: sqlite3.Connection, destination: Destination) -> SqlSession:
    """The session of a connection."""

    def interrupt() -> None:
        with suppress(sqlite3.ProgrammingError):  # already closed
            connection.interrupt()

    return SqlSession(SQLiteOperations(connection, destination, interrupt))


class Statement(NamedTuple):
    """A statement that inserts or updates rows: one whose values are its parameters, or all those of a piece of encoded
    rows."""

    values: str
    encoded: str


class Statements:
    """The statements that write rows into the columns of a destination.

    ``insert`` leaves out a row whose key is there already unless that is an error; ``update`` then updates the row that
    is there, if rows are updated at all and anything changes.
    """

    def __init__(self, destination: Destination) -> None:
        mode, quote = destination.mode, DIALECT.quote
        table, names = quote(destination.table.name), [quote(name) for name in destination.columns]
        places = ", ".join("?" * len(names))
        sources = Statement(
            f"({', '.join(names)}) VALUES ({places})" if names else "DEFAULT VALUES",
            f"({', '.join(names)}) {selection(len(names))}",
        )

        def statement(on_conflict: str) -> Statement:
            return Statement(*(f"INSERT INTO {table} {source}{on_conflict}" for source in sources))

        self.insert = statement("")
        self.update: Statement | None = None
        if mode.order_matters:
            key = f"({', '.join(map(quote, mode.key))})" if mode.key else ""
            changed = [name for name in mode.update or destination.columns if name not in mode.key]
            changed = [quote(name) for name in changed if name in destination.columns]
            if mode.on_conflict is OnConflict.UPDATE and changed:
                values = ", ".join(f"{name} = excluded.{name}" for name in changed)
                differs = " OR ".join(f"{table}.{name} IS NOT excluded.{name}" for name in changed)
                self.update = statement(f" ON CONFLICT {key} DO UPDATE SET {values} WHERE {differs}")
            self.insert = statement(f" ON CONFLICT {key} DO NOTHING")
        self._bindings = [_BINDINGS.get(type_.kind) for type_ in destination.types]

    def records(self, batch: Batch, start: int, stop: int) -> Iterator[Sequence[Any]]:
        """The rows as values that SQLite can bind."""
        if not any(self._bindings):
            return batch.records(start, stop)
        columns: list[Sequence[Any]] = []
        for column, bind in zip(batch.columns, self._bindings, strict=True):
            cells = column.values()[start:stop]
            columns.append([None if cell is None else bind(cell) for cell in cells] if bind else cells)
        return zip(*columns, strict=True)


class SQLiteOperations(SessionOperations[Statements]):
    """The operations of a session."""

    isolates = True

    def __init__(
        self,
        connection: sqlite3.Connection | aiosqlite.Connection,
        destination: Destination,
        interrupt: Callable[[], object],
    ) -> None:
        claim = destination.claim
        ledger = None if claim is None else LedgerStatements(claim, compiled_ledger())
        super().__init__(connection, PartStatements(destination, Statements), ledger, STATEMENT_ERRORS, interrupt)
        self._ordered = destination.mode.order_matters
        self._cancelled = False
        self._rows_table: bool | None = None  # not known yet

    def begin(self) -> Operation[None]:
        deadline = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                yield from self._execute(DIALECT.begin)
            except TransientFault:
                if self._cancelled or time.monotonic() > deadline:
                    raise
            else:
                return

    def rollback(self) -> Operation[None]:
        if self._connection.in_transaction:
            yield from super().rollback()

    def savepoint(self) -> Operation[None]:
        yield from self._execute(SAVEPOINT)

    def release(self) -> Operation[None]:
        yield from self._execute(RELEASE)

    def rollback_to_savepoint(self) -> Operation[None]:
        yield from self._execute(ROLLBACK_TO)
        yield from self._execute(RELEASE)

    def load(self, batch: Batch, start: int, stop: int) -> Operation[Loaded]:
        if not self._ordered or self._parts.omitted(batch, start, stop) is None:
            return (yield from super().load(batch, start, stop))
        # Rows that omit different columns have different statements, but their order matters.
        loaded = NOTHING_LOADED
        for offset, (statements, record) in enumerate(self._rows(batch, start, stop)):
            try:
                loaded += yield from self._write_row(statements, record)
            except DataFault as fault:
                fault.offset = offset
                raise
        return loaded

    def isolate(self, batch: Batch, start: int, stop: int) -> Operation[IsolatedRows]:
        if self._ordered:
            return (yield from self._isolate_rows(batch, start, stop))
        rows = self._pending_rows(batch, start, stop)
        cursor = yield self._connection.cursor()
        try:
            while rows:
                try:
                    with self._errors:
                        yield cursor.executemany(rows.statement, rows.through(cursor))
                except DataFault as fault:
                    rows.refuse(fault)
        finally:
            # Closed here: the faults keep this frame alive, and whoever frees a cursor resets its statement, which the
            # next one shares, even if that is another thread's garbage collection.
            yield cursor.close()
        return rows.isolated()

    def cancel(self) -> None:
        self._cancelled = True
        super().cancel()

    def _rows(self, batch: Batch, start: int, stop: int) -> list[tuple[Statements, Sequence[Any]]]:
        """Rows ``start`` to ``stop`` (exclusive), each without the columns whose default it takes."""
        parts = self._parts
        rows = [(parts.whole, record) for record in parts.whole.records(batch, start, stop)]
        for offset, omitted in enumerate(parts.omitted(batch, start, stop) or ()):
            if omitted:
                kept = [value for place, value in enumerate(rows[offset][1]) if place not in omitted]
                rows[offset] = (parts.without(omitted), kept)
        return rows

    def _pending_rows(self, batch: Batch, start: int, stop: int) -> PendingRows:
        rows = self._rows(batch, start, stop)
        records, statements = [record for _, record in rows], [each.insert.values for each, _ in rows]
        return PendingRows(self._connection, records, statements, start)

    def _isolate_rows(self, batch: Batch, start: int, stop: int) -> Operation[IsolatedRows]:
        """Write row by row where a row whose key is there already is not an error."""
        loaded, refused = NOTHING_LOADED, list[tuple[int, DataFault]]()
        for row, (statements, record) in enumerate(self._rows(batch, start, stop), start):
            changes = self._connection.total_changes
            try:
                loaded += yield from self._write_row(statements, record)
            except DataFault as fault:
                check_only_row_undone(self._connection, changes, fault)
                refused.append((row, fault))
        return IsolatedRows(loaded, refused)

    def _write_row(self, statements: Statements, record: Sequence[Any]) -> Operation[Loaded]:
        cursor = yield from self._execute(statements.insert.values, record)
        if cursor.rowcount > 0:
            return Loaded(1)
        if statements.update is not None:
            cursor = yield from self._execute(statements.update.values, record)
            if cursor.rowcount > 0:
                return Loaded(0, updated=1)
        return Loaded(0, skipped=1)

    def _write(self, statements: Statements, batch: Batch, start: int, stop: int) -> Operation[Loaded]:
        inserted = yield from self._execute_many(statements.insert, statements, batch, start, stop)
        updated = 0
        if statements.update is not None and inserted < stop - start:
            # In the order of the sheet: a row that was just inserted changes nothing, later ones of its key may.
            updated = yield from self._execute_many(statements.update, statements, batch, start, stop)
        return Loaded(inserted, updated, stop - start - inserted - updated)

    def _execute_many(
        self, statement: Statement, statements: Statements, batch: Batch, start: int, stop: int
    ) -> Operation[int]:
        """Execute a statement for each row; returns how many rows it has inserted or updated."""
        encoded = pieces(batch, start, stop)
        if encoded is not None and (yield from self._has_rows_table()):
            changed = 0
            for piece in encoded:
                cursor = yield from self._execute(statement.encoded, (piece,))
                changed += cursor.rowcount
            return changed
        records = list(statements.records(batch, start, stop))
        untaken = iter(records)
        with errors_of_rows(len(records), untaken):
            cursor = yield self._connection.executemany(statement.values, untaken)
        return int(cursor.rowcount)

    def _has_rows_table(self) -> Operation[bool]:
        """Whether the connection knows the virtual table of encoded rows."""
        if self._rows_table is None:
            try:
                yield self._connection.execute(*PROBE)
            except sqlite3.OperationalError:
                self._rows_table = False
            else:
                self._rows_table = True
        return self._rows_table

    def _write_ledger(self, statement: str, parameters: Sequence[dict[str, Any]]) -> Operation[None]:
        with self._errors:
            yield self._connection.executemany(statement, parameters)


DIALECT = SQLiteDialect()


@cache
def compiled_ledger() -> WorkerStatements[str]:
    """The statements of the ledger in an SQLite file."""
    return worker_statements(None, DIALECT, str)
