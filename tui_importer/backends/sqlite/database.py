"""The connections on which the ledger and the catalog of an SQLite file execute their statements."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from tui_importer.backends.sql.database import NO_PARAMETERS, DriverDatabase, Parameters, SqlConnection
from tui_importer.backends.sql.dialects import SQLiteDialect

if TYPE_CHECKING:
    import sqlalchemy as sa


class SQLiteConnection(SqlConnection):
    """A connection of sqlite3 in autocommit mode: the dialect opens the transactions."""

    closed = False

    def __init__(self, driver: sqlite3.Connection) -> None:
        self._driver = driver

    def execute(self, statement: str, parameters: Parameters = NO_PARAMETERS) -> int:
        return self._driver.execute(statement, parameters).rowcount

    def execute_many(self, statement: str, parameters: Sequence[Parameters]) -> None:
        self._driver.executemany(statement, parameters)

    def execute_script(self, script: str) -> None:
        self._driver.execute(script)

    def rows(self, query: str, parameters: Parameters = NO_PARAMETERS) -> Sequence[Sequence[Any]]:
        return self._driver.execute(query, parameters).fetchall()

    def stream(self, query: str, rows: int) -> Iterator[Sequence[Sequence[Any]]]:
        with closing(self._driver.execute(query)) as cursor:
            while chunk := cursor.fetchmany(rows):
                yield chunk

    def commit(self) -> None:
        self._driver.commit()

    def close(self) -> None:
        self._driver.close()
        self.closed = True


class SQLiteDatabase(DriverDatabase):
    """An SQLite file; ``connect`` opens a connection in autocommit mode."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(SQLiteDialect())
        self._connect = connect

    def connect(self) -> SQLiteConnection:
        return SQLiteConnection(self._connect())

    @contextmanager
    def connection(self) -> Iterator[SqlConnection]:
        with closing(self.connect()) as connection:  # what is not committed is rolled back
            yield connection

    def driver_cause(self, error: Exception) -> tuple[BaseException, bool] | None:
        return (error, False) if isinstance(error, sqlite3.Error) else None

    def make_engine(self) -> sa.Engine:
        import sqlalchemy as sa

        return sa.create_engine("sqlite://", creator=self._connect, poolclass=sa.NullPool)
