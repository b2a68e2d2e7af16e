"""PostgreSQL through psycopg 3: COPY in text format for batches of plain text, else in binary format where every type
allows it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from tui_importer.backends.postgresql.activity import look_up
from tui_importer.backends.postgresql.catalog import PostgreSQLCatalog
from tui_importer.backends.postgresql.connections import StatementLink, WatchedConnection, cancel
from tui_importer.backends.postgresql.connector import Connector
from tui_importer.backends.postgresql.copy_text import encoded_for_copy
from tui_importer.backends.postgresql.database import PostgreSQLDatabase
from tui_importer.backends.postgresql.loaders import register_loaders
from tui_importer.backends.postgresql.locks import AdvisoryLocks
from tui_importer.backends.postgresql.privileges import check_ledger
from tui_importer.backends.postgresql.session import codec, open_async_session, open_session
from tui_importer.backends.sql.ledger import SqlLedger
from tui_importer.backends.sql.ledger_tables import UTF_8
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.encoded import EncodedBatch
from tui_importer.core.scheduling.stalls import Finding
from tui_importer.core.writing.backend import AsyncSession, ConnectionSettings, Destination, Session
from tui_importer.core.writing.base import BaseBackend


class PostgreSQL(BaseBackend):
    """A PostgreSQL database. Missing parts of the URL come from libpq's environment, service file and .pgpass."""

    max_writers = None
    writer_note = ""
    nested_savepoints = True

    def __init__(self, settings: ConnectionSettings) -> None:
        self._connector = Connector(settings)
        self._connections: set[WatchedConnection] = set()
        self._idle: list[WatchedConnection] = []
        self._codec = UTF_8
        self._database = PostgreSQLDatabase(self._tracked_connection)
        self.catalog = PostgreSQLCatalog(self._database)

    @property
    def round_trip(self) -> float | None:  # type: ignore[override]
        """The least that any of the engine's connections has seen."""
        seen = [each.round_trip for each in list(self._connections) if each.round_trip is not None]
        return min(seen, default=None)

    def connect(self) -> None:
        connection = self._tracked_connection()
        self._codec = codec(connection)
        self._idle.append(connection)  # for the first session

    def ledger(self, schema: str | None) -> SqlLedger:
        return SqlLedger(
            self._database,
            schema,
            locks=AdvisoryLocks(),
            codec=self._codec,
            check_rights=partial(check_ledger, self._database, schema),
        )

    def encode(self, batch: Batch) -> EncodedBatch | None:
        return encoded_for_copy(batch)

    def open_session(self, destination: Destination) -> Session:
        return open_session(self._idle.pop() if self._idle else self._connector.connect(), destination)

    async def open_async_session(self, destination: Destination) -> AsyncSession:
        return open_async_session(await self._connector.connect_async(), destination)

    def links(self) -> Sequence[Any]:
        return list(self._connector.links)

    def look_up(self, links: Sequence[StatementLink], seconds: float) -> Sequence[Finding]:
        return look_up(self._connector, links, seconds)

    def cancel(self) -> None:
        for connection in list(self._connections):
            cancel(connection)

    def close(self) -> None:
        self._database.close()
        for connection in self._idle:
            connection.close()

    def _tracked_connection(self) -> WatchedConnection:
        """Open a connection that :meth:`cancel` reaches."""
        connection = self._connector.connect()
        register_loaders(connection)
        self._connections.add(connection)
        return connection
