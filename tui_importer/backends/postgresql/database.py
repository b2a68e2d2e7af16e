"""The connections on which the ledger and the catalog of PostgreSQL execute their statements."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg

from tui_importer.backends.postgresql.connections import WatchedConnection
from tui_importer.backends.sql.database import NO_PARAMETERS, DriverDatabase, Parameters, SqlConnection
from tui_importer.backends.sql.dialects import PostgreSQLDialect

if TYPE_CHECKING:
    import sqlalchemy as sa


class PostgreSQLConnection(SqlConnection):
    """A connection of psycopg, which opens a transaction with the first statement."""

    def __init__(self, driver: WatchedConnection) -> None:
        self.driver = driver

    def execute(self, statement: str, parameters: Parameters = NO_PARAMETERS) -> int:
        # Even without parameters, they are given: else psycopg would not take %% for a percent sign.
        return self.driver.execute(statement.encode(), parameters).rowcount

    def execute_many(self, statement: str, parameters: Sequence[Parameters]) -> None:
        with self.driver.cursor() as cursor:
            cursor.executemany(statement.encode(), parameters)

    def execute_script(self, script: str) -> None:
        self.driver.execute(script.encode())

    def rows(self, query: str, parameters: Parameters = NO_PARAMETERS) -> Sequence[Sequence[Any]]:
        return self.driver.execute(query.encode(), parameters).fetchall()

    def stream(self, query: str, rows: int) -> Iterator[Sequence[Sequence[Any]]]:
        with self.driver.cursor(name="tui_importer") as cursor:
            cursor.execute(query.encode(), NO_PARAMETERS)
            while chunk := cursor.fetchmany(rows):
                yield chunk

    def commit(self) -> None:
        self.driver.commit()

    def close(self) -> None:
        self.driver.close()

    @property
    def closed(self) -> bool:
        return self.driver.closed


class PostgreSQLDatabase(DriverDatabase):
    """A database of a server; ``connect`` makes its connections, of which those not in use are kept for the next."""

    def __init__(self, connect: Callable[[], WatchedConnection]) -> None:
        super().__init__(PostgreSQLDialect())
        self._connect = connect
        self._idle: list[PostgreSQLConnection] = []
        self._lock = threading.Lock()

    def connect(self) -> PostgreSQLConnection:
        return PostgreSQLConnection(self._connect())

    @contextmanager
    def connection(self) -> Iterator[SqlConnection]:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        connection = connection or self.connect()
        try:
            yield connection
        finally:
            with suppress(psycopg.Error):  # the connection is lost
                connection.driver.rollback()
            self._put_back(connection)

    def driver_cause(self, error: Exception) -> tuple[BaseException, bool] | None:
        if not isinstance(error, psycopg.Error):
            return None
        return error, error.sqlstate is None and isinstance(error, psycopg.OperationalError)

    def make_engine(self) -> sa.Engine:
        import sqlalchemy as sa

        return sa.create_engine("postgresql+psycopg://", creator=self._connect, use_native_hstore=False)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        super().close()

    def _put_back(self, connection: PostgreSQLConnection) -> None:
        if not connection.closed:
            with self._lock:
                self._idle.append(connection)
            return
        connection.close()
        self.close()  # what ended this one has probably ended the others
