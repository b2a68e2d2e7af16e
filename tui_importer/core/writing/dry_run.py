"""The dry run: everything except writing (``--dry-run``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.table import Index, Table, TableColumn
from tui_importer.core.model.write_mode import WriteMode
from tui_importer.core.scheduling.stalls import Finding
from tui_importer.core.writing.access import Access
from tui_importer.core.writing.backend import Backend, Destination
from tui_importer.core.writing.base import BaseBackend, BaseSession
from tui_importer.core.writing.catalog import Catalog
from tui_importer.core.writing.ledger import Entry, Ledger
from tui_importer.core.writing.loaded import Loaded


class DryBackend(BaseBackend):
    """Wraps a backend: reads from the database, but writes nothing."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.max_writers = backend.max_writers
        self.writer_note = backend.writer_note

    @property
    def catalog(self) -> DryCatalog:
        return DryCatalog(self._backend.catalog)

    def connect(self) -> None:
        self._backend.connect()

    def ledger(self, schema: str | None) -> Ledger:
        return self._backend.ledger(schema)

    def open_session(self, destination: Destination) -> DrySession:
        return DrySession()

    def links(self) -> Sequence[Any] | None:
        return self._backend.links()

    def look_up(self, links: Sequence[Any], seconds: float) -> Sequence[Finding]:
        return self._backend.look_up(links, seconds)

    def cancel(self) -> None:
        self._backend.cancel()

    def close(self) -> None:
        self._backend.close()


class DryCatalog:
    """Wraps a catalog: answers questions, and creates and drops nothing."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def reflect(self, name: str) -> Table | None:
        return self._catalog.reflect(name)

    def create_table(self, table: Table) -> None:
        """Does nothing."""

    def create_schema(self, name: str) -> None:
        """Does nothing."""

    def add_columns(self, table: Table, columns: Sequence[TableColumn]) -> None:
        """Does nothing."""

    def definition_statements(
        self, table: Table, *, create: bool, added: Sequence[TableColumn], indexes: Sequence[Index]
    ) -> Sequence[str]:
        return self._catalog.definition_statements(table, create=create, added=added, indexes=indexes)

    def create_stage(self, table: Table, stage: Table, *, exists: bool) -> None:
        """Does nothing."""

    def drop_table(self, table: Table) -> None:
        """Does nothing."""

    def create_indexes(self, table: Table, indexes: Sequence[Index], on_made: Callable[[Index], None]) -> None:
        """Does nothing."""

    def holds_rows(self, table: Table) -> bool:
        return self._catalog.holds_rows(table)

    def count(self, table: Table) -> int:
        return self._catalog.count(table)

    def read(self, table: Table, columns: Sequence[str], rows: int) -> Iterator[Sequence[Sequence[Any]]]:
        return self._catalog.read(table, columns, rows)

    def supports(self, mode: WriteMode) -> bool:
        return self._catalog.supports(mode)

    def referring_tables(self, table: Table) -> Sequence[str]:
        return self._catalog.referring_tables(table)

    def belongings(self, table: Table) -> Sequence[str]:
        return self._catalog.belongings(table)

    def check_access(self, access: Access) -> None:
        self._catalog.check_access(access)

    def advance_sequences(self, table: Table, columns: Sequence[str]) -> Sequence[str]:
        """Does nothing."""
        return ()


class DrySession(BaseSession):
    """Accepts every row and stores none."""

    def begin(self) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def savepoint(self) -> None: ...

    def release(self) -> None: ...

    def rollback_to_savepoint(self) -> None: ...

    def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        return Loaded(stop - start)

    def record(self, entry: Entry) -> bool:
        return True

    def recorded(self, entry: Entry) -> bool:
        return False

    def close(self) -> None: ...
