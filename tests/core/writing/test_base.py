"""What a backend and its sessions do that write only what they must."""

from __future__ import annotations

import asyncio

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.table import Table
from tui_importer.core.writing.backend import Destination
from tui_importer.core.writing.base import BaseAsyncSession, BaseBackend, BaseSession
from tui_importer.core.writing.loaded import Loaded

COLUMN = ListColumn(["a", "b", "c"])
BATCH = Batch(1, "S", 2, 4, range(2, 5), (COLUMN,), (COLUMN,))


class MinimalSession(BaseSession):
    """A session in memory."""

    def __init__(self) -> None:
        self.loaded: list[tuple[int, int]] = []

    def begin(self) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def savepoint(self) -> None: ...

    def release(self) -> None: ...

    def rollback_to_savepoint(self) -> None: ...

    def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        self.loaded.append((start, stop))
        return Loaded(stop - start)

    def record(self, entry: object) -> bool:
        return True

    def recorded(self, entry: object) -> bool:
        return False

    def close(self) -> None: ...


class MinimalAsyncSession(BaseAsyncSession):
    """The same for asyncio."""

    def __init__(self) -> None:
        self.loaded: list[tuple[int, int]] = []

    async def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        self.loaded.append((start, stop))
        return Loaded(stop - start)


class MinimalBackend(BaseBackend):
    """A backend of such sessions."""

    def open_session(self, destination: Destination) -> MinimalSession:
        return MinimalSession()


def test_default_session_inserts_by_load_and_does_not_isolate() -> None:
    session = MinimalSession()
    assert session.insert(BATCH, 1) == Loaded(1)
    assert session.loaded == [(1, 2)]
    assert not session.isolates
    assert session.isolate(BATCH, 0, 3) is None
    session.cancel()


def test_default_async_session_inserts_by_load_and_does_not_isolate() -> None:
    session = MinimalAsyncSession()
    assert asyncio.run(session.insert(BATCH, 1)) == Loaded(1)
    assert session.loaded == [(1, 2)]
    assert not session.isolates
    assert asyncio.run(session.isolate(BATCH, 0, 3)) is None
    session.cancel()


def test_default_backend_has_one_writer_and_threaded_async_sessions() -> None:
    backend = MinimalBackend()
    assert backend.max_writers == 1
    assert "one worker writes" in backend.writer_note
    assert backend.encode(BATCH) is None
    assert backend.links() is None
    assert not backend.look_up((), 1)
    backend.cancel()
    backend.close()

    async def load() -> Loaded:
        session = await backend.open_async_session(Destination(Table("t", ()), ("a",), ()))
        assert not session.isolates
        return await session.load(BATCH, 0, 3)

    assert asyncio.run(load()) == Loaded(3)
