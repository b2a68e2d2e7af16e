"""The tables of an SQL database, through SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from tui_importer.backends.sql import tables
from tui_importer.backends.sql.dialects import SqlDialect
from tui_importer.core.model.table import ConstraintKind, Index, Table, TableColumn
from tui_importer.core.writing.catalog import BaseCatalog
from tui_importer.errors import DatabaseError, TransientFault


class SqlCatalog(BaseCatalog):
    """Implements :class:`tui_importer.core.writing.catalog.Catalog` on an SQLAlchemy engine."""

    def __init__(self, engine: sa.Engine, dialect: SqlDialect) -> None:
        self._engine = engine
        self._dialect = dialect

    def reflect(self, name: str) -> Table | None:
        return tables.reflect(self._engine, self._dialect, name)

    def create_table(self, table: Table) -> None:
        tables.create_table(self._engine, self._dialect, table)

    def create_schema(self, name: str) -> None:
        with tables.one_line_errors(f"create schema {name!r}"), self._engine.begin() as connection:
            # Not IF NOT EXISTS, for which PostgreSQL wants the right to create schemas even if this one is there.
            if name not in sa.inspect(connection).get_schema_names():
                connection.execute(sa.schema.CreateSchema(name, if_not_exists=True))

    def add_columns(self, table: Table, columns: Sequence[TableColumn]) -> None:
        tables.add_columns(self._engine, self._dialect, table, columns)

    def definition_statements(
        self, table: Table, *, create: bool, added: Sequence[TableColumn], indexes: Sequence[Index]
    ) -> Sequence[str]:
        return tables.definition_statements(
            self._engine, self._dialect, table, create=create, added=added, indexes=indexes
        )

    def create_stage(self, table: Table, stage: Table, *, exists: bool) -> None:
        tables.create_stage(self._engine, self._dialect, table, stage, exists=exists)

    def drop_table(self, table: Table) -> None:
        tables.drop_table(self._engine, table)

    def create_indexes(self, table: Table, indexes: Sequence[Index], on_made: Callable[[Index], None]) -> None:
        for index in indexes:
            self._create_index(table, index)
            on_made(index)

    def count(self, table: Table) -> int:
        target = sa.table(table.name, schema=table.schema)
        with self._reading(f"count the rows of table {table.qualified_name!r}", table) as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(target)).scalar_one())

    def holds_rows(self, table: Table) -> bool:
        target = sa.table(table.name, schema=table.schema)
        with self._reading(f"look into table {table.qualified_name!r}", table) as connection:
            if not self._dialect.has_table(connection, table.name, table.schema):
                return False
            query: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(target).limit(1)
            return connection.execute(query).first() is not None

    def read(self, table: Table, columns: Sequence[str], rows: int) -> Iterator[Sequence[Sequence[Any]]]:
        names: list[sa.ColumnClause[Any]] = [sa.column(name) for name in columns]
        query: sa.Select[Any] = sa.select(*names).select_from(sa.table(table.name, *names, schema=table.schema))
        with self._reading(f"read table {table.qualified_name!r}", table) as connection:
            yield from connection.execution_options(yield_per=rows).execute(query).partitions()

    def referring_tables(self, table: Table) -> Sequence[str]:
        with tables.one_line_errors("read the foreign keys"), self._engine.connect() as connection:
            return tables.referring_tables(connection, table)

    def _lost_constraints(self, table: Table) -> list[str]:
        """The constraints of a table that exists, beyond the primary key: the new table would not have them."""
        found = self.reflect(table.qualified_name)
        declared = found.declared if found is not None else ()
        kept = (ConstraintKind.PRIMARY, ConstraintKind.NOT_NULL)
        return [f"{each.kind} {each.label or ', '.join(each.columns)!r}" for each in declared if each.kind not in kept]

    def _create_index(self, table: Table, index: Index) -> None:
        tables.create_index(self._engine, self._dialect, table, index)

    def _check_reading(self, table: Table) -> None:
        """Called after reading has failed: raise :class:`~tui_importer.errors.DatabaseError` with the GRANT statements
        if the user may not read the table."""

    @contextmanager
    def _reading(self, doing: str, table: Table) -> Iterator[sa.Connection]:
        try:
            with tables.one_line_errors(doing), self._engine.connect() as connection:
                yield connection
        except TransientFault:
            raise
        except DatabaseError:
            self._check_reading(table)
            raise
