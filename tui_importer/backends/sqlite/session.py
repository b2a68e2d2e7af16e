"""The sessions of SQLite: autocommit mode, so that we open and end the transactions. aiosqlite has the methods of
sqlite3 and runs them in a thread of its own, so it is not faster, only asynchronous."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import aiosqlite
from sqlalchemy.dialects.sqlite import pysqlite as sqlite_dialect

from tui_importer.backends.sql.dialects import SQLiteDialect
from tui_importer.backends.sql.ledger_tables import LedgerStatements, WorkerStatements, text_for, worker_statements
from tui_importer.backends.sql.session import (
    RELEASE,
    ROLLBACK_TO,
    SAVEPOINT,
    AsyncSqlSession,
    SessionOperations,
    SqlSession,
)
from tui_importer.backends.sqlite.errors import STATEMENT_ERRORS, errors_of_rows
from tui_importer.backends.sqlite.isolation import PendingRows
from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.types import Kind
from tui_importer.core.writing.backend import Destination, IsolatedRows
from tui_importer.core.writing.defaults import PartStatements
from tui_importer.core.writing.ledger import Entry
from tui_importer.core.writing.loaded import Loaded
from tui_importer.core.writing.operation import Operation
from tui_importer.errors import DataFault, TransientFault

#: Seconds that a batch waits for another process's write lock before it fails and is retried.
BUSY_TIMEOUT = 5.0

#: Opens a write transaction.
BEGIN = "BEGIN IMMEDIATE"

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


def open_async_session(connection: aiosqlite.Connection, destination: Destination) -> AsyncSqlSession:
    """The session of a connection for asyncio, in the running loop."""
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        asyncio.run_coroutine_threadsafe(connection.interrupt(), loop)

    return AsyncSqlSession(SQLiteOperations(connection, destination, interrupt))


class Statements:
    """The statement that writes rows into the columns of a destination."""

    def __init__(self, destination: Destination) -> None:
        preparer = _DIALECT.identifier_preparer
        columns = ", ".join(map(preparer.quote_identifier, destination.columns))
        places = ", ".join("?" * len(destination.columns))
        table = preparer.quote_identifier(destination.table.name)
        row = f"({columns}) VALUES ({places})" if destination.columns else "DEFAULT VALUES"
        self.insert = f"INSERT INTO {table} {row}"
        self._bindings = [_BINDINGS.get(type_.kind) for type_ in destination.types]

    def records(self, batch: Batch, start: int, stop: int) -> list[Sequence[Any]]:
        """The rows as values that SQLite can bind."""
        if not any(self._bindings):
            return list(batch.records(start, stop))
        columns: list[Sequence[Any]] = []
        for column, bind in zip(batch.columns, self._bindings, strict=True):
            cells = column.values()[start:stop]
            columns.append([None if cell is None else bind(cell) for cell in cells] if bind else cells)
        return list(zip(*columns, strict=True))


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
        ledger = None if claim is None else LedgerStatements(claim, _ledger_statements())
        super().__init__(connection, PartStatements(destination, Statements), ledger, STATEMENT_ERRORS, interrupt)
        self._cancelled = False

    def begin(self) -> Operation[None]:
        deadline = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                yield from self._execute(BEGIN)
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

    def isolate(self, batch: Batch, start: int, stop: int) -> Operation[IsolatedRows]:
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

    def _pending_rows(self, batch: Batch, start: int, stop: int) -> PendingRows:
        """Rows ``start`` to ``stop`` (exclusive), each without the columns whose default it takes."""
        parts = self._parts
        records = parts.whole.records(batch, start, stop)
        statements = [parts.whole.insert] * len(records)
        for offset, omitted in enumerate(parts.omitted(batch, start, stop) or ()):
            if omitted:
                statements[offset] = parts.without(omitted).insert
                records[offset] = [value for place, value in enumerate(records[offset]) if place not in omitted]
        return PendingRows(self._connection, records, statements, start)

    def _write(self, statements: Statements, batch: Batch, start: int, stop: int) -> Operation[Loaded]:
        records = statements.records(batch, start, stop)
        pending = iter(records)
        with errors_of_rows(records, pending):
            cursor = yield self._connection.executemany(statements.insert, pending)
        return Loaded.reported(len(records), cursor.rowcount)

    def _write_rejects(self, ledger: LedgerStatements[str], entry: Entry) -> Operation[None]:
        with self._errors:
            yield self._connection.executemany(ledger.reject, ledger.rejects(entry))


_DIALECT = sqlite_dialect.dialect(paramstyle="named")


@cache
def _ledger_statements() -> WorkerStatements[str]:
    return worker_statements(None, SQLiteDialect(), text_for(_DIALECT))
