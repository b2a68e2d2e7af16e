"""The tables of an SQL database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tui_importer.backends.sql.database import SqlConnection, SqlDatabase
from tui_importer.core.model.table import ConstraintKind, Index, Table, TableColumn
from tui_importer.core.model.table_names import split_table_name
from tui_importer.core.writing.catalog import BaseCatalog
from tui_importer.errors import DatabaseError, TransientFault


class SqlCatalog(BaseCatalog):
    """Implements :class:`tui_importer.core.writing.catalog.Catalog` for an SQL database."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self._dialect = database.dialect

    def reflect(self, name: str) -> Table | None:
        schema, table = split_table_name(name)
        if not self._dialect.schemas and schema is not None:
            schema, table = None, name  # a dot needs no quotes
        return self._read_definition(f"read the definition of table {name!r}", table, schema)

    def create_table(self, table: Table) -> None:
        with self._database.transaction(f"create table {table.qualified_name!r}") as connection:
            for statement in self._dialect.creation(table):
                connection.execute(statement)

    def create_schema(self, name: str) -> None:
        with self._database.transaction(f"create schema {name!r}") as connection:
            # Asked first: PostgreSQL wants the right to create schemas even if IF NOT EXISTS has nothing to create.
            if not self._dialect.has_schema(connection, name):
                connection.execute(self._dialect.schema_creation(name))

    def add_columns(self, table: Table, columns: Sequence[TableColumn]) -> None:
        found = self.reflect(table.qualified_name)
        missing = [column for column in columns if found is None or found.column(column.name) is None]
        with self._database.transaction(f"add columns to table {table.qualified_name!r}") as connection:
            for statement in self._dialect.column_additions(table, missing):
                connection.execute(statement)

    def definition_statements(
        self, table: Table, *, create: bool, added: Sequence[TableColumn], indexes: Sequence[Index]
    ) -> Sequence[str]:
        dialect, quote = self._dialect, self._dialect.display
        if not create:
            return dialect.column_additions(table, added, quote)
        schemas = []
        if table.schema is not None:
            with self._database.reading("look at the schemas") as connection:
                if not dialect.has_schema(connection, table.schema):
                    schemas = [dialect.schema_creation(table.schema, quote)]
        made = (dialect.index_creation(table, index, quote) for index in indexes)
        return [*schemas, *dialect.creation(table, quote), *made]

    def create_stage(self, table: Table, stage: Table, *, exists: bool) -> None:
        if not exists:
            self.create_table(stage)
            return
        from tui_importer.backends.sql import reflection  # it imports SQLAlchemy

        with self._database.inspecting(f"create the staging table {stage.qualified_name!r}") as inspected:
            reflection.create_stage(inspected, self._dialect, table, stage)
            inspected.commit()

    def drop_table(self, table: Table) -> None:
        with self._database.transaction(f"drop table {table.qualified_name!r}") as connection:
            connection.execute(self._dialect.dropping(table))

    def create_indexes(self, table: Table, indexes: Sequence[Index], on_made: Callable[[Index], None]) -> None:
        for index in indexes:
            self._create_index(table, index)
            on_made(index)

    def count(self, table: Table) -> int:
        with self._reading(f"count the rows of table {table.qualified_name!r}", table) as connection:
            return int(connection.value(self._dialect.compose("SELECT count(*) FROM {table}", table=table)))

    def holds_rows(self, table: Table) -> bool:
        with self._reading(f"look into table {table.qualified_name!r}", table) as connection:
            if not self._dialect.has_table(connection, table.name, table.schema):
                return False
            query = self._dialect.compose("SELECT 1 FROM {table}", table=table)
            return connection.row(self._dialect.limited(query, 1)) is not None

    def read(self, table: Table, columns: Sequence[str], rows: int) -> Iterator[Sequence[Sequence[Any]]]:
        query = self._dialect.compose("SELECT {columns} FROM {table}", columns=columns, table=table)
        with self._reading(f"read table {table.qualified_name!r}", table) as connection:
            yield from connection.stream(query, rows)

    def referring_tables(self, table: Table) -> Sequence[str]:
        from tui_importer.backends.sql import reflection  # it imports SQLAlchemy

        with self._database.inspecting("read the foreign keys") as inspected:
            return reflection.referring_tables(inspected, table)

    def _read_definition(self, doing: str, table: str, schema: str | None) -> Table | None:
        """The definition of a table; errors say that it was not possible to do this."""
        with self._database.reading(doing) as connection:
            if not self._dialect.has_table(connection, table, schema):
                return None
        from tui_importer.backends.sql import reflection  # it imports SQLAlchemy

        with self._database.inspecting(doing) as inspected:
            return reflection.reflect(inspected, self._dialect, table, schema)

    def _lost_constraints(self, table: Table) -> list[str]:
        """The constraints of a table that exists, beyond the primary key: the new table would not have them."""
        found = self.reflect(table.qualified_name)
        declared = found.declared if found is not None else ()
        kept = (ConstraintKind.PRIMARY, ConstraintKind.NOT_NULL)
        return [f"{each.kind} {each.label or ', '.join(each.columns)!r}" for each in declared if each.kind not in kept]

    def _create_index(self, table: Table, index: Index) -> None:
        """Create one index of the table, unless it has one of that name."""
        with self._database.transaction(f"create index {index.name!r}") as connection:
            if not self._dialect.has_index(connection, table, index.name):
                connection.execute(self._dialect.index_creation(table, index))

    def _check_reading(self, table: Table) -> None:
        """Called after reading has failed: raise :class:`~tui_importer.errors.DatabaseError` with the GRANT statements
        if the user may not read the table."""

    @contextmanager
    def _reading(self, doing: str, table: Table) -> Iterator[SqlConnection]:
        try:
            with self._database.reading(doing) as connection:
                yield connection
        except TransientFault:
            raise
        except DatabaseError:
            self._check_reading(table)
            raise
