"""Failpoints: places in a batch's transaction at which something fails on purpose."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, overload
from urllib.parse import quote, unquote

from msgspec.structs import replace

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.url import parse_address
from tui_importer.core.writing.backend import (
    AsyncSession,
    Backend,
    ConnectionSettings,
    Destination,
    IsolatedRows,
    Session,
)
from tui_importer.core.writing.ledger import Entry, Ledger
from tui_importer.core.writing.loaded import Loaded
from tui_importer.errors import TransientFault
from tui_importer.events import Reject
from tui_importer.plugins.registry import Registry
from tui_importer.plugins.specs import BackendSpec

_SCHEME = "failpoint"


class Failpoint(StrEnum):
    """A place in a batch's transaction."""

    BEFORE_LOAD = "before rows are sent"
    AFTER_LOAD = "after rows are sent"
    IN_REJECT = "while a reject is written"
    AFTER_LEDGER = "after the ledger entry"
    AFTER_COMMIT = "after COMMIT, before anybody hears of it"


class StageFailpoint(StrEnum):
    """A place around the transaction that moves all rows of a staging table into theirs."""

    BEFORE_MOVE = "before the rows are moved"
    AFTER_MOVE = "after their COMMIT, before anybody hears of it"


def kill() -> None:
    """Die like a killed process, without any cleanup."""
    os.kill(os.getpid(), signal.SIGKILL)


def lose_connection() -> None:
    """Fail like a lost connection."""
    raise TransientFault("the connection was lost (on purpose)")


@dataclass
class Trap:
    """Calls ``act`` at the ``passes``-th pass of a failpoint, once."""

    failpoint: Failpoint | StageFailpoint
    act: Callable[[], None]
    passes: int = 1

    def __call__(self, failpoint: Failpoint | StageFailpoint) -> None:
        if failpoint is self.failpoint:
            self.passes -= 1
            if self.passes == 0:
                self.act()


def failpoint_url(url: str) -> str:
    """The URL by which :func:`failing` opens a database."""
    return wrapped_url(_SCHEME, url)


def failing(inner: Registry, trap: Trap) -> BackendSpec:
    """A backend that opens a :func:`failpoint_url` as ``inner`` opens the URL inside it, with the trap in its
    sessions."""

    def open_backend(settings: ConnectionSettings) -> Any:
        return FailpointBackend(open_wrapped(inner, settings), trap)

    return BackendSpec(_SCHEME, "fails on purpose", open_backend, schemes=(_SCHEME,))


def wrapped_url(scheme: str, url: str) -> str:
    """Put a URL inside another URL."""
    return f"{scheme}:///{quote(url, safe='')}"


def open_wrapped(registry: Registry, settings: ConnectionSettings) -> Backend:
    """Open the backend of the URL inside a URL."""
    url = unquote(settings.url.partition(":///")[2])
    spec = registry.backend_for(parse_address(url).scheme)
    return registry.make_backend(spec.name, dataclasses.replace(settings, url=url))


class FailpointBackend:
    """A backend with a trap in its sessions and its ledger."""

    def __init__(self, inner: Backend, trap: Trap) -> None:
        self._inner = inner
        self._trap = trap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def ledger(self, schema: str | None) -> Any:
        """A ledger with the trap in it."""
        return FailpointLedger(self._inner.ledger(schema), self._trap)

    def open_session(self, destination: Destination) -> Any:
        """A session with the trap in it."""
        return FailpointSession(self._inner.open_session(destination), self._trap)

    async def open_async_session(self, destination: Destination) -> Any:
        """A session with the trap in it, for asyncio."""
        return AsyncFailpointSession(await self._inner.open_async_session(destination), self._trap)


class FailpointLedger:
    """A ledger with a trap in it."""

    def __init__(self, inner: Ledger, trap: Trap) -> None:
        self._inner = inner
        self._trap = trap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def publish(self, *arguments: Any) -> None:
        """See :class:`Ledger`."""
        self._trap(StageFailpoint.BEFORE_MOVE)
        self._inner.publish(*arguments)
        self._trap(StageFailpoint.AFTER_MOVE)


class FailpointSession:
    """A session with a trap in it."""

    def __init__(self, inner: Session, trap: Trap) -> None:
        self._inner = inner
        self._trap = trap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        """See :class:`Session`."""
        self._trap(Failpoint.BEFORE_LOAD)
        loaded = self._inner.load(batch, start, stop)
        self._trap(Failpoint.AFTER_LOAD)
        return loaded

    def insert(self, batch: Batch, row: int) -> Loaded:
        """See :class:`Session`."""
        self._trap(Failpoint.BEFORE_LOAD)
        loaded = self._inner.insert(batch, row)
        self._trap(Failpoint.AFTER_LOAD)
        return loaded

    def isolate(self, batch: Batch, start: int, stop: int) -> IsolatedRows | None:
        """See :class:`Session`."""
        self._trap(Failpoint.BEFORE_LOAD)
        isolated = self._inner.isolate(batch, start, stop)
        self._trap(Failpoint.AFTER_LOAD)
        return isolated

    def record(self, entry: Entry) -> bool:
        """See :class:`Session`."""
        made = self._inner.record(replace(entry, rejects=Tripwire(entry.rejects, self._trap)))
        self._trap(Failpoint.AFTER_LEDGER)
        return made

    def commit(self) -> None:
        """See :class:`Session`."""
        self._inner.commit()
        self._trap(Failpoint.AFTER_COMMIT)


class AsyncFailpointSession:
    """:class:`FailpointSession` for asyncio."""

    def __init__(self, inner: AsyncSession, trap: Trap) -> None:
        self._inner = inner
        self._trap = trap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        """See :class:`AsyncSession`."""
        self._trap(Failpoint.BEFORE_LOAD)
        loaded = await self._inner.load(batch, start, stop)
        self._trap(Failpoint.AFTER_LOAD)
        return loaded

    async def insert(self, batch: Batch, row: int) -> Loaded:
        """See :class:`AsyncSession`."""
        self._trap(Failpoint.BEFORE_LOAD)
        loaded = await self._inner.insert(batch, row)
        self._trap(Failpoint.AFTER_LOAD)
        return loaded

    async def isolate(self, batch: Batch, start: int, stop: int) -> IsolatedRows | None:
        """See :class:`AsyncSession`."""
        self._trap(Failpoint.BEFORE_LOAD)
        isolated = await self._inner.isolate(batch, start, stop)
        self._trap(Failpoint.AFTER_LOAD)
        return isolated

    async def record(self, entry: Entry) -> bool:
        """See :class:`AsyncSession`."""
        made = await self._inner.record(replace(entry, rejects=Tripwire(entry.rejects, self._trap)))
        self._trap(Failpoint.AFTER_LEDGER)
        return made

    async def commit(self) -> None:
        """See :class:`AsyncSession`."""
        await self._inner.commit()
        self._trap(Failpoint.AFTER_COMMIT)


class Tripwire(Sequence[Reject]):
    """A sequence of rejects that springs the trap once the first has been taken."""

    def __init__(self, rejects: Sequence[Reject], trap: Trap) -> None:
        self._rejects = rejects
        self._trap = trap

    def __len__(self) -> int:
        return len(self._rejects)

    @overload
    def __getitem__(self, place: int) -> Reject: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Reject]: ...

    def __getitem__(self, place: int | slice) -> Reject | Sequence[Reject]:
        return self._rejects[place]

    def __iter__(self) -> Iterator[Reject]:
        for reject in self._rejects:
            yield reject
            self._trap(Failpoint.IN_REJECT)
