"""The databases that whole imports are compared on: their tables before an import, and the rows after it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol

import psycopg

from benchmarks.measuring import COLUMNS, INDEXED, TABLE, fresh
from benchmarks.peer_data import Kind


class Indexes(StrEnum):
    """The six indexes of the business table: none, or made by this program after the load while the peers find them
    there, or there for all."""

    NONE = "none"
    MADE = "made"
    THERE = "there"


class Target(Protocol):
    """A database."""

    #: The peers that can write into it, each with its script. For the first one, which is written over calamine, the
    #: table must be there.
    peers: ClassVar[Mapping[str, str]]

    @property
    def url(self) -> str:
        """Its address, for this program and for the peers."""

    def prepare(self, kind: Kind, *, plain: bool, indexed: bool) -> None:
        """Drop all tables, and make the one to import into if it has to be there: plain, or with its indexes."""

    def columns(self) -> list[str]:
        """The columns of the table that was imported into."""

    @contextmanager
    def rows(self, columns: str) -> Iterator[Iterator[Sequence[Any]]]:
        """All rows of that table."""


@dataclass(frozen=True, slots=True)
class PostgreSQL:
    """A PostgreSQL server."""

    url: str
    peers: ClassVar[Mapping[str, str]] = {
        "calamine + COPY": "calamine_copy",
        "DuckDB": "duckdb_attach",
        "polars + ADBC": "polars_adbc",
        "fastexcel + ADBC": "fastexcel_adbc",
        "pandas": "pandas_sql",
        "dlt": "dlt_pipeline",
    }

    def prepare(self, kind: Kind, *, plain: bool, indexed: bool) -> None:
        fresh(self.url, plain=plain, indexed=indexed, columns=kind.columns)

    def columns(self) -> list[str]:
        with psycopg.connect(self.url) as connection:
            found = connection.execute(f"SELECT * FROM {TABLE} LIMIT 0").description or ()
            return [column.name for column in found]

    @contextmanager
    def rows(self, columns: str) -> Iterator[Iterator[Sequence[Any]]]:
        with psycopg.connect(self.url) as connection, connection.cursor(name="all") as cursor:
            cursor.itersize = 10_000
            yield iter(cursor.execute(f"SELECT {columns} FROM {TABLE}"))


@dataclass(frozen=True, slots=True)
class SQLite:
    """A SQLite file. It has no types for days and truth values, so that only texts are compared."""

    path: Path
    peers: ClassVar[Mapping[str, str]] = {
        "calamine + sqlite3": "calamine_sqlite",
        "DuckDB": "duckdb_attach",
        "polars + ADBC": "polars_adbc",
        "fastexcel + ADBC": "fastexcel_adbc",
        "pandas": "pandas_sql",
    }

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def prepare(self, kind: Kind, *, plain: bool, indexed: bool) -> None:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        if not plain and not indexed:
            return
        with closing(sqlite3.connect(self.path)) as connection, connection:
            stamps = ", created_at text DEFAULT CURRENT_TIMESTAMP, updated_at text DEFAULT CURRENT_TIMESTAMP"
            columns = f"id INTEGER PRIMARY KEY, {COLUMNS}{stamps}, deleted_at text" if indexed else kind.columns
            connection.execute(f"CREATE TABLE {TABLE} ({columns})")
            for column in INDEXED if indexed else ():
                connection.execute(f"CREATE INDEX {TABLE}_{column} ON {TABLE} ({column})")

    def columns(self) -> list[str]:
        with closing(sqlite3.connect(self.path)) as connection:
            return [column[0] for column in connection.execute(f"SELECT * FROM {TABLE} LIMIT 0").description]

    @contextmanager
    def rows(self, columns: str) -> Iterator[Iterator[Sequence[Any]]]:
        with closing(sqlite3.connect(self.path)) as connection:
            yield connection.execute(f"SELECT {columns} FROM {TABLE}")
