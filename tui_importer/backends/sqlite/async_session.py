"""The sessions of SQLite for asyncio. aiosqlite has the methods of sqlite3 and runs them in a thread of its own, so it
is not faster, only asynchronous."""

from __future__ import annotations

import asyncio
from typing import Any

import aiosqlite

from tui_importer.backends.sql.session import AsyncSqlSession
from tui_importer.backends.sqlite.session import SQLiteOperations
from tui_importer.core.writing.backend import Destination


async def connect(address: str, **settings: Any) -> aiosqlite.Connection:
    """A connection in autocommit mode; ``settings`` are those of :func:`sqlite3.connect`."""
    return await aiosqlite.connect(address, isolation_level=None, **settings)


def open_async_session(connection: aiosqlite.Connection, destination: Destination) -> AsyncSqlSession:
    """The session of a connection, in the running loop."""
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        asyncio.run_coroutine_threadsafe(connection.interrupt(), loop)

    return AsyncSqlSession(SQLiteOperations(connection, destination, interrupt))
