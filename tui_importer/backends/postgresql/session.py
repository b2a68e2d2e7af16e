"""The sessions of PostgreSQL. psycopg opens a transaction with the first statement."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any

from psycopg import sql

from tui_importer.backends.postgresql.conflicts import row_outcome
from tui_importer.backends.postgresql.connections import (
    WatchedAsyncConnection,
    WatchedConnection,
    cancel,
    cancel_async,
)
from tui_importer.backends.postgresql.copy_text import all_text_chunks, binary_chunks, text_chunks
from tui_importer.backends.postgresql.errors import STATEMENT_ERRORS
from tui_importer.backends.postgresql.statements import Statements, ledger_statements, rejects_copy
from tui_importer.backends.sql.ledger_tables import UTF_8, LedgerStatements
from tui_importer.backends.sql.session import (
    RELEASE,
    ROLLBACK_TO,
    SAVEPOINT,
    AsyncSqlSession,
    SessionOperations,
    SqlSession,
)
from tui_importer.core.model.batch import Batch
from tui_importer.core.scheduling.stalls import WORKER
from tui_importer.core.writing.backend import Destination, IsolatedRows
from tui_importer.core.writing.defaults import PartStatements
from tui_importer.core.writing.ledger import Entry
from tui_importer.core.writing.loaded import NOTHING_LOADED, Loaded
from tui_importer.core.writing.operation import Operation
from tui_importer.errors import DataFault

#: Bytes that the socket should buffer for a server on the same machine: about a batch.
_SEND_BUFFER = 4 << 20

#: Deferred constraints would fail only at COMMIT, where no row can be named. One round trip for both.
_STRICT_SAVEPOINT = f"SET CONSTRAINTS ALL IMMEDIATE; {SAVEPOINT}"
_ROLLBACK_TO_AND_RELEASE = f"{ROLLBACK_TO}; {RELEASE}"

#: Sends encoded chunks, or records of these types, by a COPY statement; returns the number of rows inserted, plain or
#: awaitable.
Copy = Callable[
    [sql.Composed, Iterable[bytes], Iterable[Sequence[Any]], Sequence[str]],
    int | Awaitable[int],
]


def open_session(connection: WatchedConnection, destination: Destination) -> SqlSession:
    """The session of a connection."""
    if connection.link is not None:
        connection.link.worker = WORKER.get()  # the engine may have opened the connection for another worker
    interrupt = partial(cancel, connection)
    return SqlSession(PostgreSQLOperations(connection, destination, partial(_copy, connection), interrupt))


def open_async_session(connection: WatchedAsyncConnection, destination: Destination) -> AsyncSqlSession:
    """The session of a connection for asyncio, in the running loop."""
    interrupt = partial(cancel_async, connection, asyncio.get_running_loop())
    return AsyncSqlSession(PostgreSQLOperations(connection, destination, partial(_copy_async, connection), interrupt))


class PostgreSQLOperations(SessionOperations[Statements]):
    """The operations of a session."""

    isolates = True

    def __init__(
        self,
        connection: WatchedConnection | WatchedAsyncConnection,
        destination: Destination,
        copy: Copy,
        interrupt: Callable[[], object],
    ) -> None:
        claim = destination.claim
        ledger = None if claim is None else ledger_statements(claim, codec(connection))
        self._version = connection.info.server_version
        parts = PartStatements(destination, lambda part: Statements(part, self._version))
        super().__init__(connection, parts, ledger, STATEMENT_ERRORS, interrupt)
        self._copy = copy
        self._ledger_schema = None if claim is None else claim.schema
        enlarge_send_buffer(connection.fileno())

    @property
    def send_seconds(self) -> float:  # type: ignore[override]
        """Seconds spent in COPY before the end of the rows."""
        return float(self._connection.send_seconds)

    def begin(self) -> Operation[None]:
        yield from ()

    def savepoint(self) -> Operation[None]:
        yield from self._execute(_STRICT_SAVEPOINT)

    def release(self) -> Operation[None]:
        yield from self._execute(RELEASE)

    def rollback_to_savepoint(self) -> Operation[None]:
        yield from self._execute(_ROLLBACK_TO_AND_RELEASE)

    def load(self, batch: Batch, start: int, stop: int) -> Operation[Loaded]:
        conflict_load = self._parts.whole.conflict_load
        if conflict_load is None:
            return (yield from super().load(batch, start, stop))
        if self._parts.omitted(batch, start, stop) is None:
            copy = partial(self._copy_rows, self._parts.whole, batch, start, stop)
            loaded = yield from conflict_load.steps(self._fetch, copy, self._version)
            if loaded is not None:
                return loaded
        # The outcome depends on the rows' order, which one statement, or one for each set of columns, does not keep.
        isolated = yield from self.isolate(batch, start, stop)
        if isolated is not None:
            for row, fault in isolated.refused:
                fault.offset = row - start
                raise fault
            return isolated.loaded
        each = NOTHING_LOADED
        for row in range(start, stop):
            each += yield from self.insert(batch, row)
        return each

    def insert(self, batch: Batch, row: int) -> Operation[Loaded]:
        statement, record = self._row(batch, row)
        try:
            cursor = yield from self._execute(statement, record)
            if self._parts.whole.conflict_load is not None:
                with self._errors:
                    returned = yield cursor.fetchall()
                return row_outcome(1, returned)
        except DataFault as fault:
            if fault.column is None and fault.constraint is None:
                yield from self.rollback()
                yield from self._load_to_fail(batch, row, fault)
            raise
        return Loaded.reported(1, cursor.rowcount)

    def isolate(self, batch: Batch, start: int, stop: int) -> Operation[IsolatedRows | None]:
        isolation, version = self._parts.whole.isolation, self._version
        chunks = all_text_chunks(batch)
        omitted = self._parts.omitted(batch, start, stop) or [()]
        return (yield from isolation.steps(self._fetch, self._send, version, batch, chunks, start, stop, omitted))

    def _row(self, batch: Batch, row: int) -> tuple[bytes, Sequence[Any]]:
        """The INSERT statement of one row, and its values."""
        found = self._parts.split(batch, row, row + 1)
        if found is None:
            return self._parts.whole.insert, next(batch.records(row, row + 1))
        [(statements, part)] = found
        return statements.insert, next(part.batch.records())

    def _load_to_fail(self, batch: Batch, row: int, fault: DataFault) -> Operation[None]:
        """Copy a row that INSERT refused, and raise COPY's error: it names the column of a value that cannot be
        parsed."""
        try:
            yield from self.load(batch, row, row + 1)
        except DataFault as named:
            if named.sqlstate == fault.sqlstate:
                raise

    def _write(self, statements: Statements, batch: Batch, start: int, stop: int) -> Operation[Loaded]:
        if statements.has_columns:
            count = yield from self._copy_rows(statements, batch, start, stop)
        else:  # COPY takes no row without a column
            count = yield from self._insert_many(statements.insert, batch.records(start, stop))
        return Loaded.reported(stop - start, count)

    def _copy_rows(self, statements: Statements, batch: Batch, start: int, stop: int) -> Operation[int]:
        chunks = text_chunks(batch, start, stop)
        if chunks is not None:
            return (yield from self._send(statements.copy_text, chunks))
        chunks = binary_chunks(batch, start, stop)
        if chunks is not None:
            return (yield from self._send(statements.copy_binary, chunks))
        records = batch.records(start, stop)
        statement, types = statements.copy(batch)
        return (yield from self._send(statement, (), records, types))

    def _write_rejects(self, ledger: LedgerStatements[bytes], entry: Entry) -> Operation[None]:
        yield from self._send(rejects_copy(self._ledger_schema), (), ledger.reject_records(entry))

    def _write_ledger(self, statement: bytes, parameters: Sequence[dict[str, Any]]) -> Operation[None]:
        yield from self._insert_many(statement, parameters)

    def _fetch(self, statement: sql.Composed) -> Operation[list[Any]]:
        with self._errors:
            cursor = yield self._connection.execute(statement, prepare=False)
            return (yield cursor.fetchall()) if cursor.description else []

    def _insert_many(self, statement: bytes, records: Iterable[Sequence[Any] | dict[str, Any]]) -> Operation[int]:
        with self._errors:
            cursor = self._connection.cursor()
            yield cursor.executemany(statement, records)
            yield cursor.close()
        return int(cursor.rowcount)

    def _send(
        self,
        statement: sql.Composed,
        chunks: Iterable[bytes],
        records: Iterable[Sequence[Any]] = (),
        types: Sequence[str] = (),
    ) -> Operation[int]:
        """Send rows by a COPY statement; returns the number of rows inserted."""
        with self._errors:
            count: int = yield self._copy(statement, chunks, records, types)
        return count


def _copy(
    connection: WatchedConnection,
    statement: sql.Composed,
    chunks: Iterable[bytes],
    records: Iterable[Sequence[Any]],
    types: Sequence[str],
) -> int:
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            started = time.perf_counter()
            for chunk in chunks:
                copy.write(chunk)
            if types:
                copy.set_types(types)
            write_row = copy.write_row
            for record in records:
                write_row(record)
            connection.send_seconds += time.perf_counter() - started
        return cursor.rowcount


async def _copy_async(
    connection: WatchedAsyncConnection,
    statement: sql.Composed,
    chunks: Iterable[bytes],
    records: Iterable[Sequence[Any]],
    types: Sequence[str],
) -> int:
    async with connection.cursor() as cursor:
        async with cursor.copy(statement) as copy:
            started = time.perf_counter()
            for chunk in chunks:
                await copy.write(chunk)
            if types:
                copy.set_types(types)
            write_row = copy.write_row
            for record in records:
                await write_row(record)
            connection.send_seconds += time.perf_counter() - started
        return cursor.rowcount


def codec(connection: WatchedConnection | WatchedAsyncConnection) -> str:
    """The codec of text that the database can store: not every database uses UTF-8 (manual, 23.3)."""
    return UTF_8 if connection.info.parameter_status("server_encoding") in ("UTF8", "SQL_ASCII") else "ascii"


def enlarge_send_buffer(number: int) -> None:
    """Let the socket with this descriptor buffer a whole batch, so that the server has work while other threads hold
    the GIL. The buffer of a Unix socket is small and does not grow (unix(7)); that of TCP grows by itself (tcp(7))."""
    if hasattr(socket, "AF_UNIX"):
        with socket.socket(fileno=os.dup(number)) as end:
            if end.family == socket.AF_UNIX:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
