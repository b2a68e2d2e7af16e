"""The tables of an SQLite file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tui_importer.backends.sql.catalog import SqlCatalog
from tui_importer.backends.sqlite.database import SQLiteDatabase
from tui_importer.backends.sqlite.errors import why_read_only
from tui_importer.core.model.table import Table
from tui_importer.core.model.write_mode import WriteMode
from tui_importer.core.writing.access import Access
from tui_importer.core.writing.catalog import BaseCatalog
from tui_importer.errors import DatabaseError


class SQLiteCatalog(SqlCatalog):
    """A file that may not be there yet."""

    def __init__(self, path: Path, database: SQLiteDatabase) -> None:
        super().__init__(database)
        self._path = path

    def reflect(self, name: str) -> Table | None:
        return super().reflect(name) if self._path.exists() else None

    def create_schema(self, name: str) -> None:
        """Refuse it: there are none."""
        BaseCatalog.create_schema(self, name)

    def belongings(self, table: Table) -> Sequence[str]:
        """Indexes, triggers and constraints. Views name their tables, and see the new one."""
        query = (
            "SELECT type || ' ' || quote(name) FROM sqlite_master "
            "WHERE tbl_name = :name AND type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY 1"
        )
        with self._database.reading("look at the table's belongings") as connection:
            found = connection.rows(query, {"name": table.name})
        return (*(name for (name,) in found), *self._lost_constraints(table))

    def supports(self, mode: WriteMode) -> bool:
        """Sessions know every mode."""
        return True

    def check_access(self, access: Access) -> None:
        if reason := why_read_only(self._path):
            raise DatabaseError(reason)
