"""A database as the checks see it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


class Database(Protocol):
    """A database of one check: ``url`` for the program; the checks themselves look and prepare by other means."""

    @property
    def url(self) -> str: ...

    def execute(self, statement: str) -> None:
        """Run a statement that gives nothing back, and commit."""

    def fetch(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""


@dataclass(frozen=True)
class SQLiteDatabase:
    """An SQLite file."""

    path: Path

    @property
    def url(self) -> str:
        """Its address."""
        return f"sqlite:///{self.path}"

    def execute(self, statement: str) -> None:
        """Run a statement that gives nothing back, and commit."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement)

    def fetch(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query).fetchall()
