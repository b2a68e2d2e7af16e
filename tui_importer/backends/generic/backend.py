"""Any other database that SQLAlchemy supports, written with plain INSERT statements."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import sqlalchemy as sa
from sqlalchemy import exc

from tui_importer.backends import tables
from tui_importer.backends.faults import is_transient
from tui_importer.backends.ledger import SqlLedger
from tui_importer.backends.ledger_tables import LedgerStatements, worker_statements
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.table import Index, Table
from tui_importer.core.writing.backend import ConnectionSettings, Destination
from tui_importer.core.writing.defaults import PartStatements
from tui_importer.core.writing.ledger import Entry
from tui_importer.core.writing.loaded import NOTHING_LOADED, Loaded
from tui_importer.core.writing.threaded_async_session import ThreadedAsyncSession
from tui_importer.errors import DatabaseError, DataFault, TransientFault, UnreachableError, UsageError


def engine_for(url: str) -> sa.Engine:
    """Create the engine of a URL without connecting; raises :class:`UsageError` if its driver is not installed."""
    try:
        return sa.create_engine(url, poolclass=sa.NullPool)
    except exc.NoSuchModuleError as error:
        scheme = url.partition(":")[0]
        raise UsageError(f"no driver for {scheme}:// URLs is known: install one for SQLAlchemy") from error
    except ModuleNotFoundError as error:
        raise UsageError(f"the driver for this database URL is not installed: {error.name}") from error
    except (exc.ArgumentError, ValueError):
        # The message may repeat the password.
        raise UsageError("malformed database URL: write dialect+driver://user@host:port/database") from None


class Generic:
    """A database behind an SQLAlchemy URL. Its driver is installed separately."""

    max_writers: ClassVar[int | None] = 1
    writer_note: ClassVar[str] = "one worker writes: nothing is known here about how this database shares a table"

    def __init__(self, settings: ConnectionSettings) -> None:
        self._engine = engine_for(settings.url)
        if self._engine.dialect.name == "sqlite":
            _begin_explicitly(self._engine)

    def connect(self) -> None:
        try:
            self._engine.connect().close()
        except exc.SQLAlchemyError as error:
            cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig else error
            raise UnreachableError(f"no connection to the database: {tables.first_line(cause)}") from error

    def ledger(self, schema: str | None) -> SqlLedger:
        return SqlLedger(self._engine, schema)

    def reflect(self, name: str) -> Table | None:
        return tables.reflect(self._engine, name)

    def create_table(self, table: Table) -> None:
        tables.create_table(self._engine, table)

    def create_stage(self, table: Table, stage: Table, *, exists: bool) -> None:
        tables.create_stage(self._engine, table, stage, exists=exists)

    def drop_table(self, table: Table) -> None:
        tables.drop_table(self._engine, table)

    def create_indexes(self, table: Table, indexes: Sequence[Index], on_made: Callable[[Index], None]) -> None:
        for index in indexes:
            tables.create_index(self._engine, table, index)
            on_made(index)

    def encode(self, batch: Batch) -> None:
        """Drivers take Python values, so there is nothing to encode in advance."""

    def open_session(self, destination: Destination) -> GenericSession:
        self.connect()
        return GenericSession(self._engine, destination)

    async def open_async_session(self, destination: Destination) -> ThreadedAsyncSession:
        return ThreadedAsyncSession(self.open_session(destination))

    def cancel(self) -> None:
        """DB-API 2.0 (PEP 249) has no way to cancel: statements in progress are waited for."""

    def close(self) -> None:
        self._engine.dispose()


class GenericSession:
    """One SQLAlchemy connection."""

    def __init__(self, engine: sa.Engine, destination: Destination) -> None:
        self._connection = engine.connect()
        self._table = destination.table
        self._parts = PartStatements(destination, _Insert.into)
        self._savepoint: sa.NestedTransaction | None = None
        self._ledger: LedgerStatements[sa.Executable] | None = None
        if destination.claim is not None:
            statements = worker_statements(destination.claim.schema, engine.dialect, lambda statement: statement)
            self._ledger = LedgerStatements(destination.claim, statements)

    def begin(self) -> None:
        with _statement_errors():
            self._connection.begin()

    def commit(self) -> None:
        with _statement_errors(self._table):  # a constraint may be deferred
            self._connection.commit()

    def rollback(self) -> None:
        with _statement_errors():
            self._connection.rollback()

    def savepoint(self) -> None:
        with _statement_errors():
            self._savepoint = self._connection.begin_nested()

    def release(self) -> None:
        if self._savepoint is not None:
            with _statement_errors():
                self._savepoint.commit()

    def rollback_to_savepoint(self) -> None:
        if self._savepoint is not None:
            with _statement_errors():
                self._savepoint.rollback()

    def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        parts = self._parts.split(batch, start, stop)
        if parts is None:
            return self._load(self._parts.whole, batch, start, stop)
        loaded = NOTHING_LOADED
        for insert, part in parts:
            with part.placing_faults():
                loaded += self._load(insert, part.batch, 0, len(part.batch))
        return loaded

    def _load(self, insert: _Insert, batch: Batch, start: int, stop: int) -> Loaded:
        records = [dict(zip(insert.names, record, strict=True)) for record in batch.records(start, stop)]
        # Without columns there is nothing to bind, so executemany cannot be used.
        calls = [records] if insert.names else [[record] for record in records]
        with _statement_errors(self._table):
            counts = [
                self._connection.execute(insert.statement, call, execution_options=tables.COUNTED).rowcount
                for call in calls
            ]
        return sum(map(Loaded.reported, map(len, calls), counts), NOTHING_LOADED)

    def insert(self, batch: Batch, row: int) -> Loaded:
        return self.load(batch, row, row + 1)

    def record(self, entry: Entry) -> bool:
        if self._ledger is None:
            return True
        statement, values = self._ledger.record(entry)
        try:
            with _statement_errors():
                made = self._connection.execute(statement, values).rowcount == 1
        except DataFault:
            return False  # the key exists, and the dialect has no INSERT that skips existing keys
        if made and entry.rejects:
            with _statement_errors():
                self._connection.execute(self._ledger.reject, self._ledger.rejects(entry))
        return made

    def recorded(self, entry: Entry) -> bool:
        if self._ledger is None:
            return False
        with _statement_errors():
            answer = self._connection.execute(self._ledger.recorded, self._ledger.key(entry)).scalar_one()
            self._connection.rollback()
        return bool(answer)

    def cancel(self) -> None:
        """See :meth:`Generic.cancel`."""

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True, slots=True)
class _Insert:
    """An INSERT statement for a set of columns."""

    statement: sa.Insert
    names: Sequence[str]

    @classmethod
    def into(cls, destination: Destination) -> Self:
        types = zip(destination.columns, destination.types, strict=True)
        columns = (sa.column(name, tables.sql_type(type_)) for name, type_ in types)
        table = sa.table(destination.table.name, *columns, schema=destination.table.schema)
        return cls(sa.insert(table), destination.columns)


@contextmanager
def _statement_errors(table: Table | None = None) -> Iterator[None]:
    """Translate SQLAlchemy's errors into ours, by the exception classes of PEP 249. ``table`` is the target of the
    rows, used to name the violated constraint."""
    try:
        yield
    except exc.DBAPIError as error:
        cause: BaseException = error.orig or error
        sqlstate = getattr(cause, "sqlstate", None)
        if isinstance(error, exc.IntegrityError | exc.DataError):
            message = tables.first_line(cause)
            column, constraint = violated(message, table) if table is not None else (None, None)
            kind = _kind(cause)
            raise DataFault(message, sqlstate=sqlstate, column=column, constraint=constraint, kind=kind) from error
        if error.connection_invalidated:
            message = f"the connection was lost: {tables.first_line(cause)}"
            raise TransientFault(message, sqlstate=sqlstate) from error
        if is_transient(cause):
            raise TransientFault(tables.first_line(cause), sqlstate=sqlstate) from error
        raise DatabaseError(tables.first_line(cause), sqlstate=sqlstate) from error
    except exc.StatementError as error:
        # Raised on the client: a value that the driver or the type cannot adapt.
        raise DataFault(tables.first_line(error.orig or error)) from error
    except (UnicodeError, OverflowError) as error:
        raise DataFault(str(error)) from error


def _kind(error: BaseException) -> str | None:
    """The driver's error number, if it is the first argument of the error, as in MySQL's drivers."""
    number = error.args[0] if error.args else None
    return f"{type(error).__name__} {number}" if isinstance(number, int) else None


def violated(message: str, table: Table) -> tuple[str | None, str | None]:
    """The column and the constraint that an error message names. PEP 249 has no attribute for either, but most
    databases put them into the message. The message may also hold values, so an ambiguous one names nothing."""
    labels = (constraint.label for constraint in table.declared)
    named = [label for label in labels if label is not None and _place(label, message) is not None]
    if len(named) == 1:
        return None, named[0]
    places = {column.name: _place(f"{table.name}.{column.name}", message) for column in table.columns}
    mentioned = [(place, name) for name, place in places.items() if place is not None]
    return (min(mentioned)[1] if mentioned else None), None


def _place(name: str, message: str) -> int | None:
    found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", message, re.IGNORECASE)
    return found.start() if found else None


def _begin_explicitly(engine: sa.Engine) -> None:
    """Make pysqlite open transactions where we say so: by default it opens none before a SAVEPOINT (SQLAlchemy's
    documentation of the SQLite dialect, "Serializable isolation / Savepoints / Transactional DDL")."""

    @sa.event.listens_for(engine, "connect")
    def _on_connect(connection: Any, record: object) -> None:
        connection.isolation_level = None

    @sa.event.listens_for(engine, "begin")
    def _on_begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")
