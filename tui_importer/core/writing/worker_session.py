"""The session of one writer: opened when it is needed, and replaced after a transient error."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, Protocol, TypeVar

from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.writing.backend import AsyncSession, Session
from tui_importer.core.writing.operation import Operation
from tui_importer.errors import DatabaseError, StoppedError

T = TypeVar("T")
P = ParamSpec("P")

_log = logging.getLogger(__name__)


class SessionFactory(Protocol):
    """Opens sessions for a worker and waits on its behalf: blocking, or awaitable for asyncio."""

    def open(self) -> Session | Awaitable[AsyncSession]:
        """Open a new session."""

    def rest(self, seconds: float) -> bool | Awaitable[bool]:
        """Wait, but not after the run begins to stop; return False if it is stopping."""

    def pause(self) -> Awaitable[None] | None:
        """Wait while the run is paused, unless it begins to stop."""


class WorkerSession:
    """One session at a time, whose methods are called through :meth:`call`."""

    def __init__(self, sessions: SessionFactory, control: RunControl) -> None:
        self._sessions = sessions
        self._control = control
        self._opened: Session | AsyncSession | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a session."""
        return self._opened is not None

    @property
    def send_seconds(self) -> float:
        """Seconds spent handing rows to the database's client in this session; 0 if the session does not know."""
        seconds: float = getattr(self._opened, "send_seconds", 0.0)
        return seconds

    @property
    def current(self) -> Session | AsyncSession:
        """The open session."""
        assert self._opened is not None
        return self._opened

    def call(self, method: Callable[P, T | Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> Operation[T]:
        """Call a method of the session, unless the run is being aborted."""
        if self._control.aborting:
            raise StoppedError(self._control.reason)
        try:
            value: T = yield method(*args, **kwargs)
        except DatabaseError as error:
            if self._control.aborting:
                raise StoppedError(self._control.reason) from error
            raise
        return value

    def open(self) -> Operation[None]:
        """Open a session."""
        opened: Any = self._sessions.open
        self._opened = yield from self.call(opened)

    def close(self) -> Operation[None]:
        """Close the session, if one is open."""
        session, self._opened = self._opened, None
        if session is not None:
            yield session.close()

    def discard(self) -> Operation[None]:
        """Close a session that failed; an error while closing it is only logged."""
        try:
            yield from self.close()
        except Exception as error:  # noqa: BLE001  # a broken connection may fail to close in any way
            _log.debug("a failed session did not close", exc_info=error)

    def cancel(self) -> None:
        """Make the statement in progress fail soon. Other threads may call it."""
        session = self._opened
        if session is not None:
            session.cancel()
