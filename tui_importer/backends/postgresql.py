"""PostgreSQL through psycopg 3: COPY, of texts as they are, else binary where every type allows."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar, LiteralString

import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect

from tui_importer.backends import tables
from tui_importer.backends.faults import is_about_data, is_transient
from tui_importer.backends.ledger import SqlLedger
from tui_importer.backends.ledger_tables import (
    REJECT_COLUMNS,
    REJECT_TABLE,
    UTF_8,
    LedgerStatements,
    WorkerStatements,
    text_for,
    worker_statements,
)
from tui_importer.backends.postgresql_isolation import Isolation, data_fault
from tui_importer.core.batch import Batch
from tui_importer.core.ledger import Entry
from tui_importer.core.rows import RECORD_SEPARATOR, UNIT_SEPARATOR, pages_of
from tui_importer.core.session import ConnectionSettings, Destination, IsolatedRows
from tui_importer.core.table import Index, Table
from tui_importer.core.types import ColumnType, Kind
from tui_importer.core.writer import run, run_async
from tui_importer.errors import DatabaseError, DataFault, TransientFault, UnreachableError, UsageError

#: Where COPY says it was: ``COPY businesses, line 3, column phone: ...``, the word for line in the server's language.
_COPY_CONTEXT = re.compile(r"COPY .+?, \S+ (?P<line>[0-9]+)(?:, \S+ (?P<column>[^:\n]+))?")

#: The binary form of a type is sent where psycopg and COPY agree on it; any other type makes the COPY a text one.
_BINARY_TYPES = {
    Kind.TEXT: "text",
    Kind.NUMERIC: "numeric",
    Kind.BOOLEAN: "bool",
    Kind.DATE: "date",
    Kind.TIME: "time",
    Kind.TIMESTAMP: "timestamp",
    Kind.INTERVAL: "interval",
}

#: How COPY reads pages: what is between cells stays, a blank is NULL, and rows end with a line feed (manual, COPY).
_PAGE_FORMAT = sql.SQL("(DELIMITER {}, NULL '')").format(sql.Literal(UNIT_SEPARATOR))

#: What the system is to take in at once for a server on the same machine, in bytes: about a batch.
_SEND_BUFFER = 4 << 20

#: How long a lock is waited for that a process just killed may still seem to hold, and how often, in seconds.
_LOCK_PATIENCE = 2.0
_LOCK_PERIOD = 0.05

_SAVEPOINT = "SAVEPOINT tui_importer"
#: Deferred constraints would only fail at COMMIT, where no row can be named; one round trip for both.
_STRICT_SAVEPOINT = f"SET CONSTRAINTS ALL IMMEDIATE; {_SAVEPOINT}"
_RELEASE = "RELEASE SAVEPOINT tui_importer"
_ROLLBACK_TO = "ROLLBACK TO SAVEPOINT tui_importer; RELEASE SAVEPOINT tui_importer"


class PostgreSQL:
    """A PostgreSQL database. Empty parts of the address come from libpq's environment, service file and .pgpass."""

    max_writers: ClassVar[int | None] = None
    writer_note: ClassVar[str] = ""

    def __init__(self, settings: ConnectionSettings) -> None:
        url = re.sub(r"^(?:postgres|postgresql\+psycopg)://", "postgresql://", settings.url)
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error:
            # Its message may repeat parts of the password.
            raise UsageError(
                "malformed PostgreSQL address: write postgresql://user@host:port/database or host=... dbname=..."
            ) from None
        if not re.fullmatch(r"[0-9,]*", port := str(given.get("port", ""))):
            raise UsageError(f"malformed PostgreSQL address: {port!r} is no port number")
        self._parameters: dict[str, Any] = {
            "application_name": settings.application_name,
            "connect_timeout": max(1, round(settings.connect_timeout)),
            **given,
            "client_encoding": "UTF8",  # whatever the environment says: it is what we speak, and encode
        }
        self._connections: set[psycopg.Connection[Any]] = set()
        self._idle: list[psycopg.Connection[Any]] = []
        self._codec = UTF_8
        # SQLAlchemy's pool keeps what reflection and DDL need open until the end.
        self._engine = sa.create_engine("postgresql+psycopg://", creator=self._tracked_connection)

    def connect(self) -> None:
        connection = self._tracked_connection()
        self._codec = _codec(connection)
        self._idle.append(connection)  # the first session's

    def ledger(self, schema: str | None) -> SqlLedger:
        _ledger_statements(schema)  # made while there is time: the file is still being parsed
        return SqlLedger(self._engine, schema, lock=_take_lock, codec=self._codec)

    def reflect(self, name: str) -> Table | None:
        return tables.reflect(self._engine, name)

    def create_table(self, table: Table) -> None:
        tables.create_table(self._engine, table)

    def create_stage(self, table: Table, stage: Table, *, exists: bool) -> None:
        tables.create_stage(self._engine, table, stage, exists=exists)

    def drop_table(self, table: Table) -> None:
        tables.drop_table(self._engine, table)

    def create_indexes(self, table: Table, indexes: Sequence[Index], on_made: Callable[[Index], None]) -> None:
        """Several at a time, one connection each: the builds share the table's lock (manual, 13.3.1)."""

        def make(index: Index) -> None:
            tables.create_index(self._engine, table, index)
            on_made(index)

        with ThreadPoolExecutor(min(len(indexes), os.cpu_count() or 1), thread_name_prefix="index") as pool:
            for _ in pool.map(make, indexes):
                pass

    def encode(self, batch: Batch) -> Pages | None:
        """A batch of nothing but texts as text COPY reads it: cheaper to make than the binary form."""
        pages = pages_of(batch.columns)
        return None if pages is None else Pages(list(map(_escaped, pages)))

    def open_session(self, destination: Destination) -> PostgreSQLSession:
        connection = self._idle.pop() if self._idle else self._connection()
        return PostgreSQLSession(connection, destination)

    async def open_async_session(self, destination: Destination) -> AsyncPostgreSQLSession:
        with _connection_errors():
            connection = await psycopg.AsyncConnection.connect(**self._parameters)
        return AsyncPostgreSQLSession(connection, destination)

    def cancel(self) -> None:
        for connection in list(self._connections):
            _cancel(connection)

    def close(self) -> None:
        self._engine.dispose()
        for connection in self._idle:
            connection.close()

    def _connection(self) -> psycopg.Connection[Any]:
        with _connection_errors():
            return psycopg.connect(**self._parameters)

    def _tracked_connection(self) -> psycopg.Connection[Any]:
        """A connection that :meth:`cancel` reaches."""
        connection = self._connection()
        self._connections.add(connection)
        return connection


@dataclass(frozen=True, slots=True)
class Pages:
    """A batch in the format that :data:`_PAGE_FORMAT` says, in pieces."""

    pieces: Sequence[bytes]


class _Statements:
    """What both kinds of session send for one destination."""

    def __init__(self, destination: Destination, codec: str) -> None:
        """``codec`` says what the database can keep."""
        table = destination.table
        name = sql.Identifier(*((table.schema, table.name) if table.schema else (table.name,)))
        columns = sql.SQL(", ").join(map(sql.Identifier, destination.columns))
        self.binary_types = _binary_types(destination.types)
        form = sql.SQL(" (FORMAT BINARY)" if self.binary_types else "")
        self.copy = sql.SQL("COPY {} ({}) FROM STDIN{}").format(name, columns, form)
        self.copy_pages = sql.SQL("COPY {} ({}) FROM STDIN {}").format(name, columns, _PAGE_FORMAT)
        values = sql.SQL(", ").join([sql.Placeholder()] * len(destination.columns))
        self.insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(name, columns, values)
        self.isolation = Isolation(destination, _PAGE_FORMAT)
        self._claim = destination.claim
        self._codec = codec

    @cached_property
    def copy_rejects(self) -> sql.Composed:
        """One statement for all rejects of an entry, however many."""
        schema = self._claim.schema if self._claim else None
        name = sql.Identifier(*((schema, REJECT_TABLE) if schema else (REJECT_TABLE,)))
        columns = sql.SQL(", ").join(map(sql.Identifier, REJECT_COLUMNS))
        return sql.SQL("COPY {} ({}) FROM STDIN").format(name, columns)

    @cached_property
    def ledger(self) -> LedgerStatements[bytes] | None:
        """The ledger's statements, where the session writes under a claim."""
        if self._claim is None:
            return None
        return LedgerStatements(self._claim, _ledger_statements(self._claim.schema), self._codec)


class PostgreSQLSession:
    """One psycopg connection. psycopg opens a transaction by itself with the first statement."""

    def __init__(self, connection: psycopg.Connection[Any], destination: Destination) -> None:
        self._connection = connection
        self._statements = _Statements(destination, _codec(connection))
        _take_in_batches(connection.fileno())

    def begin(self) -> None:
        pass

    def commit(self) -> None:
        with _statement_errors():
            self._connection.commit()

    def rollback(self) -> None:
        with _statement_errors():
            self._connection.rollback()

    def savepoint(self) -> None:
        self._execute(_STRICT_SAVEPOINT)

    def release(self) -> None:
        self._execute(_RELEASE)

    def rollback_to_savepoint(self) -> None:
        self._execute(_ROLLBACK_TO)

    def load(self, batch: Batch, start: int, stop: int) -> int:
        pieces = _pieces(batch, start, stop)
        with _statement_errors(), self._connection.cursor() as cursor:
            if pieces is not None:
                with cursor.copy(self._statements.copy_pages) as copy:
                    for piece in pieces:
                        copy.write(piece)
                return cursor.rowcount
            with cursor.copy(self._statements.copy) as copy:
                if self._statements.binary_types:
                    copy.set_types(self._statements.binary_types)
                write_row = copy.write_row
                for record in batch.records(start, stop):
                    write_row(record)
            return cursor.rowcount

    def insert(self, batch: Batch, row: int) -> int:
        record = next(batch.records(row, row + 1))
        try:
            with _statement_errors():
                return self._connection.execute(self._statements.insert, record, prepare=True).rowcount
        except DataFault as fault:
            if fault.column is None and fault.constraint is None:
                self.rollback()
                self._load_to_fail(batch, row, fault)
            raise

    def _load_to_fail(self, batch: Batch, row: int, fault: DataFault) -> None:
        """Raise what COPY says of a row that INSERT refused: it names the column of a value that it cannot read."""
        try:
            self.load(batch, row, row + 1)
        except DataFault as named:
            if named.sqlstate == fault.sqlstate:
                raise

    def isolate(self, batch: Batch, start: int, stop: int) -> IsolatedRows | None:
        pieces, version = _pieces(batch, 0, len(batch)), self._connection.info.server_version
        return run(self._statements.isolation.steps(self._fetch, self._copy, version, batch, pieces, start, stop))

    def _fetch(self, statement: sql.Composed) -> list[Any]:
        with _statement_errors():
            cursor = self._connection.execute(statement, prepare=False)
            return cursor.fetchall() if cursor.description else []

    def _copy(self, statement: sql.Composed, pieces: Iterable[bytes], records: Iterable[Sequence[Any]]) -> None:
        with _statement_errors(), self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for piece in pieces:
                copy.write(piece)
            for record in records:
                copy.write_row(record)

    def record(self, entry: Entry) -> bool:
        ledger = self._statements.ledger
        if ledger is None:
            return True
        with _statement_errors():
            made = self._connection.execute(*ledger.record(entry), prepare=True).rowcount == 1
            if made and entry.rejects:
                self._copy(self._statements.copy_rejects, (), ledger.reject_records(entry))
            return made

    def recorded(self, entry: Entry) -> bool:
        ledger = self._statements.ledger
        if ledger is None:
            return False
        with _statement_errors():
            answer = self._connection.execute(ledger.recorded, ledger.key(entry)).fetchone()
        return answer is not None and answer[0] > 0

    def cancel(self) -> None:
        _cancel(self._connection)

    def close(self) -> None:
        self._connection.close()

    def _execute(self, statement: LiteralString) -> None:
        with _statement_errors():
            self._connection.execute(statement)


class AsyncPostgreSQLSession:
    """One psycopg connection for asyncio."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], destination: Destination) -> None:
        self._connection = connection
        self._statements = _Statements(destination, _codec(connection))
        _take_in_batches(connection.fileno())

    async def begin(self) -> None:
        pass

    async def commit(self) -> None:
        with _statement_errors():
            await self._connection.commit()

    async def rollback(self) -> None:
        with _statement_errors():
            await self._connection.rollback()

    async def savepoint(self) -> None:
        await self._execute(_STRICT_SAVEPOINT)

    async def release(self) -> None:
        await self._execute(_RELEASE)

    async def rollback_to_savepoint(self) -> None:
        await self._execute(_ROLLBACK_TO)

    async def load(self, batch: Batch, start: int, stop: int) -> int:
        pieces = _pieces(batch, start, stop)
        with _statement_errors():
            async with self._connection.cursor() as cursor:
                if pieces is not None:
                    async with cursor.copy(self._statements.copy_pages) as copy:
                        for piece in pieces:
                            await copy.write(piece)
                    return cursor.rowcount
                async with cursor.copy(self._statements.copy) as copy:
                    if self._statements.binary_types:
                        copy.set_types(self._statements.binary_types)
                    write_row = copy.write_row
                    for record in batch.records(start, stop):
                        await write_row(record)
                return cursor.rowcount

    async def insert(self, batch: Batch, row: int) -> int:
        record = next(batch.records(row, row + 1))
        try:
            with _statement_errors():
                cursor = await self._connection.execute(self._statements.insert, record, prepare=True)
                return cursor.rowcount
        except DataFault as fault:
            if fault.column is None and fault.constraint is None:
                await self.rollback()
                await self._load_to_fail(batch, row, fault)
            raise

    async def _load_to_fail(self, batch: Batch, row: int, fault: DataFault) -> None:
        """As :meth:`PostgreSQLSession._load_to_fail`."""
        try:
            await self.load(batch, row, row + 1)
        except DataFault as named:
            if named.sqlstate == fault.sqlstate:
                raise

    async def isolate(self, batch: Batch, start: int, stop: int) -> IsolatedRows | None:
        pieces, version = _pieces(batch, 0, len(batch)), self._connection.info.server_version
        steps = self._statements.isolation.steps(self._fetch, self._copy, version, batch, pieces, start, stop)
        return await run_async(steps)

    async def _fetch(self, statement: sql.Composed) -> list[Any]:
        with _statement_errors():
            cursor = await self._connection.execute(statement, prepare=False)
            return await cursor.fetchall() if cursor.description else []

    async def _copy(self, statement: sql.Composed, pieces: Iterable[bytes], records: Iterable[Sequence[Any]]) -> None:
        with _statement_errors():
            async with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
                for piece in pieces:
                    await copy.write(piece)
                for record in records:
                    await copy.write_row(record)

    async def record(self, entry: Entry) -> bool:
        ledger = self._statements.ledger
        if ledger is None:
            return True
        with _statement_errors():
            cursor = await self._connection.execute(*ledger.record(entry), prepare=True)
            made = cursor.rowcount == 1
            if made and entry.rejects:
                await self._copy(self._statements.copy_rejects, (), ledger.reject_records(entry))
            return made

    async def recorded(self, entry: Entry) -> bool:
        ledger = self._statements.ledger
        if ledger is None:
            return False
        with _statement_errors():
            cursor = await self._connection.execute(ledger.recorded, ledger.key(entry))
            answer = await cursor.fetchone()
        return answer is not None and answer[0] > 0

    def cancel(self) -> None:
        _cancel(self._connection)

    async def close(self) -> None:
        await self._connection.close()

    async def _execute(self, statement: LiteralString) -> None:
        with _statement_errors():
            await self._connection.execute(statement)


@cache
def _ledger_statements(schema: str | None) -> WorkerStatements[bytes]:
    dialect: sa.Dialect = psycopg_dialect.dialect()  # type: ignore[no-untyped-call]
    text = text_for(dialect)
    return worker_statements(schema, dialect, lambda statement: text(statement).encode())


def _take_lock(connection: sa.Connection, import_id: str) -> bool:
    """Take the session's advisory lock of an import: the server gives it back when the connection ends, however that
    comes (manual, 13.3.5). The server notices at once that a process is gone, but not before it looks."""
    # A machine that is gone says nothing: let the server ask after it (manual, 19.3.2).
    connection.exec_driver_sql(
        "SELECT set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false), "
        "set_config('tcp_keepalives_count', '3', false)"
    )
    key = int.from_bytes(bytes.fromhex(import_id)[:8], signed=True)
    until = time.monotonic() + _LOCK_PATIENCE
    while not connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar_one():
        if time.monotonic() > until:
            return False
        time.sleep(_LOCK_PERIOD)
    return True


def _binary_types(types: Sequence[ColumnType]) -> list[str]:
    """psycopg's names of the columns' types; empty where one of them has to go as text."""
    names = []
    for type_ in types:
        match type_.kind:
            case Kind.INTEGER:
                names.append(f"int{type_.bits // 8}")
            case Kind.FLOAT:
                names.append(f"float{type_.bits // 8}")
            case Kind.TIMESTAMP if type_.timezone:
                return []  # a time without a zone is the server's TimeZone's to read
            case kind if kind in _BINARY_TYPES:
                names.append(_BINARY_TYPES[kind])
            case _:
                return []
    return names


def _pieces(batch: Batch, start: int, stop: int) -> Sequence[bytes] | None:
    """The whole batch as it was encoded, where that is asked for."""
    whole = start == 0 and stop == len(batch)
    return batch.encoded.pieces if whole and isinstance(batch.encoded, Pages) else None


def _escaped(page: bytes) -> bytes:
    """A page of rows as text COPY reads it. To look for a byte that is nowhere costs next to nothing."""
    for byte, escape in ((b"\\", rb"\\"), (b"\n", rb"\n"), (b"\r", rb"\r")):
        if byte in page:
            page = page.replace(byte, escape)
    return page.replace(RECORD_SEPARATOR.encode(), b"\n") + b"\n"


def _codec(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> str:
    """A codec for texts that the database can keep whatever they say: databases need not speak UTF-8 (manual, 23.3)."""
    return UTF_8 if connection.info.parameter_status("server_encoding") in ("UTF8", "SQL_ASCII") else "ascii"


def _take_in_batches(number: int) -> None:
    """Let the system take in a whole batch at once on the socket of that number: the server has something to do then
    while other threads have the GIL. The buffer of a Unix socket is small and stays so (unix(7)); that of TCP grows by
    itself (tcp(7))."""
    if hasattr(socket, "AF_UNIX"):
        with socket.socket(fileno=os.dup(number)) as end:
            if end.family == socket.AF_UNIX:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)


def _cancel(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    # psycopg's cancel() is safe from other threads and does nothing on a closed connection; one that fails is
    # repeated by whoever is stopping the run.
    with suppress(psycopg.Error):
        connection.cancel()


@contextmanager
def _connection_errors() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise UnreachableError(f"no connection to the database: {'; '.join(lines)}", sqlstate=error.sqlstate) from error


@contextmanager
def _statement_errors() -> Iterator[None]:
    """What psycopg raises becomes one of our errors, by SQLSTATE and never by its text."""
    try:
        yield
    except psycopg.Error as error:
        raise translated(error) from error
    except (UnicodeError, OverflowError) as error:
        raise DataFault(f"cannot be sent to PostgreSQL: {error}") from error


def translated(error: psycopg.Error) -> DatabaseError:
    """psycopg's error as one of ours."""
    diagnosis, sqlstate = error.diag, error.sqlstate
    message = diagnosis.message_primary or tables.first_line(error)
    if sqlstate is None:
        # Raised on this side of the wire: a value that psycopg cannot adapt, or a connection that is gone.
        if isinstance(error, psycopg.DataError):
            return DataFault(message)
        return TransientFault(f"the connection was lost: {message}")
    if is_about_data(sqlstate):
        where = _COPY_CONTEXT.search(diagnosis.context or "")
        return data_fault(
            message,
            diagnosis.message_detail,
            sqlstate,
            diagnosis.context,
            offset=int(where["line"]) - 1 if where else None,
            column=diagnosis.column_name or (where["column"] if where else None),
            constraint=diagnosis.constraint_name,
        )
    if is_transient(error):
        return TransientFault(message, sqlstate=sqlstate)
    return DatabaseError(message, sqlstate=sqlstate)
