"""The database that a check uses."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


class Database(Protocol):
    """A database of one check. The program uses ``url``; the checks prepare and read it by other means."""

    @property
    def url(self) -> str: ...

    def execute(self, statement: str) -> None:
        """Execute a statement without a result, and commit."""

    def fetch(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""


@dataclass(frozen=True)
class SQLiteDatabase:
    """An SQLite file."""

    path: Path

    @property
    def url(self) -> str:
        """The URL of the file."""
        return f"sqlite:///{self.path}"

    def execute(self, statement: str) -> None:
        """Execute a statement without a result, and commit."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement)

    def fetch(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query).fetchall()
