"""The dry run: everything except writing (``--dry-run``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.table import Index, Table
from tui_importer.core.scheduling.stalls import Finding, Watched
from tui_importer.core.writing.access import Access, check_access
from tui_importer.core.writing.backend import Backend, Destination
from tui_importer.core.writing.ledger import Entry, Ledger
from tui_importer.core.writing.loaded import Loaded
from tui_importer.core.writing.threaded_async_session import ThreadedAsyncSession


class DryBackend:
    """Wraps a backend: reads from the database, but writes nothing."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.max_writers = backend.max_writers
        self.writer_note = backend.writer_note

    def connect(self) -> None:
        self._backend.connect()

    def ledger(self, schema: str | None) -> Ledger:
        return self._backend.ledger(schema)

    def reflect(self, name: str) -> Table | None:
        return self._backend.reflect(name)

    def create_table(self, table: Table) -> None:
        """Does nothing."""

    def create_stage(self, table: Table, stage: Table, *, exists: bool) -> None:
        """Does nothing."""

    def drop_table(self, table: Table) -> None:
        """Does nothing."""

    def create_indexes(self, table: Table, indexes: Sequence[Index], on_made: Callable[[Index], None]) -> None:
        """Does nothing."""

    def check_access(self, access: Access) -> None:
        check_access(self._backend, access)

    def encode(self, batch: Batch) -> None:
        """Return None: nothing is sent."""

    def open_session(self, destination: Destination) -> DrySession:
        return DrySession()

    async def open_async_session(self, destination: Destination) -> ThreadedAsyncSession:
        return ThreadedAsyncSession(DrySession())

    def links(self) -> Sequence[Any]:
        return self._backend.links() if isinstance(self._backend, Watched) else ()

    def look_up(self, links: Sequence[Any], seconds: float) -> Sequence[Finding]:
        assert isinstance(self._backend, Watched)  # otherwise there are no links
        return self._backend.look_up(links, seconds)

    def cancel(self) -> None:
        self._backend.cancel()

    def close(self) -> None:
        self._backend.close()


class DrySession:
    """Accepts every row and stores none."""

    def begin(self) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def savepoint(self) -> None: ...

    def release(self) -> None: ...

    def rollback_to_savepoint(self) -> None: ...

    def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        return Loaded(stop - start)

    def insert(self, batch: Batch, row: int) -> Loaded:
        return Loaded(1)

    def record(self, entry: Entry) -> bool:
        return True

    def recorded(self, entry: Entry) -> bool:
        return False

    def cancel(self) -> None: ...

    def close(self) -> None: ...
