"""The tables of an SQLite file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from tui_importer.backends.sql import tables
from tui_importer.backends.sql.catalog import SqlCatalog
from tui_importer.backends.sql.dialects import SqlDialect
from tui_importer.backends.sqlite.errors import why_read_only
from tui_importer.core.model.table import Table
from tui_importer.core.model.write_mode import WriteMode
from tui_importer.core.writing.access import Access
from tui_importer.core.writing.catalog import BaseCatalog
from tui_importer.errors import DatabaseError


class SQLiteCatalog(SqlCatalog):
    """A file that may not be there yet."""

    def __init__(self, path: Path, engine: sa.Engine, dialect: SqlDialect) -> None:
        super().__init__(engine, dialect)
        self._path = path

    def reflect(self, name: str) -> Table | None:
        if not self._path.exists():
            return None
        return tables.reflect(self._engine, self._dialect, name, schemas=False)

    def create_schema(self, name: str) -> None:
        """Refuse it: there are none."""
        BaseCatalog.create_schema(self, name)

    def belongings(self, table: Table) -> Sequence[str]:
        """Indexes, triggers and constraints. Views name their tables, and see the new one."""
        query = sa.text(
            "SELECT type || ' ' || quote(name) FROM sqlite_master "
            "WHERE tbl_name = :name AND type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY 1"
        )
        with tables.one_line_errors("look at the table's belongings"), self._engine.connect() as connection:
            found = connection.execute(query, {"name": table.name}).scalars().all()
        return (*found, *self._lost_constraints(table))

    def supports(self, mode: WriteMode) -> bool:
        """Sessions know every mode."""
        return True

    def check_access(self, access: Access) -> None:
        if reason := why_read_only(self._path):
            raise DatabaseError(reason)
