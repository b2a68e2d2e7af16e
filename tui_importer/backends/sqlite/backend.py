"""SQLite through sqlite3 for threads and aiosqlite for asyncio; WAL mode, one writer."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from tui_importer.backends.sql.faults import SQLITE_BUSY_CODES
from tui_importer.backends.sql.ledger import SqlLedger
from tui_importer.backends.sqlite.catalog import SQLiteCatalog
from tui_importer.backends.sqlite.database import SQLiteDatabase
from tui_importer.backends.sqlite.errors import connection_errors
from tui_importer.backends.sqlite.rows_table import encoded_rows
from tui_importer.backends.sqlite.session import BUSY_TIMEOUT, open_session
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.encoded import EncodedBatch
from tui_importer.core.model.url import parse_address, sqlite_path
from tui_importer.core.writing.backend import AsyncSession, ConnectionSettings, Destination, Session
from tui_importer.core.writing.base import BaseBackend
from tui_importer.core.writing.ledger import PastRun
from tui_importer.errors import UnreachableError, UsageError

#: SQLite cannot be cancelled while it waits for a lock, so it waits in slices, in seconds.
BUSY_SLICE = 0.1

#: Readers are not blocked by writes, and a commit does not wait for the disk (SQLite documentation, "Write-Ahead
#: Logging"); a power failure may lose the last commits but never leaves part of one.
_WAL = "PRAGMA journal_mode=WAL"  # persistent in the file
_PRAGMAS = ("PRAGMA synchronous=NORMAL", "PRAGMA foreign_keys=ON")


class SQLite(BaseBackend):
    """An SQLite file. It is created with the first table, so an import that fails earlier leaves nothing behind."""

    max_writers = 1
    writer_note = "SQLite takes one writer at a time: one worker writes, the others would only wait"
    nested_savepoints = True

    def __init__(self, settings: ConnectionSettings) -> None:
        self._path = Path(sqlite_path(parse_address(settings.url)))
        self._was_there = False
        self._cancelled = threading.Event()
        self._connections: set[sqlite3.Connection] = set()
        self._database = SQLiteDatabase(self._tracked_connection)
        self.catalog = SQLiteCatalog(self._path, self._database)

    def connect(self) -> None:
        if self._path.exists():
            self._was_there = True
            self._execute_once("PRAGMA schema_version")
        elif not self._path.parent.is_dir():
            raise UnreachableError(f"no folder {self._path.parent} for the database {self._path.name}")

    def ledger(self, schema: str | None) -> SQLiteLedger:
        if schema is not None:
            raise UsageError("SQLite has no schemas: leave --ledger-schema out")
        return SQLiteLedger(self._path, self._database)

    def encode(self, batch: Batch) -> EncodedBatch | None:
        return encoded_rows(batch)

    def open_session(self, destination: Destination) -> Session:
        self._prepare_to_write(destination)
        with connection_errors(self._path):
            connection = self._open()
            for pragma in _PRAGMAS:
                connection.execute(pragma)
        return open_session(connection, destination)

    async def open_async_session(self, destination: Destination) -> AsyncSession:
        from asyncio import to_thread  # few runs need it

        from tui_importer.backends.sqlite.async_session import connect, open_async_session

        await to_thread(self._prepare_to_write, destination)
        with connection_errors(self._path):
            connection = await connect(self._address, uri=self._was_there, timeout=BUSY_SLICE)
            for pragma in _PRAGMAS:
                await connection.execute(pragma)
        return open_async_session(connection, destination)

    def cancel(self) -> None:
        self._cancelled.set()
        for connection in list(self._connections):
            with suppress(sqlite3.ProgrammingError):  # already closed
                connection.interrupt()

    def close(self) -> None:
        self._database.close()
        for connection in self._connections:
            connection.close()

    @property
    def _address(self) -> str:
        """The file; a file that was there is never created anew once somebody has removed it (SQLite documentation,
        "Uniform Resource Identifiers", 3.3)."""
        return f"{self._path.absolute().as_uri()}?mode=rw" if self._was_there else str(self._path)

    def _prepare_to_write(self, destination: Destination) -> None:
        """Write ahead in a file that was there. In one that this run creates, which nobody reads yet, a rollback
        journal takes less time; and what a dry run tries leaves no trace."""
        if self._was_there and destination.claim is not None:
            self._execute_once(_WAL)

    def _execute_once(self, statement: str) -> None:
        """Execute one statement on a connection of its own, once no other connection holds a conflicting lock."""
        deadline = time.monotonic() + BUSY_TIMEOUT
        with connection_errors(self._path), closing(self._open()) as connection:
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
        return sqlite3.connect(
            self._address, uri=self._was_there, isolation_level=None, timeout=BUSY_SLICE, check_same_thread=False
        )

    def _tracked_connection(self) -> sqlite3.Connection:
        """Open a connection that :meth:`cancel` reaches."""
        connection = self._open()
        self._connections.add(connection)
        return connection


class SQLiteLedger(SqlLedger):
    """The ledger in an SQLite file, which is not created before there is something to write."""

    def __init__(self, path: Path, database: SQLiteDatabase) -> None:
        super().__init__(database)
        self._path = path

    def history(self, table: str) -> Sequence[PastRun]:
        return super().history(table) if self._path.exists() else ()

    def runs(self, limit: int) -> Sequence[PastRun]:
        return super().runs(limit) if self._path.exists() else ()
