"""What a backend plugin is: a kind of database, its sessions, and what the engine asks of them.

A session is one connection, used by one worker. :class:`Session` and :class:`AsyncSession` say the same words, one
plainly and one awaitably, so that the batch writer needs one algorithm for both
(:mod:`tui_importer.core.writing.batch_writer`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.encoded import EncodedBatch
from tui_importer.core.model.table import Index, Table
from tui_importer.core.model.types import ColumnType
from tui_importer.core.writing.ledger import Claim, Entry, Ledger
from tui_importer.errors import DataFault


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a session writes: the table, the columns that an import fills, in the order of a batch's, and the claim
    under which it writes; without one it keeps no ledger. ``defaults`` are the places of the columns in which a blank
    takes the column's default (:mod:`tui_importer.core.writing.defaults`)."""

    table: Table
    columns: tuple[str, ...]
    types: tuple[ColumnType, ...]
    claim: Claim | None = None
    defaults: tuple[int, ...] = ()

    def part(self, places: Sequence[int]) -> Destination:
        """The same with just the columns at these places, for rows that lack the others; it keeps no ledger."""
        return Destination(
            table=self.table,
            columns=tuple(self.columns[place] for place in places),
            types=tuple(self.types[place] for place in places),
        )


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """How connections are made. ``application_name`` lets a DBA find them; ``connect_timeout`` is in seconds, as is
    ``stall_timeout``, the silence that is allowed on one (0: any). Where a backend shows its connections
    (:class:`tui_importer.core.scheduling.stalls.Watched`), the engine holds it to that."""

    url: str = field(repr=False)  # holds the password
    application_name: str
    connect_timeout: float
    stall_timeout: float = 0.0


def application_name(run_id: str) -> str:
    """The name of a run's connections, of which each may have a number behind a slash."""
    return f"tui_importer/{run_id}"


@dataclass(frozen=True, slots=True)
class IsolatedRows:
    """What became of rows that were tried one by one: how many the database says went in, and which it refused, by
    their place in the batch and in its order, with what it said of each."""

    inserted: int
    refused: Sequence[tuple[int, DataFault]]


class IsolatingSession(Protocol):
    """What a :class:`Session` may be besides: one that finds many refused rows at no more statements than few.

    Without it, and where it gives None, the batch writer finds them by halves.
    """

    def isolate(self, batch: Batch, start: int, stop: int) -> IsolatedRows | None:
        """Write rows ``start`` to ``stop`` (exclusive) of the batch as if each were inserted by itself, in their order,
        and the refused ones left out; None where this cannot be done here.

        Called with the savepoint set. Whatever it raises or gives but :class:`IsolatedRows` is followed by going back
        there; a :class:`tui_importer.errors.DataFault` says no more than None.
        """


class AsyncIsolatingSession(Protocol):
    """:class:`IsolatingSession` for asyncio."""

    async def isolate(self, batch: Batch, start: int, stop: int) -> IsolatedRows | None: ...


class Session(Protocol):
    """One connection. Every method raises only the errors of :mod:`tui_importer.errors`.

    ``load`` and ``insert`` give back how many rows the database says went in.
    """

    def begin(self) -> None:
        """Open a transaction."""

    def commit(self) -> None: ...

    def rollback(self) -> None:
        """Undo the transaction, however it stands; harmless where there is none."""

    def savepoint(self) -> None:
        """Set the savepoint, of which there is one at a time."""

    def release(self) -> None:
        """Keep what came after the savepoint and forget it."""

    def rollback_to_savepoint(self) -> None:
        """Undo what came after the savepoint and forget it."""

    def load(self, batch: Batch, start: int, stop: int) -> int:
        """Write rows ``start`` to ``stop`` (exclusive) of the batch, the fastest way the database has.

        Raises :class:`tui_importer.errors.DataFault` when the database refuses one for what it holds; the
        transaction is then good for nothing but going back to the savepoint.
        """

    def insert(self, batch: Batch, row: int) -> int:
        """Write one row of the batch by one INSERT statement; raises as :meth:`load` does."""

    def record(self, entry: Entry) -> bool:
        """Write the entry and its rejects into the ledger, in the open transaction; True without a claim.

        False where that cannot be: the claim has ended, or the rows are in the ledger already. The transaction is then
        good for nothing but a rollback. Until it ends, nobody can end the claim.
        """

    def recorded(self, entry: Entry) -> bool:
        """Whether the entry is in the ledger; False without a claim.

        Asked outside of a transaction; one that it opens is left to a rollback.
        """

    def cancel(self) -> None:
        """Make the statement in progress fail soon. The one method that other threads may call."""

    def close(self) -> None:
        """Close the connection; an open transaction is undone."""


class AsyncSession(Protocol):
    """:class:`Session` for asyncio."""

    async def begin(self) -> None: ...

    async def commit(self) -> None: ...

    async def rollback(self) -> None: ...

    async def savepoint(self) -> None: ...

    async def release(self) -> None: ...

    async def rollback_to_savepoint(self) -> None: ...

    async def load(self, batch: Batch, start: int, stop: int) -> int: ...

    async def insert(self, batch: Batch, row: int) -> int: ...

    async def record(self, entry: Entry) -> bool: ...

    async def recorded(self, entry: Entry) -> bool: ...

    def cancel(self) -> None: ...

    async def close(self) -> None: ...


class Backend(Protocol):
    """A kind of database, opened for one URL; made with the :class:`ConnectionSettings` and nothing else.

    ``max_writers`` is how many connections may write side by side (None: no limit) and ``writer_note`` the
    sentence that explains it to a user.
    """

    @property
    def max_writers(self) -> int | None: ...

    @property
    def writer_note(self) -> str: ...

    def connect(self) -> None:
        """Make sure the database is there and lets us in; raises :class:`UnreachableError` where it is not."""

    def ledger(self, schema: str | None) -> Ledger:
        """The ledger in this database, in the schema of that name where it is given."""

    def reflect(self, name: str) -> Table | None:
        """The table of that name (``schema.table`` where the database has schemas), or None."""

    def create_table(self, table: Table) -> None:
        """Create the table without its indexes."""

    def create_stage(self, table: Table, stage: Table, *, exists: bool) -> None:
        """Create an empty table with the columns of ``stage``, under those of the constraints of ``table`` that can be
        checked on them alone; where that one ``exists``, its own definition counts."""

    def drop_table(self, table: Table) -> None:
        """Drop a table that this run created and nothing went into."""

    def create_indexes(self, table: Table, indexes: Sequence[Index], on_made: Callable[[Index], None]) -> None:
        """Create the indexes that are not there yet, side by side where the database can."""

    def encode(self, batch: Batch) -> EncodedBatch | None:
        """The whole batch in a form that is cheaper to load, for its ``encoded``; None where there is none.

        Called by the reading thread, once for each batch; a session's ``load`` takes from it the rows that it is to
        load.
        """

    def open_session(self, destination: Destination) -> Session: ...

    async def open_async_session(self, destination: Destination) -> AsyncSession: ...

    def cancel(self) -> None:
        """Make whatever the backend itself is waiting for fail soon; other threads may call it."""

    def close(self) -> None: ...
