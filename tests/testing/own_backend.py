"""A backend as a stranger writes one: with public names only, for a database that SQLAlchemy knows."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from tui_importer import (
    BackendSpec,
    BaseBackend,
    Batch,
    ConnectionSettings,
    DatabaseError,
    DataFault,
    Destination,
    ErrorTranslation,
    LedgerStatements,
    Loaded,
    Operation,
    PartStatements,
    Session,
    SessionOperations,
    SQLAlchemyDatabase,
    SqlCatalog,
    SqlLedger,
    SqlSession,
    worker_statements,
)


class OwnBackend(BaseBackend):
    """SQLite, at the address ``own:///path``."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._engine = sa.create_engine(settings.url.replace("own:", "sqlite:"), poolclass=sa.NullPool)
        self._database = SQLAlchemyDatabase(self._engine)
        self.catalog = SqlCatalog(self._database)

    def connect(self) -> None:
        self._engine.connect().close()

    def ledger(self, schema: str | None) -> SqlLedger:
        return SqlLedger(self._database, schema)

    def open_session(self, destination: Destination) -> Session:
        return SqlSession(OwnOperations(self._database, destination))


class OwnOperations(SessionOperations[sa.Insert]):
    """The statements of a session."""

    def __init__(self, database: SQLAlchemyDatabase, destination: Destination) -> None:
        ledger = None
        if (claim := destination.claim) is not None:
            ledger = LedgerStatements(claim, worker_statements(claim.schema, database.dialect, sa.text))
        errors = ErrorTranslation(translated)
        super().__init__(database.engine.connect(), PartStatements(destination, insert), ledger, errors, lambda: None)

    def begin(self) -> Operation[None]:
        yield self._connection.begin()

    def savepoint(self) -> Operation[None]:
        self._savepoint: Any = yield self._connection.begin_nested()

    def release(self) -> Operation[None]:
        yield self._savepoint.commit()

    def rollback_to_savepoint(self) -> Operation[None]:
        yield self._savepoint.rollback()

    def _write(self, statement: sa.Insert, batch: Batch, start: int, stop: int) -> Operation[Loaded]:
        names = [column.name for column in statement.table.columns]
        rows = [dict(zip(names, record, strict=True)) for record in batch.records(start, stop)]
        yield from self._execute(statement, rows)
        return Loaded(len(rows))


def insert(destination: Destination) -> sa.Insert:
    """The statement that writes these columns."""
    return sa.insert(sa.table(destination.table.name, *map(sa.column, destination.columns)))


def translated(error: Exception) -> DatabaseError | None:
    """Our error for one of SQLAlchemy's."""
    if isinstance(error, sa.exc.IntegrityError):
        return DataFault(str(error.orig))
    return DatabaseError(str(error)) if isinstance(error, sa.exc.SQLAlchemyError) else None


SPEC = BackendSpec("own", "of a stranger", f"{__name__}:OwnBackend", schemes=("own",), schemas=False)
