"""The backend protocol: a kind of database, with its catalog, its ledger and its sessions.

A session is one connection, used by one worker. :class:`Session` and :class:`AsyncSession` have the same methods, plain
and awaitable, so that the batch writer needs only one algorithm (:mod:`tui_importer.core.writing.operation`).

Everything here is required of a backend. The base classes of :mod:`tui_importer.core.writing.base` and
:class:`~tui_importer.core.writing.catalog.BaseCatalog` have what a backend may leave out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import msgspec

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.encoded import EncodedBatch
from tui_importer.core.model.table import Table
from tui_importer.core.model.types import ColumnType
from tui_importer.core.model.url import portable_address
from tui_importer.core.model.write_mode import WriteMode
from tui_importer.core.scheduling.stalls import Watched
from tui_importer.core.writing.catalog import Catalog
from tui_importer.core.writing.ledger import Claim, Entry, Ledger
from tui_importer.core.writing.loaded import Loaded
from tui_importer.errors import DataFault


class Destination(msgspec.Struct, frozen=True):
    """Where a session writes: a table, and the columns that an import fills, in the order of a batch's columns.

    ``claim`` is the claim under which the session writes; without one it keeps no ledger. ``defaults`` are the indexes
    of the columns in which a blank takes the column's default (:mod:`tui_importer.core.writing.defaults`). ``mode``
    says what happens to a row whose key is in the table already.
    """

    table: Table
    columns: tuple[str, ...]
    types: tuple[ColumnType, ...]
    claim: Claim | None = None
    defaults: tuple[int, ...] = ()
    mode: WriteMode = msgspec.field(default_factory=WriteMode)

    def part(self, places: Sequence[int]) -> Destination:
        """The same destination with only the columns at these indexes, for rows that leave out the others.

        It keeps no ledger.
        """
        return Destination(
            table=self.table,
            columns=tuple(self.columns[place] for place in places),
            types=tuple(self.types[place] for place in places),
            mode=self.mode,
        )


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """How connections are made.

    ``application_name`` identifies the connections to a database administrator. ``connect_timeout`` is in seconds.
    ``stall_timeout`` is how long a connection may be silent, in seconds (0: no limit); the engine enforces it if the
    backend exposes its connections (:class:`tui_importer.core.scheduling.stalls.Watched`).
    """

    url: str = field(repr=False)  # holds the password
    application_name: str
    connect_timeout: float
    stall_timeout: float = 0.0

    def portable(self) -> ConnectionSettings:
        """The same settings for another process, without any password (:func:`portable_address`)."""
        return replace(self, url=portable_address(self.url))


def application_name(run_id: str) -> str:
    """The application name of a run's connections. A connection may append a slash and a number."""
    return f"tui_importer/{run_id}"


class IsolatedRows(msgspec.Struct, frozen=True):
    """The result of writing rows as if one by one.

    ``loaded`` is what became of the others. ``refused`` has the index in the batch of each refused row, in ascending
    order, with the database's error.
    """

    loaded: Loaded
    refused: Sequence[tuple[int, DataFault]]


class Session(Protocol):
    """One connection. Every method raises only the errors of :mod:`tui_importer.errors`.

    ``load``, ``insert`` and ``isolate`` say what became of every row that was not refused: the batch writer counts
    nothing by subtraction.

    ``isolates``: :meth:`isolate` finds many refused rows with as few statements as it takes to find a few. If it is
    False, the batch writer does not call it, but finds them by bisection.
    """

    @property
    def isolates(self) -> bool: ...

    def begin(self) -> None:
        """Open a transaction."""

    def commit(self) -> None: ...

    def rollback(self) -> None:
        """Roll back the transaction, whatever its state; no error if there is none."""

    def savepoint(self) -> None:
        """Set the savepoint. There is at most one at a time."""

    def release(self) -> None:
        """Release the savepoint and keep the changes made after it."""

    def rollback_to_savepoint(self) -> None:
        """Undo the changes made after the savepoint and release it."""

    def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        """Write rows ``start`` to ``stop`` (exclusive) of the batch by the database's fastest method.

        Raises :class:`tui_importer.errors.DataFault` if the database refuses a row because of its values. The
        transaction can then only be rolled back to the savepoint.
        """

    def insert(self, batch: Batch, row: int) -> Loaded:
        """Write one row of the batch with one INSERT statement; raises as :meth:`load` does."""

    def isolate(self, batch: Batch, start: int, stop: int) -> IsolatedRows | None:
        """Write rows ``start`` to ``stop`` (exclusive) of the batch as if each were inserted by itself, in order.

        Refused rows are left out. Returns None if this is not possible here. Called with the savepoint set. Unless it
        returns :class:`IsolatedRows`, the caller rolls back to the savepoint. A
        :class:`tui_importer.errors.DataFault` means the same as None.
        """

    def record(self, entry: Entry) -> bool:
        """Write the entry and its rejects to the ledger, in the open transaction. Without a claim, return True.

        Returns False if the claim has ended or the rows are in the ledger already; the transaction must then be rolled
        back. Until the transaction ends, no other run can end the claim.
        """

    def recorded(self, entry: Entry) -> bool:
        """Whether the entry is in the ledger; False without a claim.

        Called outside a transaction. If it opens one, the caller rolls it back.
        """

    def cancel(self) -> None:
        """Make the statement in progress fail soon. The only method that other threads may call."""

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""


class AsyncSession(Protocol):
    """:class:`Session` for asyncio."""

    @property
    def isolates(self) -> bool: ...

    async def begin(self) -> None: ...

    async def commit(self) -> None: ...

    async def rollback(self) -> None: ...

    async def savepoint(self) -> None: ...

    async def release(self) -> None: ...

    async def rollback_to_savepoint(self) -> None: ...

    async def load(self, batch: Batch, start: int, stop: int) -> Loaded: ...

    async def insert(self, batch: Batch, row: int) -> Loaded: ...

    async def isolate(self, batch: Batch, start: int, stop: int) -> IsolatedRows | None: ...

    async def record(self, entry: Entry) -> bool: ...

    async def recorded(self, entry: Entry) -> bool: ...

    def cancel(self) -> None: ...

    async def close(self) -> None: ...


class Backend(Watched, Protocol):
    """A kind of database, opened for one URL; constructed with :class:`ConnectionSettings` alone.

    ``max_writers`` is the number of connections that may write concurrently (None: no limit). ``writer_note`` is the
    sentence that explains the limit to a user.
    """

    @property
    def max_writers(self) -> int | None: ...

    @property
    def writer_note(self) -> str: ...

    @property
    def catalog(self) -> Catalog:
        """The database's tables. It can be used once :meth:`connect` has succeeded."""

    def connect(self) -> None:
        """Check that the database exists and accepts the login; raises :class:`UnreachableError` otherwise."""

    def ledger(self, schema: str | None) -> Ledger:
        """The ledger in this database, in the given schema (None: the default one)."""

    def encode(self, batch: Batch) -> EncodedBatch | None:
        """The whole batch in a form that is cheaper to load, stored as its ``encoded``; None if there is none.

        Called by the reading thread, once per batch. A session's ``load`` takes the rows it needs from it.
        """

    def open_session(self, destination: Destination) -> Session: ...

    async def open_async_session(self, destination: Destination) -> AsyncSession: ...

    def cancel(self) -> None:
        """Make the backend's own operation in progress fail soon; other threads may call it."""

    def close(self) -> None: ...
