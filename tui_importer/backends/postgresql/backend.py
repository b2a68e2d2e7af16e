"""PostgreSQL through psycopg 3: COPY in text format for batches of plain text, else in binary format where every type
allows it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
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
from tui_importer.backends.postgresql import privileges
from tui_importer.backends.postgresql.connections import (
    StatementLink,
    WatchedAsyncConnection,
    WatchedConnection,
    cancel,
    cancel_async,
    connected,
    connected_async,
)
from tui_importer.backends.postgresql.isolation import Isolation, data_fault
from tui_importer.backends.postgresql.sequences import advance_sequences
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.column import common_store
from tui_importer.core.model.encoded import EncodedBatch
from tui_importer.core.model.rows import RECORD_SEPARATOR, SEPARATED, UNIT_SEPARATOR
from tui_importer.core.model.table import Index, Table
from tui_importer.core.model.types import ColumnType, Kind
from tui_importer.core.scheduling.stalls import WORKER, Activity, Finding
from tui_importer.core.writing.access import Access
from tui_importer.core.writing.backend import ConnectionSettings, Destination, IsolatedRows, application_name
from tui_importer.core.writing.defaults import PartStatements
from tui_importer.core.writing.ledger import Entry
from tui_importer.core.writing.loaded import NOTHING_LOADED, Loaded
from tui_importer.core.writing.operation import run, run_async
from tui_importer.errors import DatabaseError, DataFault, TransientFault, UnreachableError, UsageError

_log = logging.getLogger(__name__)

#: The context of a COPY error: ``COPY businesses, line 3, column phone: ...``; the word for line is in the server's
#: language.
_COPY_CONTEXT = re.compile(r"COPY .+?, \S+ (?P<line>[0-9]+)(?:, \S+ (?P<column>[^:\n]+))?")

#: Types whose binary format psycopg and COPY agree on; any other type makes the COPY a text one.
_BINARY_TYPES = {
    Kind.TEXT: "text",
    Kind.NUMERIC: "numeric",
    Kind.BOOLEAN: "bool",
    Kind.DATE: "date",
    Kind.TIME: "time",
    Kind.TIMESTAMP: "timestamp",
    Kind.INTERVAL: "interval",
}

#: The encoding of rows that :data:`_TEXT_COPY_FORMAT` describes, in UTF-8.
COPY_TEXT = "postgresql-copy-text"

#: COPY options for encoded chunks: cells are separated by the delimiter, a blank is NULL, and rows end with a line feed
#: (manual, COPY).
_TEXT_COPY_FORMAT = sql.SQL("(DELIMITER {}, NULL '')").format(sql.Literal(UNIT_SEPARATOR))

#: Bytes that the socket should buffer for a server on the same machine: about a batch.
_SEND_BUFFER = 4 << 20

#: How long to wait for a lock that a process killed a moment ago may still seem to hold, and how often to retry, in
#: seconds.
_LOCK_TIMEOUT = 2.0
_LOCK_PERIOD = 0.05

#: Detect within a minute that the peer of an idle connection is gone (tcp(7)). The names are libpq's.
_DEAD_PEER = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
#: The same for the server's end, and no timeouts, for the transaction that holds an import's lock (manual, 19.3.2 and
#: 19.11.1). Settings that the server's version does not have are left out.
_HOLDER_SETTINGS = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
}

#: Ends the backends whose application_name begins with a run's prefix; their transactions are rolled back.
_END_NAMED = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE starts_with(application_name, %(prefix)s)"
#: The runs that have held a lock for some time (manual, 52.12: the key's halves are classid and objid).
_HOLDERS = """
    SELECT DISTINCT substring(application_name FROM '^tui_importer/[^/]+/')
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND (classid::bigint << 32 | objid::bigint) = %(key)s AND xact_start < now() - make_interval(secs => %(age)s)
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND application_name ~ '^tui_importer/[^/]+/'
"""
#: A run claims its import as soon as it has the lock: after this time without a claim it counts as gone, in seconds.
_UNCLAIMED_SECONDS = 10.0

#: The server truncates an application_name to this number of bytes (manual, 19.8.3).
_NAME_BYTES = 63

#: A pooler may append the client's address (PgBouncer's application_name_add_host).
_NAMED = "name = application_name OR starts_with(application_name, name || ' ')"
#: ``{}`` is replaced if the server reports the progress of a COPY (PostgreSQL 14).
_ACTIVITY = f"""
    SELECT name, state, wait_event_type, wait_event, pg_blocking_pids(pid), {{}}
    FROM unnest(%s::text[]) AS name JOIN pg_stat_activity ON {_NAMED}
"""
_RECEIVED = "(SELECT bytes_processed FROM pg_stat_progress_copy AS copy WHERE copy.pid = pg_stat_activity.pid)"
_END_LOST = f"SELECT pg_terminate_backend(pid) FROM unnest(%s::text[]) AS name JOIN pg_stat_activity ON {_NAMED}"

_SAVEPOINT = "SAVEPOINT tui_importer"
#: Deferred constraints would fail only at COMMIT, where no row can be named. One round trip for both.
_STRICT_SAVEPOINT = f"SET CONSTRAINTS ALL IMMEDIATE; {_SAVEPOINT}"
_RELEASE = "RELEASE SAVEPOINT tui_importer"
_ROLLBACK_TO = "ROLLBACK TO SAVEPOINT tui_importer; RELEASE SAVEPOINT tui_importer"


class PostgreSQL:
    """A PostgreSQL database. Missing parts of the URL come from libpq's environment, service file and .pgpass."""

    max_writers: ClassVar[int | None] = None
    writer_note: ClassVar[str] = ""

    def __init__(self, settings: ConnectionSettings) -> None:
        url = re.sub(r"^(?:postgres|postgresql\+psycopg)://", "postgresql://", settings.url)
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error:
            # The message may repeat parts of the password.
            raise UsageError(
                "malformed PostgreSQL address: write postgresql://user@host:port/database or host=... dbname=..."
            ) from None
        if not re.fullmatch(r"[0-9,]*", port := str(given.get("port", ""))):
            raise UsageError(f"malformed PostgreSQL address: {port!r} is no port number")
        self._parameters: dict[str, Any] = {
            "application_name": settings.application_name,
            "connect_timeout": max(1, round(settings.connect_timeout)),
            **_DEAD_PEER,
            # Longer than our own stall timeout: the system ends only connections that nobody watches.
            **({"tcp_user_timeout": round(settings.stall_timeout * 2_000)} if settings.stall_timeout else {}),
            **given,
            "client_encoding": "UTF8",  # whatever the environment says: we encode in it
            "prepare_threshold": None,  # a pooler may give each transaction another server session
        }
        self._numbers = itertools.count(1)
        self._links: set[Any] = set()
        self._lost: list[str] = []
        self._lost_lock = threading.Lock()
        self._connections: set[WatchedConnection] = set()
        self._idle: list[WatchedConnection] = []
        self._codec = UTF_8
        # SQLAlchemy's pool keeps the connections for reflection and DDL open until the end.
        self._engine = sa.create_engine("postgresql+psycopg://", creator=self._tracked_connection)

    def connect(self) -> None:
        connection = self._tracked_connection()
        self._codec = _codec(connection)
        self._idle.append(connection)  # for the first session

    def ledger(self, schema: str | None) -> SqlLedger:
        _ledger_statements(schema)  # built now, while the file is still being parsed
        rights = privileges.LedgerRights(self._engine, schema)
        return SqlLedger(self._engine, schema, locks=_ImportLocks(), codec=self._codec, rights=rights)

    def reflect(self, name: str) -> Table | None:
        return tables.reflect(self._engine, name)

    def create_table(self, table: Table) -> None:
        tables.create_table(self._engine, table)

    def create_stage(self, table: Table, stage: Table, *, exists: bool) -> None:
        tables.create_stage(self._engine, table, stage, exists=exists)

    def drop_table(self, table: Table) -> None:
        tables.drop_table(self._engine, table)

    def create_indexes(self, table: Table, indexes: Sequence[Index], on_made: Callable[[Index], None]) -> None:
        """Build several indexes at a time, each on its own connection: the builds share the table's lock (manual,
        13.3.1)."""

        def make(index: Index) -> None:
            tables.create_index(self._engine, table, index)
            on_made(index)

        with ThreadPoolExecutor(min(len(indexes), os.cpu_count() or 1), thread_name_prefix="index") as pool:
            for _ in pool.map(make, indexes):
                pass

    def check_access(self, access: Access) -> None:
        """Implements :class:`tui_importer.core.writing.access.AccessChecker`."""
        privileges.check_target(self._engine, access)

    def advance_sequences(self, table: Table, columns: Sequence[str]) -> Sequence[str]:
        """Implements :class:`tui_importer.core.writing.sequences.SequenceKeeper`."""
        return advance_sequences(self._engine, table, columns)

    def encode(self, batch: Batch) -> EncodedBatch | None:
        """Encode a batch of plain text for a text COPY, which is cheaper to produce than the binary format."""
        store = common_store(batch.columns)
        if store is None:
            return None
        ready = store.encode(batch.columns, COPY_TEXT)
        if ready is not None:
            return ready
        rows = store.encode(batch.columns, SEPARATED)
        return None if rows is None else CopyText(rows)

    def open_session(self, destination: Destination) -> PostgreSQLSession:
        connection = self._idle.pop() if self._idle else self._connection()
        return PostgreSQLSession(connection, destination)

    async def open_async_session(self, destination: Destination) -> AsyncPostgreSQLSession:
        parameters, name = self._named_parameters()

        async def connect() -> WatchedAsyncConnection:
            return await WatchedAsyncConnection.connect(**parameters)

        with _connection_errors():
            connection = await connected_async(connect, self._links)
        self._register_link(connection, name)
        with self._lost_connections() as lost:
            if lost:
                await connection.execute(_END_LOST, [lost])
                await connection.commit()
        return AsyncPostgreSQLSession(connection, destination)

    def links(self) -> Sequence[Any]:
        return list(self._links)

    def look_up(self, links: Sequence[StatementLink], seconds: float) -> Sequence[Finding]:
        """Query ``pg_stat_activity`` for the backends of these connections (manual, 27.2.3)."""
        with closing(self._connection(connect_timeout=max(1, round(seconds)))) as connection:
            assert connection.link is not None
            timer = threading.Timer(seconds, connection.link.give_up, ["no answer to a look into pg_stat_activity"])
            timer.start()
            try:
                with _statement_errors():
                    rows = connection.execute(_activity_query(connection), [[link.name for link in links]]).fetchall()
            finally:
                timer.cancel()
        findings = [_finding([row for row in rows if row[0] == link.name]) for link in links]
        for link, finding in zip(links, findings, strict=True):
            if finding.activity is Activity.LOCKED:
                link.disable_timeout()
        return findings

    def cancel(self) -> None:
        for connection in list(self._connections):
            cancel(connection)

    def close(self) -> None:
        self._engine.dispose()
        for connection in self._idle:
            connection.close()

    def _connection(self, **parameters: Any) -> WatchedConnection:
        all_parameters, name = self._named_parameters()
        all_parameters |= parameters

        def connect() -> WatchedConnection:
            return WatchedConnection.connect(**all_parameters)

        with _connection_errors():
            connection = connected(connect, self._links)
        self._register_link(connection, name)
        with self._lost_connections() as lost:
            if lost:
                connection.execute(_END_LOST, [lost])
                connection.commit()
        return connection

    def _tracked_connection(self) -> WatchedConnection:
        """Open a connection that :meth:`cancel` reaches."""
        connection = self._connection()
        self._connections.add(connection)
        return connection

    def _named_parameters(self) -> tuple[dict[str, Any], str]:
        """The parameters of a new connection, and the application_name that identifies its backend: behind a pooler the
        PID that a client knows is not the backend's."""
        suffix = f"/{next(self._numbers)}"
        base = str(self._parameters["application_name"]).encode()[: _NAME_BYTES - len(suffix)]
        name = base.decode(errors="ignore") + suffix
        return self._parameters | {"application_name": name}, name

    def _register_link(self, connection: WatchedConnection | WatchedAsyncConnection, name: str) -> None:
        """Register the connection as watched until it is closed."""

        def closed(link: StatementLink) -> None:
            self._links.discard(link)
            if link.given_up is not None:
                with self._lost_lock:
                    self._lost.append(link.name)

        connection.link = StatementLink(connection, name, closed)
        self._links.add(connection.link)

    @contextmanager
    def _lost_connections(self) -> Iterator[list[str]]:
        """The names of abandoned connections whose backends a new connection must end. A backend that waits for its
        lost client keeps its locks, and blocks the next attempt to write its rows."""
        with self._lost_lock:
            lost, self._lost = self._lost, []
        try:
            yield lost
        except psycopg.Error as error:
            _log.warning("the server keeps a lost connection until it notices: %s", tables.first_line(error))
            with self._lost_lock:
                self._lost += lost


class CopyText:
    """Converts rows in the encoding :data:`SEPARATED` into the encoding :data:`COPY_TEXT`."""

    format = COPY_TEXT

    def __init__(self, rows: EncodedBatch) -> None:
        self._rows = rows
        self._whole = list(map(_escaped, rows.chunks(0, len(rows))))

    def __len__(self) -> int:
        return len(self._rows)

    def chunks(self, start: int, stop: int) -> Iterable[bytes]:
        whole = start == 0 and stop == len(self)
        return self._whole if whole else map(_escaped, self._rows.chunks(start, stop))


class _Statements:
    """The statements of one destination, shared by both kinds of session."""

    def __init__(self, destination: Destination, codec: str) -> None:
        """``codec`` says which text the database can store."""
        table = destination.table
        name = sql.Identifier(*((table.schema, table.name) if table.schema else (table.name,)))
        columns = sql.SQL(", ").join(map(sql.Identifier, destination.columns))
        self.binary_types = _binary_types(destination.types)
        form = sql.SQL(" (FORMAT BINARY)" if self.binary_types else "")
        self.copy = sql.SQL("COPY {} ({}) FROM STDIN{}").format(name, columns, form)
        self.copy_text = sql.SQL("COPY {} ({}) FROM STDIN {}").format(name, columns, _TEXT_COPY_FORMAT)
        # As bytes: psycopg puts anything else together again for every row.
        into = sql.SQL("INSERT INTO {} ({})" if destination.columns else "INSERT INTO {}").format(name, columns)
        values = f"VALUES ({', '.join(['%s'] * len(destination.columns))})" if destination.columns else "DEFAULT VALUES"
        # psycopg takes a % in a name for a placeholder.
        self.insert = into.as_bytes().replace(b"%", b"%%") + f" {values}".encode()
        self.has_columns = bool(destination.columns)
        self.isolation = Isolation(destination, _TEXT_COPY_FORMAT)
        self._claim = destination.claim
        self._codec = codec

    @cached_property
    def copy_rejects(self) -> sql.Composed:
        """One statement for all rejects of an entry."""
        schema = self._claim.schema if self._claim else None
        name = sql.Identifier(*((schema, REJECT_TABLE) if schema else (REJECT_TABLE,)))
        columns = sql.SQL(", ").join(map(sql.Identifier, REJECT_COLUMNS))
        return sql.SQL("COPY {} ({}) FROM STDIN").format(name, columns)

    @cached_property
    def ledger(self) -> LedgerStatements[bytes] | None:
        """The ledger's statements, if the session writes under a claim."""
        if self._claim is None:
            return None
        return LedgerStatements(self._claim, _ledger_statements(self._claim.schema), self._codec)


class PostgreSQLSession:
    """One psycopg connection. psycopg opens a transaction with the first statement."""

    def __init__(self, connection: WatchedConnection, destination: Destination) -> None:
        self._connection = connection
        if connection.link is not None:
            connection.link.worker = WORKER.get()  # the engine may have opened the connection for another worker
        self._parts = _part_statements(destination, _codec(connection))
        self._statements = self._parts.whole
        _enlarge_send_buffer(connection.fileno())

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

    def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        parts = self._parts.split(batch, start, stop)
        if parts is None:
            return self._copy(self._statements, batch, start, stop)
        loaded = NOTHING_LOADED
        for statements, part in parts:
            with part.placing_faults():
                loaded += self._copy(statements, part.batch, 0, len(part.batch))
        return loaded

    def _copy(self, statements: _Statements, batch: Batch, start: int, stop: int) -> Loaded:
        chunks = _chunks(batch, start, stop)
        with _statement_errors(), self._connection.cursor() as cursor:
            if not statements.has_columns:  # COPY takes no row without a column
                cursor.executemany(statements.insert, batch.records(start, stop))
                return Loaded.reported(stop - start, cursor.rowcount)
            if chunks is not None:
                with cursor.copy(statements.copy_text) as copy:
                    for chunk in chunks:
                        copy.write(chunk)
                return Loaded.reported(stop - start, cursor.rowcount)
            with cursor.copy(statements.copy) as copy:
                if statements.binary_types:
                    copy.set_types(statements.binary_types)
                write_row = copy.write_row
                for record in batch.records(start, stop):
                    write_row(record)
            return Loaded.reported(stop - start, cursor.rowcount)

    def insert(self, batch: Batch, row: int) -> Loaded:
        statement, record = _row(self._parts, batch, row)
        try:
            with _statement_errors():
                return Loaded.reported(1, self._connection.execute(statement, record).rowcount)
        except DataFault as fault:
            if fault.column is None and fault.constraint is None:
                self.rollback()
                self._load_to_fail(batch, row, fault)
            raise

    def _load_to_fail(self, batch: Batch, row: int, fault: DataFault) -> None:
        """Copy a row that INSERT refused, and raise COPY's error: it names the column of a value that cannot be
        parsed."""
        try:
            self.load(batch, row, row + 1)
        except DataFault as named:
            if named.sqlstate == fault.sqlstate:
                raise

    def isolate(self, batch: Batch, start: int, stop: int) -> IsolatedRows | None:
        chunks, version = _chunks(batch, 0, len(batch)), self._connection.info.server_version
        omitted = self._parts.omitted(batch, start, stop) or [()]
        isolation = self._statements.isolation
        return run(isolation.steps(self._fetch, self._copy_into, version, batch, chunks, start, stop, omitted))

    def _fetch(self, statement: sql.Composed) -> list[Any]:
        with _statement_errors():
            cursor = self._connection.execute(statement, prepare=False)
            return cursor.fetchall() if cursor.description else []

    def _copy_into(self, statement: sql.Composed, chunks: Iterable[bytes], records: Iterable[Sequence[Any]]) -> None:
        with _statement_errors(), self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for chunk in chunks:
                copy.write(chunk)
            for record in records:
                copy.write_row(record)

    def record(self, entry: Entry) -> bool:
        ledger = self._statements.ledger
        if ledger is None:
            return True
        with _statement_errors():
            made = self._connection.execute(*ledger.record(entry)).rowcount == 1
            if made and entry.rejects:
                self._copy_into(self._statements.copy_rejects, (), ledger.reject_records(entry))
            return made

    def recorded(self, entry: Entry) -> bool:
        ledger = self._statements.ledger
        if ledger is None:
            return False
        with _statement_errors():
            answer = self._connection.execute(ledger.recorded, ledger.key(entry)).fetchone()
        return answer is not None and answer[0] > 0

    def cancel(self) -> None:
        cancel(self._connection)

    def close(self) -> None:
        self._connection.close()

    def _execute(self, statement: LiteralString) -> None:
        with _statement_errors():
            self._connection.execute(statement)


class AsyncPostgreSQLSession:
    """One psycopg connection for asyncio."""

    def __init__(self, connection: WatchedAsyncConnection, destination: Destination) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._parts = _part_statements(destination, _codec(connection))
        self._statements = self._parts.whole
        _enlarge_send_buffer(connection.fileno())

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

    async def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        parts = self._parts.split(batch, start, stop)
        if parts is None:
            return await self._copy(self._statements, batch, start, stop)
        loaded = NOTHING_LOADED
        for statements, part in parts:
            with part.placing_faults():
                loaded += await self._copy(statements, part.batch, 0, len(part.batch))
        return loaded

    async def _copy(self, statements: _Statements, batch: Batch, start: int, stop: int) -> Loaded:
        chunks = _chunks(batch, start, stop)
        with _statement_errors():
            async with self._connection.cursor() as cursor:
                if not statements.has_columns:  # COPY takes no row without a column
                    await cursor.executemany(statements.insert, batch.records(start, stop))
                    return Loaded.reported(stop - start, cursor.rowcount)
                if chunks is not None:
                    async with cursor.copy(statements.copy_text) as copy:
                        for chunk in chunks:
                            await copy.write(chunk)
                    return Loaded.reported(stop - start, cursor.rowcount)
                async with cursor.copy(statements.copy) as copy:
                    if statements.binary_types:
                        copy.set_types(statements.binary_types)
                    write_row = copy.write_row
                    for record in batch.records(start, stop):
                        await write_row(record)
                return Loaded.reported(stop - start, cursor.rowcount)

    async def insert(self, batch: Batch, row: int) -> Loaded:
        statement, record = _row(self._parts, batch, row)
        try:
            with _statement_errors():
                cursor = await self._connection.execute(statement, record)
                return Loaded.reported(1, cursor.rowcount)
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
        chunks, version = _chunks(batch, 0, len(batch)), self._connection.info.server_version
        omitted = self._parts.omitted(batch, start, stop) or [()]
        isolation = self._statements.isolation
        return await run_async(
            isolation.steps(self._fetch, self._copy_into, version, batch, chunks, start, stop, omitted)
        )

    async def _fetch(self, statement: sql.Composed) -> list[Any]:
        with _statement_errors():
            cursor = await self._connection.execute(statement, prepare=False)
            return await cursor.fetchall() if cursor.description else []

    async def _copy_into(
        self, statement: sql.Composed, chunks: Iterable[bytes], records: Iterable[Sequence[Any]]
    ) -> None:
        with _statement_errors():
            async with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
                for chunk in chunks:
                    await copy.write(chunk)
                for record in records:
                    await copy.write_row(record)

    async def record(self, entry: Entry) -> bool:
        ledger = self._statements.ledger
        if ledger is None:
            return True
        with _statement_errors():
            cursor = await self._connection.execute(*ledger.record(entry))
            made = cursor.rowcount == 1
            if made and entry.rejects:
                await self._copy_into(self._statements.copy_rejects, (), ledger.reject_records(entry))
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
        cancel_async(self._connection, self._loop)

    async def close(self) -> None:
        await self._connection.close()

    async def _execute(self, statement: LiteralString) -> None:
        with _statement_errors():
            await self._connection.execute(statement)


def _part_statements(destination: Destination, codec: str) -> PartStatements[_Statements]:
    return PartStatements(destination, lambda part: _Statements(part, codec))


def _row(parts: PartStatements[_Statements], batch: Batch, row: int) -> tuple[bytes, Sequence[Any]]:
    """The INSERT statement of one row, and its values."""
    found = parts.split(batch, row, row + 1)
    if found is None:
        return parts.whole.insert, next(batch.records(row, row + 1))
    [(statements, part)] = found
    return statements.insert, next(part.batch.records())


@cache
def _ledger_statements(schema: str | None) -> WorkerStatements[bytes]:
    dialect: sa.Dialect = psycopg_dialect.dialect()  # type: ignore[no-untyped-call]
    text = text_for(dialect)
    return worker_statements(schema, dialect, lambda statement: text(statement).encode())


class _ImportLocks:
    """Implements :class:`tui_importer.backends.ledger.ImportLocks` by advisory locks."""

    def take(self, connection: sa.Connection, import_id: str) -> bool:
        """Take the lock in a transaction, for which a pooler keeps its server session. The server releases it when the
        connection ends for any reason (manual, 13.3.5). It learns at once that a process is gone, but only when it
        reads from the socket."""
        names, values = list(_HOLDER_SETTINGS), list(_HOLDER_SETTINGS.values())
        connection.exec_driver_sql(
            "SELECT set_config(name, given.value, true) FROM unnest(%(names)s::text[], %(values)s::text[]) "
            "AS given (name, value) JOIN pg_settings USING (name)",
            {"names": names, "values": values},
        )
        # Without parameters it is a simple query. The portal of any other would stay until the next statement, and with
        # it the snapshot: for as long as the run, nobody could clean up what is deleted in the whole database, least of
        # all the versions of the ledger's entries (manual, 54.2.3).
        lock = f"SELECT pg_try_advisory_xact_lock({_lock_key(import_id)})"
        until = time.monotonic() + _LOCK_TIMEOUT
        while not connection.exec_driver_sql(lock).scalar_one():
            if time.monotonic() > until:
                return False
            time.sleep(_LOCK_PERIOD)
        return True

    def end_run(self, connection: sa.Connection, run_id: str) -> None:
        connection.exec_driver_sql(_END_NAMED, {"prefix": f"{application_name(run_id)}/"})

    def end_unclaimed(self, connection: sa.Connection, import_id: str) -> None:
        prefixes = connection.exec_driver_sql(_HOLDERS, {"key": _lock_key(import_id), "age": _UNCLAIMED_SECONDS})
        for prefix in prefixes.scalars().all():
            connection.exec_driver_sql(_END_NAMED, {"prefix": prefix})


def _lock_key(import_id: str) -> int:
    return int.from_bytes(bytes.fromhex(import_id)[:8], signed=True)


def _activity_query(connection: WatchedConnection) -> str:
    return _ACTIVITY.format(_RECEIVED if connection.info.server_version >= 140_000 else "NULL")


def _finding(rows: Sequence[tuple[Any, ...]]) -> Finding:
    """Interpret the rows that the server reports for a backend (manual, tables 27.3 and 27.4)."""
    if not rows:
        return Finding(Activity.GONE, "and the server has no session for it (or a pooler none to spare)")
    # Behind a pooler, sessions that served the connection before may still have its name: take the busiest.
    return max((_finding_of(*row[1:]) for row in rows), key=lambda finding: _BUSIEST.index(finding.activity))


_BUSIEST = (Activity.GONE, Activity.WAITING, Activity.WORKING, Activity.LOCKED)


def _finding_of(
    state: str | None, event_type: str | None, event: str | None, blockers: Sequence[int], received: int | None
) -> Finding:
    if event_type == "Lock":
        held = f", held by process {' and '.join(map(str, blockers))}" if blockers else ""
        return Finding(Activity.LOCKED, f"{event}{held}")
    waits_for = f"{event_type}: {event}" if event_type else "no wait"
    if event_type == "Client" or (state or "").startswith("idle"):
        return Finding(Activity.WAITING, f"and the server is waiting for this side ({state}, {waits_for})", received)
    return Finding(Activity.WORKING, waits_for)


def _binary_types(types: Sequence[ColumnType]) -> list[str]:
    """psycopg's names of the columns' types; empty if one of them must be sent as text."""
    names = []
    for type_ in types:
        match type_.kind:
            case Kind.INTEGER:
                names.append(f"int{type_.bits // 8}")
            case Kind.FLOAT:
                names.append(f"float{type_.bits // 8}")
            case Kind.TIMESTAMP if type_.timezone:
                return []  # a time without a zone would depend on the server's TimeZone
            case kind if kind in _BINARY_TYPES:
                names.append(_BINARY_TYPES[kind])
            case _:
                return []
    return names


def _chunks(batch: Batch, start: int, stop: int) -> Iterable[bytes] | None:
    """The rows in COPY text format, if the batch was encoded in it.

    A single row is sent as values: only then does the server name the column of a text that it cannot convert.
    """
    encoded = batch.encoded
    if encoded is None or encoded.format != COPY_TEXT or stop - start == 1:
        return None
    return encoded.chunks(start, stop)


def _escaped(chunk: bytes) -> bytes:
    """Convert a chunk of rows to COPY text format. Searching for bytes that do not occur costs next to nothing."""
    for byte, escape in ((b"\\", rb"\\"), (b"\n", rb"\n"), (b"\r", rb"\r")):
        if byte in chunk:
            chunk = chunk.replace(byte, escape)
    return chunk.replace(RECORD_SEPARATOR.encode(), b"\n") + b"\n"


def _codec(connection: WatchedConnection | WatchedAsyncConnection) -> str:
    """The codec of text that the database can store: not every database uses UTF-8 (manual, 23.3)."""
    return UTF_8 if connection.info.parameter_status("server_encoding") in ("UTF8", "SQL_ASCII") else "ascii"


def _enlarge_send_buffer(number: int) -> None:
    """Let the socket with this descriptor buffer a whole batch, so that the server has work while other threads hold
    the GIL. The buffer of a Unix socket is small and does not grow (unix(7)); that of TCP grows by itself (tcp(7))."""
    if hasattr(socket, "AF_UNIX"):
        with socket.socket(fileno=os.dup(number)) as end:
            if end.family == socket.AF_UNIX:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)


@contextmanager
def _connection_errors() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise UnreachableError(f"no connection to the database: {'; '.join(lines)}", sqlstate=error.sqlstate) from error


@contextmanager
def _statement_errors() -> Iterator[None]:
    """Translate psycopg's errors into ours, by SQLSTATE and never by message text."""
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
        # Raised on the client: a value that psycopg cannot adapt, or a connection that is gone.
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
