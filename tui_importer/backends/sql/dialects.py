"""What differs between SQL databases, as hooks: nothing else asks which database it talks to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from tui_importer.core.conversion.parsing import as_text


class SqlDialect:
    """How a kind of SQL database differs from others. These defaults suit a database of which nothing is known."""

    #: The width in bits of every integer column, whatever its declared type; None: that of the declared type.
    integer_bits: int | None = None
    #: Whether tables may have CHECK constraints of the same name as those of other tables.
    checks_named_per_table = False
    #: Whether the driver executes several statements in one text.
    takes_scripts = False

    def prepare(self, engine: sa.Engine) -> None:
        """Prepare an engine that was made from a URL alone."""

    def has_table(self, connection: sa.Connection, name: str, schema: str | None) -> bool:
        """Whether there is a table or view of this name, in a schema or where names without a schema are looked up."""
        return sa.inspect(connection).has_table(name, schema=schema)

    def key_type(self) -> sa.types.TypeEngine[Any]:
        """The type of an integer in a primary key."""
        return sa.BigInteger()

    def interval_type(self) -> sa.types.TypeEngine[Any]:
        """The type of an interval."""
        return sa.Interval()

    def numbers(self, column: str, type_: sa.types.TypeEngine[Any], primary_key: Sequence[str]) -> bool:
        """Whether the database numbers this column by itself, although the column has no default."""
        return False

    def insert_ignore(self, table: sa.Table) -> sa.Insert:
        """An INSERT that leaves out rows whose key is there already; without such a statement, one that fails for
        them."""
        return sa.insert(table)

    def empty(self, connection: sa.Connection, table: sa.TableClause) -> None:
        """Remove all rows of a table, in the open transaction."""
        connection.execute(sa.delete(table))


class OnConflictDialect(SqlDialect, ABC):
    """A database whose INSERT has ON CONFLICT."""

    @abstractmethod
    def _insert(self, table: sa.Table) -> Any:
        """SQLAlchemy's INSERT of this database."""

    def insert_ignore(self, table: sa.Table) -> sa.Insert:
        statement: sa.Insert = self._insert(table).on_conflict_do_nothing()
        return statement


#: The kinds are tables, also partitioned and foreign ones, and views (manual, 52.11).
_RELATIONS = """
    SELECT EXISTS (
        SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relname = %(name)s AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND CASE
            WHEN CAST(%(schema)s AS text) IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
            ELSE n.nspname = %(schema)s END)
"""


class PostgreSQLDialect(OnConflictDialect):
    """PostgreSQL."""

    takes_scripts = True
    checks_named_per_table = True

    def has_table(self, connection: sa.Connection, name: str, schema: str | None) -> bool:
        """SQLAlchemy puts its own query together anew for every import, which takes longer than the query."""
        found = connection.exec_driver_sql(_RELATIONS, {"name": name, "schema": schema})
        return bool(found.scalar_one())

    def _insert(self, table: sa.Table) -> Any:
        from sqlalchemy.dialects.postgresql import insert  # most databases do not need it

        return insert(table)

    def empty(self, connection: sa.Connection, table: sa.TableClause) -> None:
        """TRUNCATE can be undone like any other statement (manual, TRUNCATE)."""
        preparer = connection.dialect.identifier_preparer
        names = [preparer.quote(part) for part in (table.schema, table.name) if part]
        connection.exec_driver_sql(f"TRUNCATE TABLE {'.'.join(names)}")


class SQLiteDialect(OnConflictDialect):
    """SQLite."""

    integer_bits = 64  # SQLite documentation, "Datatypes In SQLite"
    checks_named_per_table = True

    def prepare(self, engine: sa.Engine) -> None:
        """Make pysqlite open transactions where we say so: by default it opens none before a SAVEPOINT (SQLAlchemy's
        documentation of the SQLite dialect, "Serializable isolation / Savepoints / Transactional DDL")."""

        @sa.event.listens_for(engine, "connect")
        def _on_connect(connection: Any, record: object) -> None:
            connection.isolation_level = None

        @sa.event.listens_for(engine, "begin")
        def _on_begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN")

    def key_type(self) -> sa.types.TypeEngine[Any]:
        return sa.Integer()  # only INTEGER PRIMARY KEY is numbered

    def interval_type(self) -> sa.types.TypeEngine[Any]:
        return IntervalText()

    def numbers(self, column: str, type_: sa.types.TypeEngine[Any], primary_key: Sequence[str]) -> bool:
        """A single INTEGER PRIMARY KEY is the rowid (SQLite documentation, "ROWIDs and the INTEGER PRIMARY KEY")."""
        return list(primary_key) == [column] and isinstance(type_, sa.Integer)

    def _insert(self, table: sa.Table) -> Any:
        from sqlalchemy.dialects.sqlite import insert  # most databases do not need it

        return insert(table)


class IntervalText(sa.types.TypeDecorator[Any]):
    """Intervals as text, for databases without an interval type."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        """The value to bind for a cell."""
        return None if value is None else as_text(value)


#: The hooks of the databases that differ, by SQLAlchemy's name of their dialect.
_DIALECTS = {"postgresql": PostgreSQLDialect(), "sqlite": SQLiteDialect()}


def dialect_of(engine: sa.Engine) -> SqlDialect:
    """The hooks of the engine's database."""
    return _DIALECTS.get(engine.dialect.name, _UNKNOWN)


_UNKNOWN = SqlDialect()
