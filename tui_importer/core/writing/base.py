"""What a backend and its sessions need not write themselves: base classes to inherit from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.encoded import EncodedBatch
from tui_importer.core.scheduling.stalls import Finding
from tui_importer.core.writing.backend import AsyncSession, Destination, IsolatedRows, Session
from tui_importer.core.writing.loaded import Loaded


class BaseBackend(ABC):
    """The methods of :class:`~tui_importer.core.writing.backend.Backend` that not every database needs.

    One worker writes, unless ``max_writers`` says otherwise; workers of asyncio use a plain session in a thread.
    """

    max_writers: int | None = 1
    writer_note: str = "one worker writes: nothing is known here about how this database shares a table"
    #: Whether a session's savepoint may be set again inside itself, as in SQL: a dry run then tries every row.
    nested_savepoints: bool = False
    #: How long a round trip to the database takes in seconds, once it is connected; None if that is unknown.
    round_trip: float | None = None

    def encode(self, batch: Batch) -> EncodedBatch | None:
        """Return None: sessions take Python values."""
        return None

    @abstractmethod
    def open_session(self, destination: Destination) -> Session:
        """See :class:`~tui_importer.core.writing.backend.Backend`."""

    async def open_async_session(self, destination: Destination) -> AsyncSession:
        """A plain session in a thread: no faster, but any strategy can use it."""
        # It imports asyncio, which few runs need.
        from tui_importer.core.writing.threaded_async_session import ThreadedAsyncSession

        return ThreadedAsyncSession(self.open_session(destination))

    def links(self) -> Sequence[Any] | None:
        """Return None: nobody can see whether a connection is silent."""
        return None

    def look_up(self, links: Sequence[Any], seconds: float) -> Sequence[Finding]:
        """Return nothing: there are no links to look up."""
        return ()

    def cancel(self) -> None:  # noqa: B027  # a default
        """Do nothing: operations in progress are waited for."""

    def close(self) -> None:  # noqa: B027  # a default
        """Do nothing: nothing is open."""


class BaseSession(ABC):
    """The methods of :class:`~tui_importer.core.writing.backend.Session` that not every database needs."""

    @property
    def isolates(self) -> bool:
        """False: refused rows are found by bisection."""
        return False

    @abstractmethod
    def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        """See :class:`~tui_importer.core.writing.backend.Session`."""

    def insert(self, batch: Batch, row: int) -> Loaded:
        """Load one row."""
        return self.load(batch, row, row + 1)

    def isolate(self, batch: Batch, start: int, stop: int) -> IsolatedRows | None:
        """Return None: the refused rows cannot be found at once."""
        return None

    def cancel(self) -> None:  # noqa: B027  # a default
        """Do nothing: the statement in progress is waited for."""


class BaseAsyncSession(ABC):
    """:class:`BaseSession` for asyncio."""

    @property
    def isolates(self) -> bool:
        """False: refused rows are found by bisection."""
        return False

    @abstractmethod
    async def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        """See :class:`~tui_importer.core.writing.backend.AsyncSession`."""

    async def insert(self, batch: Batch, row: int) -> Loaded:
        """Load one row."""
        return await self.load(batch, row, row + 1)

    async def isolate(self, batch: Batch, start: int, stop: int) -> IsolatedRows | None:
        """Return None: the refused rows cannot be found at once."""
        return None

    def cancel(self) -> None:  # noqa: B027  # a default
        """Do nothing: the statement in progress is waited for."""
