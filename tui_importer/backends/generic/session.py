"""The sessions of any other database: one SQLAlchemy connection each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from tui_importer.backends.generic.errors import statement_errors
from tui_importer.backends.sql.ledger_tables import LedgerStatements, worker_statements
from tui_importer.backends.sql.session import SessionOperations, SqlSession
from tui_importer.backends.sql.sqlalchemy_database import COUNTED, SQLAlchemyDatabase
from tui_importer.core.model.batch import Batch
from tui_importer.core.writing.backend import Destination
from tui_importer.core.writing.defaults import PartStatements
from tui_importer.core.writing.ledger import Entry
from tui_importer.core.writing.loaded import NOTHING_LOADED, Loaded
from tui_importer.core.writing.operation import Operation
from tui_importer.errors import DataFault


def open_session(database: SQLAlchemyDatabase, destination: Destination) -> SqlSession:
    """A session on a connection of its own."""
    return SqlSession(GenericOperations(database, destination))


class Insert(msgspec.Struct, frozen=True):
    """An INSERT statement for a set of columns."""

    statement: sa.Insert
    names: Sequence[str]


class GenericOperations(SessionOperations[Insert]):
    """The operations of a session. DB-API 2.0 (PEP 249) has no way to cancel: statements in progress are waited for."""

    def __init__(self, database: SQLAlchemyDatabase, destination: Destination) -> None:
        ledger = None
        if destination.claim is not None:
            statements = worker_statements(destination.claim.schema, database.dialect, sa.text)
            ledger = LedgerStatements(destination.claim, statements)
        parts = PartStatements(destination, _insert_into(database))
        super().__init__(database.engine.connect(), parts, ledger, statement_errors(), lambda: None)
        self._row_errors = statement_errors(destination.table)
        self._savepoint: Any = None

    def begin(self) -> Operation[None]:
        with self._errors:
            yield self._connection.begin()

    def commit(self) -> Operation[None]:
        with self._row_errors:  # a constraint may be deferred
            yield self._connection.commit()

    def savepoint(self) -> Operation[None]:
        with self._errors:
            self._savepoint = yield self._connection.begin_nested()

    def release(self) -> Operation[None]:
        if self._savepoint is not None:
            with self._errors:
                yield self._savepoint.commit()

    def rollback_to_savepoint(self) -> Operation[None]:
        if self._savepoint is not None:
            with self._errors:
                yield self._savepoint.rollback()

    def _write(self, insert: Insert, batch: Batch, start: int, stop: int) -> Operation[Loaded]:
        records = [dict(zip(insert.names, record, strict=True)) for record in batch.records(start, stop)]
        # Without columns there is nothing to bind, so executemany cannot be used.
        calls = [records] if insert.names else [[record] for record in records]
        loaded = NOTHING_LOADED
        with self._row_errors:
            for call in calls:
                cursor = yield self._connection.execute(insert.statement, call, execution_options=COUNTED)
                loaded += Loaded.reported(len(call), cursor.rowcount)
        return loaded

    def _add_entry(self, ledger: LedgerStatements[sa.Executable], entry: Entry) -> Operation[bool]:
        try:
            return (yield from super()._add_entry(ledger, entry))
        except DataFault:
            return False  # the key exists, and the dialect has no INSERT that skips existing keys


def _insert_into(database: SQLAlchemyDatabase) -> Callable[[Destination], Insert]:
    def build(destination: Destination) -> Insert:
        types = zip(destination.columns, destination.types, strict=True)
        columns = (sa.column(name, database.dialect.sql_type(type_)) for name, type_ in types)
        table = sa.table(destination.table.name, *columns, schema=destination.table.schema)
        return Insert(sa.insert(table), destination.columns)

    return build
