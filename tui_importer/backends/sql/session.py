"""Sessions of SQL databases: what they do is written once, for drivers that block and for drivers of asyncio.

:class:`SessionOperations` has each method of a session as an operation, as the batch writer's are
(:mod:`tui_importer.core.writing.operation`): it yields what a call of the driver returned, and is sent the result.
:class:`SqlSession` and :class:`AsyncSqlSession` run the operations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

from tui_importer.backends.sql.ledger_tables import LedgerStatements
from tui_importer.core.model.batch import Batch
from tui_importer.core.writing.backend import IsolatedRows
from tui_importer.core.writing.defaults import PartStatements
from tui_importer.core.writing.ledger import Entry
from tui_importer.core.writing.loaded import NOTHING_LOADED, Loaded
from tui_importer.core.writing.operation import Operation, run, run_async

#: What a session needs to write rows into a set of columns.
S = TypeVar("S")

SAVEPOINT = "SAVEPOINT tui_importer"
RELEASE = "RELEASE SAVEPOINT tui_importer"
ROLLBACK_TO = "ROLLBACK TO SAVEPOINT tui_importer"


class SessionOperations(ABC, Generic[S]):
    """The operations of one session. Each does what the method of that name does in
    :class:`tui_importer.core.writing.backend.Session`.

    ``connection`` is the driver's; its ``execute``, ``commit`` and ``rollback`` return a result or an awaitable.
    ``errors`` is a context manager, used again and again, that raises the driver's errors as ours. ``interrupt`` makes
    the statement in progress fail soon.
    """

    isolates = False
    #: Seconds spent handing rows to the driver so far, if they can be told from those of the server.
    send_seconds = 0.0

    def __init__(
        self,
        connection: Any,
        parts: PartStatements[S],
        ledger: LedgerStatements[Any] | None,
        errors: AbstractContextManager[None],
        interrupt: Callable[[], object],
    ) -> None:
        self._connection = connection
        self._parts = parts
        self._ledger = ledger
        self._errors = errors
        self._interrupt = interrupt

    @abstractmethod
    def begin(self) -> Operation[None]: ...

    def commit(self) -> Operation[None]:
        with self._errors:
            yield self._connection.commit()

    def rollback(self) -> Operation[None]:
        with self._errors:
            yield self._connection.rollback()

    @abstractmethod
    def savepoint(self) -> Operation[None]: ...

    @abstractmethod
    def release(self) -> Operation[None]: ...

    @abstractmethod
    def rollback_to_savepoint(self) -> Operation[None]: ...

    def load(self, batch: Batch, start: int, stop: int) -> Operation[Loaded]:
        parts = self._parts.split(batch, start, stop)
        if parts is None:
            return (yield from self._write(self._parts.whole, batch, start, stop))
        loaded = NOTHING_LOADED
        for statements, part in parts:
            with part.placing_faults():
                loaded += yield from self._write(statements, part.batch, 0, len(part.batch))
        return loaded

    def insert(self, batch: Batch, row: int) -> Operation[Loaded]:
        return self.load(batch, row, row + 1)

    def isolate(self, batch: Batch, start: int, stop: int) -> Operation[IsolatedRows | None]:
        yield from ()
        return None

    def record(self, entry: Entry) -> Operation[bool]:
        ledger = self._ledger
        if ledger is None:
            return True
        made = yield from self._add_entry(ledger, entry)
        if made and entry.rejects:
            yield from self._write_rejects(ledger, entry)
        if made and entry.closes:
            yield from self._write_ledger(ledger.close, ledger.closings(entry))
        return made

    def recorded(self, entry: Entry) -> Operation[bool]:
        ledger = self._ledger
        if ledger is None:
            return False
        with self._errors:
            cursor = yield self._connection.execute(ledger.recorded, ledger.key(entry))
            [count] = yield cursor.fetchone()
        return bool(count)

    def cancel(self) -> None:
        self._interrupt()

    def close(self) -> Operation[None]:
        yield self._connection.close()

    @abstractmethod
    def _write(self, statements: S, batch: Batch, start: int, stop: int) -> Operation[Loaded]:
        """Write rows none of which has a blank that takes a default."""

    def _write_rejects(self, ledger: LedgerStatements[Any], entry: Entry) -> Operation[None]:
        """Write the entry's rejects to the ledger."""
        yield from self._write_ledger(ledger.reject, ledger.rejects(entry))

    def _write_ledger(self, statement: Any, parameters: Sequence[dict[str, Any]]) -> Operation[None]:
        """Execute a statement of the ledger with each of the parameters."""
        yield from self._execute(statement, parameters)

    def _add_entry(self, ledger: LedgerStatements[Any], entry: Entry) -> Operation[bool]:
        """Write the entry to the ledger; False if it must not be made."""
        with self._errors:
            cursor = yield self._connection.execute(*ledger.record(entry))
        return bool(cursor.rowcount == 1)

    def _execute(self, *statement: Any) -> Operation[Any]:
        """Execute a statement with its values; returns the cursor."""
        with self._errors:
            return (yield self._connection.execute(*statement))


class SqlSession:
    """Implements :class:`tui_importer.core.writing.backend.Session`: runs operations on a driver that blocks."""

    def __init__(self, operations: SessionOperations[Any]) -> None:
        self._operations = operations

    @property
    def isolates(self) -> bool:
        return self._operations.isolates

    @property
    def send_seconds(self) -> float:
        return self._operations.send_seconds

    def begin(self) -> None:
        run(self._operations.begin())

    def commit(self) -> None:
        run(self._operations.commit())

    def rollback(self) -> None:
        run(self._operations.rollback())

    def savepoint(self) -> None:
        run(self._operations.savepoint())

    def release(self) -> None:
        run(self._operations.release())

    def rollback_to_savepoint(self) -> None:
        run(self._operations.rollback_to_savepoint())

    def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        return run(self._operations.load(batch, start, stop))

    def insert(self, batch: Batch, row: int) -> Loaded:
        return run(self._operations.insert(batch, row))

    def isolate(self, batch: Batch, start: int, stop: int) -> IsolatedRows | None:
        return run(self._operations.isolate(batch, start, stop))

    def record(self, entry: Entry) -> bool:
        return run(self._operations.record(entry))

    def recorded(self, entry: Entry) -> bool:
        return run(self._operations.recorded(entry))

    def cancel(self) -> None:
        self._operations.cancel()

    def close(self) -> None:
        run(self._operations.close())


class AsyncSqlSession:
    """Implements :class:`tui_importer.core.writing.backend.AsyncSession`: runs operations on a driver of asyncio."""

    def __init__(self, operations: SessionOperations[Any]) -> None:
        self._operations = operations

    @property
    def isolates(self) -> bool:
        return self._operations.isolates

    @property
    def send_seconds(self) -> float:
        return self._operations.send_seconds

    async def begin(self) -> None:
        await run_async(self._operations.begin())

    async def commit(self) -> None:
        await run_async(self._operations.commit())

    async def rollback(self) -> None:
        await run_async(self._operations.rollback())

    async def savepoint(self) -> None:
        await run_async(self._operations.savepoint())

    async def release(self) -> None:
        await run_async(self._operations.release())

    async def rollback_to_savepoint(self) -> None:
        await run_async(self._operations.rollback_to_savepoint())

    async def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        return await run_async(self._operations.load(batch, start, stop))

    async def insert(self, batch: Batch, row: int) -> Loaded:
        return await run_async(self._operations.insert(batch, row))

    async def isolate(self, batch: Batch, start: int, stop: int) -> IsolatedRows | None:
        return await run_async(self._operations.isolate(batch, start, stop))

    async def record(self, entry: Entry) -> bool:
        return await run_async(self._operations.record(entry))

    async def recorded(self, entry: Entry) -> bool:
        return await run_async(self._operations.recorded(entry))

    def cancel(self) -> None:
        self._operations.cancel()

    async def close(self) -> None:
        await run_async(self._operations.close())
