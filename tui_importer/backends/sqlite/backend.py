"""SQLite through sqlite3 for threads and aiosqlite for asyncio; WAL mode, one writer."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from operator import length_hint
from pathlib import Path
from typing import Any, ClassVar

import aiosqlite
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import pysqlite as sqlite_dialect

from tui_importer.backends import tables
from tui_importer.backends.faults import SQLITE_BUSY_CODES, SQLITE_DATA_CODES, SQLITE_TRANSIENT_CODES
from tui_importer.backends.ledger import SqlLedger
from tui_importer.backends.ledger_tables import LedgerStatements, text_for, worker_statements
from tui_importer.backends.sqlite.isolation import PendingRows
from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.table import Index, Table
from tui_importer.core.model.types import Kind
from tui_importer.core.model.url import parse_address, sqlite_path
from tui_importer.core.writing.access import Access
from tui_importer.core.writing.backend import ConnectionSettings, Destination, IsolatedRows
from tui_importer.core.writing.defaults import PartStatements
from tui_importer.core.writing.ledger import Entry, PastRun
from tui_importer.core.writing.loaded import NOTHING_LOADED, Loaded
from tui_importer.errors import DatabaseError, DataFault, TransientFault, UnreachableError, UsageError

#: Seconds that a batch waits for another process's write lock before it fails and is retried.
BUSY_TIMEOUT = 5.0
#: SQLite cannot be cancelled while it waits for a lock, so it waits in slices, in seconds.
BUSY_SLICE = 0.1

#: Readers are not blocked by writes, and a commit does not wait for the disk (SQLite documentation, "Write-Ahead
#: Logging"); a power failure may lose the last commits but never leaves part of one.
_WAL = "PRAGMA journal_mode=WAL"  # persistent in the file
_PRAGMAS = ("PRAGMA synchronous=NORMAL", "PRAGMA foreign_keys=ON")

_BEGIN = "BEGIN IMMEDIATE"
_SAVEPOINT = "SAVEPOINT tui_importer"
_RELEASE = "RELEASE SAVEPOINT tui_importer"
_ROLLBACK_TO = "ROLLBACK TO SAVEPOINT tui_importer"


class SQLite:
    """An SQLite file. It is created with the first table, so an import that fails earlier leaves nothing behind."""

    max_writers: ClassVar[int | None] = 1
    writer_note: ClassVar[str] = "SQLite takes one writer at a time: one worker writes, the others would only wait"

    def __init__(self, settings: ConnectionSettings) -> None:
        self._path = Path(sqlite_path(parse_address(settings.url)))
        self._cancelled = threading.Event()
        self._connections: set[sqlite3.Connection] = set()

    def connect(self) -> None:
        if self._path.exists():
            self._execute_once("PRAGMA schema_version")
        elif not self._path.parent.is_dir():
            raise UnreachableError(f"no folder {self._path.parent} for the database {self._path.name}")

    def ledger(self, schema: str | None) -> SQLiteLedger:
        if schema is not None:
            raise UsageError("SQLite has no schemas: leave --ledger-schema out")
        return SQLiteLedger(self._path, self._engine())

    def reflect(self, name: str) -> Table | None:
        if not self._path.exists():
            return None
        return tables.reflect(self._engine(), name, schemas=False)

    def create_table(self, table: Table) -> None:
        tables.create_table(self._engine(), table)

    def create_stage(self, table: Table, stage: Table, *, exists: bool) -> None:
        tables.create_stage(self._engine(), table, stage, exists=exists)

    def drop_table(self, table: Table) -> None:
        tables.drop_table(self._engine(), table)

    def create_indexes(self, table: Table, indexes: Sequence[Index], on_made: Callable[[Index], None]) -> None:
        for index in indexes:
            tables.create_index(self._engine(), table, index)
            on_made(index)

    def check_access(self, access: Access) -> None:
        """Implements :class:`tui_importer.core.writing.access.AccessChecker`."""
        if reason := _why_read_only(self._path):
            raise DatabaseError(reason)

    def encode(self, batch: Batch) -> None:
        """Drivers take Python values, so there is nothing to encode in advance."""

    def open_session(self, destination: Destination) -> SQLiteSession:
        self._execute_once(_WAL)
        with _connection_errors(self._path):
            connection = self._open()
            for pragma in _PRAGMAS:
                connection.execute(pragma)
        return SQLiteSession(connection, destination)

    async def open_async_session(self, destination: Destination) -> AsyncSQLiteSession:
        await asyncio.to_thread(self._execute_once, _WAL)
        with _connection_errors(self._path):
            connection = await aiosqlite.connect(self._path, isolation_level=None, timeout=BUSY_SLICE)
            for pragma in _PRAGMAS:
                await connection.execute(pragma)
        return AsyncSQLiteSession(connection, destination)

    def cancel(self) -> None:
        self._cancelled.set()
        for connection in list(self._connections):
            with suppress(sqlite3.ProgrammingError):  # already closed
                connection.interrupt()

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def _execute_once(self, statement: str) -> None:
        """Execute one statement on a connection of its own, once no other connection holds a conflicting lock."""
        deadline = time.monotonic() + BUSY_TIMEOUT
        with _connection_errors(self._path), closing(self._open()) as connection:
            while True:
                try:
                    connection.execute(statement)
                except sqlite3.OperationalError as error:
                    busy = error.sqlite_errorcode & 0xFF in SQLITE_BUSY_CODES
                    if not busy or self._cancelled.is_set() or time.monotonic() > deadline:
                        raise
                else:
                    return

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, isolation_level=None, timeout=BUSY_SLICE, check_same_thread=False)

    def _engine(self) -> sa.Engine:
        def creator() -> sqlite3.Connection:
            connection = sqlite3.connect(self._path, timeout=BUSY_SLICE, check_same_thread=False)
            self._connections.add(connection)
            return connection

        return sa.create_engine("sqlite://", creator=creator, poolclass=sa.NullPool)


class SQLiteLedger(SqlLedger):
    """The ledger in an SQLite file, which is not created before there is something to write."""

    def __init__(self, path: Path, engine: sa.Engine) -> None:
        super().__init__(engine, begin=_BEGIN)
        self._path = path

    def history(self, table: str) -> Sequence[PastRun]:
        return super().history(table) if self._path.exists() else ()

    def runs(self, limit: int) -> Sequence[PastRun]:
        return super().runs(limit) if self._path.exists() else ()


class _Statements:
    """The statements of one destination, shared by both kinds of session."""

    def __init__(self, destination: Destination) -> None:
        preparer = sa.create_engine("sqlite://").dialect.identifier_preparer
        columns = ", ".join(map(preparer.quote_identifier, destination.columns))
        places = ", ".join("?" * len(destination.columns))
        table = preparer.quote_identifier(destination.table.name)
        row = f"({columns}) VALUES ({places})" if destination.columns else "DEFAULT VALUES"
        self.insert = f"INSERT INTO {table} {row}"
        self._claim = destination.claim
        self.bindings = [_BINDINGS.get(type_.kind) for type_ in destination.types]

    @cached_property
    def ledger(self) -> LedgerStatements[str] | None:
        """The ledger's statements, if the session writes under a claim."""
        if self._claim is None:
            return None
        dialect = sqlite_dialect.dialect(paramstyle="named")
        return LedgerStatements(self._claim, worker_statements(None, dialect, text_for(dialect)))

    def records(self, batch: Batch, start: int, stop: int) -> list[Sequence[Any]]:
        """The rows as values that SQLite can bind."""
        if not any(self.bindings):
            return list(batch.records(start, stop))
        columns: list[Sequence[Any]] = []
        for column, bind in zip(batch.columns, self.bindings, strict=True):
            cells = column.values()[start:stop]
            columns.append([None if cell is None else bind(cell) for cell in cells] if bind else cells)
        return list(zip(*columns, strict=True))


class SQLiteSession:
    """One sqlite3 connection in autocommit mode: we open and end its transactions."""

    def __init__(self, connection: sqlite3.Connection, destination: Destination) -> None:
        self._connection = connection
        self._parts = PartStatements(destination, _Statements)
        self._statements = self._parts.whole
        self._cancelled = False

    def begin(self) -> None:
        deadline = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                return self._execute(_BEGIN)
            except TransientFault:
                if self._cancelled or time.monotonic() > deadline:
                    raise

    def commit(self) -> None:
        self._execute("COMMIT")

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self._execute("ROLLBACK")

    def savepoint(self) -> None:
        self._execute(_SAVEPOINT)

    def release(self) -> None:
        self._execute(_RELEASE)

    def rollback_to_savepoint(self) -> None:
        self._execute(_ROLLBACK_TO)
        self._execute(_RELEASE)

    def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        parts = self._parts.split(batch, start, stop)
        if parts is None:
            return self._insert(self._statements, batch, start, stop)
        loaded = NOTHING_LOADED
        for statements, part in parts:
            with part.placing_faults():
                loaded += self._insert(statements, part.batch, 0, len(part.batch))
        return loaded

    def _insert(self, statements: _Statements, batch: Batch, start: int, stop: int) -> Loaded:
        records = statements.records(batch, start, stop)
        pending = iter(records)
        with _statement_errors(records, pending):
            return Loaded.reported(len(records), self._connection.executemany(statements.insert, pending).rowcount)

    def insert(self, batch: Batch, row: int) -> Loaded:
        return self.load(batch, row, row + 1)

    def isolate(self, batch: Batch, start: int, stop: int) -> IsolatedRows:
        rows = _pending_rows(self._connection, self._parts, batch, start, stop)
        # Closed here: the faults keep this frame alive, and whoever frees a cursor resets its statement, which the next
        # one shares, even if that is another thread's garbage collection.
        with closing(self._connection.cursor()) as cursor:
            while rows:
                try:
                    with _statement_errors():
                        cursor.executemany(rows.statement, rows.through(cursor))
                except DataFault as fault:
                    rows.refuse(fault)
        return rows.isolated()

    def record(self, entry: Entry) -> bool:
        ledger = self._statements.ledger
        if ledger is None:
            return True
        with _statement_errors():
            made = self._connection.execute(*ledger.record(entry)).rowcount == 1
            if made and entry.rejects:
                self._connection.executemany(ledger.reject, ledger.rejects(entry))
            return made

    def recorded(self, entry: Entry) -> bool:
        ledger = self._statements.ledger
        if ledger is None:
            return False
        with _statement_errors():
            return bool(self._connection.execute(ledger.recorded, ledger.key(entry)).fetchone()[0])

    def cancel(self) -> None:
        self._cancelled = True
        with suppress(sqlite3.ProgrammingError):  # already closed
            self._connection.interrupt()

    def close(self) -> None:
        self._connection.close()

    def _execute(self, statement: str) -> None:
        with _statement_errors():
            self._connection.execute(statement)


class AsyncSQLiteSession:
    """One aiosqlite connection: sqlite3 in a thread of its own, so not faster, only asynchronous."""

    def __init__(self, connection: aiosqlite.Connection, destination: Destination) -> None:
        self._connection = connection
        self._parts = PartStatements(destination, _Statements)
        self._statements = self._parts.whole
        self._loop = asyncio.get_running_loop()
        self._cancelled = False

    async def begin(self) -> None:
        deadline = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                return await self._execute(_BEGIN)
            except TransientFault:
                if self._cancelled or time.monotonic() > deadline:
                    raise

    async def commit(self) -> None:
        await self._execute("COMMIT")

    async def rollback(self) -> None:
        if self._connection.in_transaction:
            await self._execute("ROLLBACK")

    async def savepoint(self) -> None:
        await self._execute(_SAVEPOINT)

    async def release(self) -> None:
        await self._execute(_RELEASE)

    async def rollback_to_savepoint(self) -> None:
        await self._execute(_ROLLBACK_TO)
        await self._execute(_RELEASE)

    async def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        parts = self._parts.split(batch, start, stop)
        if parts is None:
            return await self._insert(self._statements, batch, start, stop)
        loaded = NOTHING_LOADED
        for statements, part in parts:
            with part.placing_faults():
                loaded += await self._insert(statements, part.batch, 0, len(part.batch))
        return loaded

    async def _insert(self, statements: _Statements, batch: Batch, start: int, stop: int) -> Loaded:
        records = statements.records(batch, start, stop)
        pending = iter(records)
        with _statement_errors(records, pending):
            cursor = await self._connection.executemany(statements.insert, pending)
            return Loaded.reported(len(records), cursor.rowcount)

    async def insert(self, batch: Batch, row: int) -> Loaded:
        return await self.load(batch, row, row + 1)

    async def isolate(self, batch: Batch, start: int, stop: int) -> IsolatedRows:
        rows = _pending_rows(self._connection, self._parts, batch, start, stop)
        async with self._connection.cursor() as cursor:  # closed as in SQLiteSession.isolate
            while rows:
                try:
                    with _statement_errors():
                        await cursor.executemany(rows.statement, rows.through(cursor))
                except DataFault as fault:
                    rows.refuse(fault)
        return rows.isolated()

    async def record(self, entry: Entry) -> bool:
        ledger = self._statements.ledger
        if ledger is None:
            return True
        with _statement_errors():
            cursor = await self._connection.execute(*ledger.record(entry))
            made = cursor.rowcount == 1
            if made and entry.rejects:
                await self._connection.executemany(ledger.reject, ledger.rejects(entry))
            return made

    async def recorded(self, entry: Entry) -> bool:
        ledger = self._statements.ledger
        if ledger is None:
            return False
        with _statement_errors():
            cursor = await self._connection.execute(ledger.recorded, ledger.key(entry))
            answer = await cursor.fetchone()
        return answer is not None and bool(answer[0])

    def cancel(self) -> None:
        self._cancelled = True
        asyncio.run_coroutine_threadsafe(self._connection.interrupt(), self._loop)

    async def close(self) -> None:
        await self._connection.close()

    async def _execute(self, statement: str) -> None:
        with _statement_errors():
            await self._connection.execute(statement)


def _pending_rows(
    connection: sqlite3.Connection | aiosqlite.Connection,
    parts: PartStatements[_Statements],
    batch: Batch,
    start: int,
    stop: int,
) -> PendingRows:
    """Rows ``start`` to ``stop`` (exclusive), each without the columns whose default it takes."""
    records = parts.whole.records(batch, start, stop)
    statements = [parts.whole.insert] * len(records)
    for offset, omitted in enumerate(parts.omitted(batch, start, stop) or ()):
        if omitted:
            statements[offset] = parts.without(omitted).insert
            records[offset] = [value for place, value in enumerate(records[offset]) if place not in omitted]
    return PendingRows(connection, records, statements, start)


#: How values of types that SQLite lacks are bound (SQLite documentation, "Datatypes In SQLite"): dates and times as ISO
#: 8601 text, exact numbers as text that a NUMERIC column converts if nothing is lost.
_BINDINGS: dict[Kind, Callable[[Any], Any]] = {
    Kind.NUMERIC: str,
    Kind.DATE: str,
    Kind.TIME: str,
    Kind.TIMESTAMP: str,
    Kind.INTERVAL: as_text,
}


@contextmanager
def _connection_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in SQLITE_BUSY_CODES:
            raise TransientFault(f"another process has locked the SQLite database {path}") from error
        reason = _why_read_only(path) or f"cannot open the SQLite database {path}: {error}"
        raise UnreachableError(reason) from error


def _permits(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _why_read_only(path: Path) -> str | None:
    """Why the database cannot be written, as far as the system tells. A missing file is not created."""
    if path.exists() and not _permits(path, os.W_OK):
        return f"the SQLite database {path} is read-only: let yourself write it (chmod u+w), or name another with --db"
    if not _permits(path.parent, os.W_OK | os.X_OK):
        return (
            f"the folder {path.parent} is read-only, and SQLite keeps a journal beside the database {path.name}: let "
            "yourself write it (chmod u+wx), or name a database in another with --db"
        )
    return None


@contextmanager
def _statement_errors(records: Sequence[object] = (), pending: Iterator[object] | None = None) -> Iterator[None]:
    """Translate sqlite3's errors into ours, by result code.

    ``pending`` is the iterator that executemany consumes: the bad row is the last one it returned.
    """
    try:
        yield
    except (sqlite3.Error, UnicodeError, OverflowError) as error:
        code = getattr(error, "sqlite_errorcode", None)
        if isinstance(error, UnicodeError | OverflowError | sqlite3.DataError) or (
            code is not None and code & 0xFF in SQLITE_DATA_CODES
        ):
            offset = len(records) - length_hint(pending) - 1 if pending is not None else None
            violated = str(error).partition(" constraint failed: ")[2]
            check = code == sqlite3.SQLITE_CONSTRAINT_CHECK
            column = None if check else _first_column(violated)
            raise DataFault(str(error), offset=offset, column=column, constraint=violated if check else None) from error
        if code is not None and code & 0xFF in SQLITE_TRANSIENT_CODES:
            raise TransientFault(str(error)) from error
        raise DatabaseError(str(error)) from error


def _first_column(violated: str) -> str | None:
    """The first column in SQLite's list ``table.column, table.column``."""
    return violated.split(", ")[0].rpartition(".")[2] if "." in violated else None
