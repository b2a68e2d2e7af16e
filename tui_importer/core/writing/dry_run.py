"""The dry run: everything except the commit (``--dry-run``).

Where the table exists and its rows stay, all batches are written in one transaction, which is rolled back: keys, checks
and triggers of the database say what they would say of an import. Otherwise the rows are only converted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.encoded import EncodedBatch
from tui_importer.core.model.table import Index, Table, TableColumn
from tui_importer.core.model.write_mode import WriteMode
from tui_importer.core.scheduling.stalls import Finding
from tui_importer.core.writing.access import Access
from tui_importer.core.writing.backend import Backend, Destination, Session
from tui_importer.core.writing.base import BaseBackend, BaseSession
from tui_importer.core.writing.catalog import Catalog
from tui_importer.core.writing.ledger import Entry, Ledger
from tui_importer.core.writing.loaded import Loaded
from tui_importer.errors import DatabaseError


class DryBackend(BaseBackend):
    """Wraps a backend: reads from the database, but commits nothing."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        # A backend need not inherit the default.
        self._may_try = getattr(backend, "nested_savepoints", False)
        self._tried = False
        if self._may_try:
            self.max_writers, self.writer_note = 1, "a dry run is one transaction, so one worker writes"
        else:
            self.max_writers, self.writer_note = backend.max_writers, backend.writer_note

    @property
    def round_trip(self) -> float | None:  # type: ignore[override]
        return getattr(self._backend, "round_trip", None)

    @property
    def catalog(self) -> DryCatalog:
        return DryCatalog(self._backend.catalog)

    def connect(self) -> None:
        self._backend.connect()

    def ledger(self, schema: str | None) -> Ledger:
        return self._backend.ledger(schema)

    def encode(self, batch: Batch) -> EncodedBatch | None:
        return self._backend.encode(batch) if self._may_try else None

    def tries(self, destination: Destination) -> bool:
        """Whether the rows are written and rolled back: there is a table for them, which is not emptied first."""
        if not self._may_try or destination.mode.empties:
            return False
        table = self._backend.catalog.reflect(destination.table.qualified_name)
        return table is not None and all(map(table.column, destination.columns))

    def open_session(self, destination: Destination) -> Session:
        """Raises :class:`~tui_importer.errors.DatabaseError` if the session before was lost, and with it the rows that
        were tried."""
        if not self.tries(destination):
            return DrySession()
        if self._tried:
            raise DatabaseError("the transaction of the dry run was lost, and with it what was tried: start over")
        self._tried = True
        return TrialSession(self._backend.open_session(destination))

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


class TrialSession:
    """Implements :class:`~tui_importer.core.writing.backend.Session`: writes every batch in one transaction, which is
    rolled back at the end. Each batch has a savepoint, in which those of the batch writer are nested."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._begun = False
        self._depth = 0
        self.isolates = session.isolates
        self.load, self.insert, self.isolate = session.load, session.insert, session.isolate
        self.cancel = session.cancel

    def begin(self) -> None:
        if not self._begun:
            self._session.begin()
            self._begun = True
        self.savepoint()

    def commit(self) -> None:
        """Keep the batch for those that follow."""
        self.release()

    def rollback(self) -> None:
        while self._depth:
            self.rollback_to_savepoint()

    def savepoint(self) -> None:
        self._session.savepoint()
        self._depth += 1

    def release(self) -> None:
        self._session.release()
        self._depth -= 1

    def rollback_to_savepoint(self) -> None:
        self._session.rollback_to_savepoint()
        self._depth -= 1

    def record(self, entry: Entry) -> bool:
        return True

    def recorded(self, entry: Entry) -> bool:
        return False

    def close(self) -> None:
        try:
            if self._begun:
                self._session.rollback()
        finally:
            self._session.close()


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
