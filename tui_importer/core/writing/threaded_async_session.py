"""Adapts a plain session to asyncio: each call runs in a thread, one at a time."""

from __future__ import annotations

import asyncio

from tui_importer.core.model.batch import Batch
from tui_importer.core.writing.backend import IsolatedRows, Session
from tui_importer.core.writing.ledger import Entry
from tui_importer.core.writing.loaded import Loaded


class ThreadedAsyncSession:
    """An :class:`~tui_importer.core.writing.backend.AsyncSession` around a plain session.

    For databases without an asyncio driver. It is no faster than threads.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def isolates(self) -> bool:
        return self._session.isolates

    async def begin(self) -> None:
        await asyncio.to_thread(self._session.begin)

    async def commit(self) -> None:
        await asyncio.to_thread(self._session.commit)

    async def rollback(self) -> None:
        await asyncio.to_thread(self._session.rollback)

    async def savepoint(self) -> None:
        await asyncio.to_thread(self._session.savepoint)

    async def release(self) -> None:
        await asyncio.to_thread(self._session.release)

    async def rollback_to_savepoint(self) -> None:
        await asyncio.to_thread(self._session.rollback_to_savepoint)

    async def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        return await asyncio.to_thread(self._session.load, batch, start, stop)

    async def insert(self, batch: Batch, row: int) -> Loaded:
        return await asyncio.to_thread(self._session.insert, batch, row)

    async def isolate(self, batch: Batch, start: int, stop: int) -> IsolatedRows | None:
        return await asyncio.to_thread(self._session.isolate, batch, start, stop)

    async def record(self, entry: Entry) -> bool:
        return await asyncio.to_thread(self._session.record, entry)

    async def recorded(self, entry: Entry) -> bool:
        return await asyncio.to_thread(self._session.recorded, entry)

    def cancel(self) -> None:
        self._session.cancel()

    async def close(self) -> None:
        await asyncio.to_thread(self._session.close)
