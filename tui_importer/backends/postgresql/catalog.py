"""The tables of a PostgreSQL database."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from msgspec.structs import replace

from tui_importer.backends.postgresql import privileges
from tui_importer.backends.postgresql.belongings import belongings
from tui_importer.backends.postgresql.reflection import reflect
from tui_importer.backends.postgresql.sequences import advance_sequences
from tui_importer.backends.sql.catalog import SqlCatalog
from tui_importer.core.conversion.literals import LITERAL_KINDS
from tui_importer.core.model.table import Index, Table
from tui_importer.core.model.write_mode import WriteMode
from tui_importer.core.writing.access import Access


class PostgreSQLCatalog(SqlCatalog):
    """Knows what the user may do, and the sequences."""

    def reflect(self, name: str) -> Table | None:
        table = super().reflect(name)
        if table is None:
            return None
        columns = (
            replace(column, type=dataclasses.replace(column.type, literals=column.type.kind in LITERAL_KINDS))
            for column in table.columns
        )
        return replace(table, columns=tuple(columns))

    def create_indexes(self, table: Table, indexes: Sequence[Index], on_made: Callable[[Index], None]) -> None:
        """Build several indexes at a time, each on its own connection: the builds share the table's lock (manual,
        13.3.1)."""

        def make(index: Index) -> None:
            self._create_index(table, index)
            on_made(index)

        with ThreadPoolExecutor(min(len(indexes), os.cpu_count() or 1), thread_name_prefix="index") as pool:
            for _ in pool.map(make, indexes):
                pass

    def belongings(self, table: Table) -> Sequence[str]:
        return (*belongings(self._database, table), *self._lost_constraints(table))

    def supports(self, mode: WriteMode) -> bool:
        """Sessions know every mode."""
        return True

    def check_access(self, access: Access) -> None:
        privileges.check_target(self._database, access)

    def advance_sequences(self, table: Table, columns: Sequence[str]) -> Sequence[str]:
        return advance_sequences(self._database, table, columns)

    def _read_definition(self, doing: str, table: str, schema: str | None) -> Table | None:
        """SQLAlchemy would ask more often, and takes longer to import than a small sheet."""
        with self._database.reading(doing) as connection:
            return reflect(connection, table, schema)

    def _check_reading(self, table: Table) -> None:
        privileges.check_target(self._database, Access(table, (), reads=True))
