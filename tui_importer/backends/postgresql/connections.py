"""psycopg connections that are watched: how long a statement has made no progress, and how it is made to fail."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any

import psycopg

from tui_importer.core.scheduling.stalls import WORKER
from tui_importer.errors import TransientFault

#: Bytes that wait in a socket, on their way out and in (ioctl_tty(2)). Where the system has no such calls, statements
#: that are answered are all the progress that is seen.
_waiting: Callable[[socket.socket], bytes] | None = None
try:
    import fcntl
    import termios
except ImportError:
    pass
else:

    def _in_socket(end: socket.socket) -> bytes:
        return b"".join(fcntl.ioctl(end, queue, bytes(4)) for queue in (termios.TIOCOUTQ, termios.FIONREAD))

    _waiting = _in_socket

#: ``struct tcp_info`` of Linux (linux/tcp.h): its size up to and with ``tcpi_bytes_received``, and where
#: ``tcpi_bytes_acked`` and that one, 64 bits each, stand.
_TCP_INFO_SIZE, _BYTES_ACKED = 136, 120

#: How long a request to cancel may take, in seconds; it is repeated as long as it is wanted.
CANCEL_SECONDS = 1.0


class StatementLink:
    """A connection, as :class:`tui_importer.core.scheduling.stalls.Link` shows it. ``name`` is its application_name, by
    which the server finds its backend also behind a pooler."""

    connecting = False

    def __init__(
        self,
        connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any],
        name: str,
        closed: Callable[[StatementLink], object],
    ) -> None:
        self.name = name
        self.worker = WORKER.get()
        self.call = 0
        self.given_up: str | None = None
        self.cancelling: threading.Thread | None = None
        self.cancel_task: asyncio.Task[None] | None = None
        # A socket of its own: the number of psycopg's could have been given to another by the time it is used here.
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._closed = closed
        self._lock = threading.Lock()
        self._since: float | None = None
        self._progress = (0.0, 0, b"")  # when, in which call, and the traffic at that time

    def begin(self) -> None:
        """A statement, or a part of one, is on its way."""
        self.call += 1
        self._since = time.monotonic()

    def end(self) -> None:
        """It is answered."""
        self._since = None

    def silent_since(self) -> float | None:
        since, call = self._since, self.call
        if since is None:
            return None
        traffic = self._traffic()
        if self._progress[1:] != (call, traffic):
            first = self._progress[1] != call
            self._progress = (since if first else time.monotonic(), call, traffic)
        return self._progress[0]

    def spare(self) -> None:
        """Let the system wait as well while the server waits for a lock: it reads nothing meanwhile, and
        TCP_USER_TIMEOUT counts from there (tcp(7))."""
        with self._lock, suppress(OSError, AttributeError):
            if self._socket.family in (socket.AF_INET, socket.AF_INET6):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)

    def give_up(self, why: str) -> None:
        with self._lock:
            self.given_up = self.given_up or why
            with suppress(OSError):  # it is closed already
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Its connection is closed."""
        with self._lock:
            self._socket.close()
        self._closed(self)

    def _traffic(self) -> bytes:
        """What changes with every byte that goes either way; that the other end's kernel is there is no progress."""
        traffic = b""
        with self._lock, suppress(OSError):
            if _waiting is not None:
                traffic = _waiting(self._socket)
            if self._socket.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_INFO"):
                info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
                traffic += info[_BYTES_ACKED:]
        return traffic


class ConnectingLink:
    """A connection that is being made."""

    connecting = True
    call = 0

    def __init__(self, give_up: Callable[[], object]) -> None:
        """``give_up`` makes whoever waits for it wait no longer."""
        self.worker = WORKER.get()
        self.given_up: str | None = None
        self._since = time.monotonic()
        self._give_up = give_up

    def silent_since(self) -> float | None:
        return self._since

    def give_up(self, why: str) -> None:
        self.given_up = self.given_up or why
        self._give_up()


class WatchedConnection(psycopg.Connection[Any]):
    """A psycopg connection with a link."""

    link: StatementLink | None = None

    def wait(self, *args: Any, **kwargs: Any) -> Any:
        """Whatever psycopg does over the network, but for connecting, passes here."""
        link = self.link
        if link is None:
            return super().wait(*args, **kwargs)
        link.begin()
        try:
            return super().wait(*args, **kwargs)
        except psycopg.OperationalError as error:
            raise _given_up(link, error) from error
        finally:
            link.end()

    def close(self) -> None:
        super().close()
        if self.link is not None:
            self.link.close()


class WatchedAsyncConnection(psycopg.AsyncConnection[Any]):
    """The same for asyncio."""

    link: StatementLink | None = None

    async def wait(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`WatchedConnection.wait`."""
        link = self.link
        if link is None:
            return await super().wait(*args, **kwargs)
        link.begin()
        try:
            return await super().wait(*args, **kwargs)
        except psycopg.OperationalError as error:
            raise _given_up(link, error) from error
        finally:
            link.end()

    async def close(self) -> None:
        await super().close()
        if self.link is not None:
            self.link.close()


def _given_up(link: StatementLink, error: psycopg.OperationalError) -> psycopg.OperationalError:
    """The error, with the reason where it comes of a link that was given up."""
    return error if link.given_up is None else psycopg.OperationalError(link.given_up)


def connected(connect: Callable[[], WatchedConnection], links: set[Any]) -> WatchedConnection:
    """What ``connect`` gives. It goes on in a thread of its own: libpq leaves no way to interrupt it, and it may take
    as long as its time limit says."""
    future: Future[WatchedConnection] = Future()
    link = ConnectingLink(future.cancel)

    def make() -> None:
        try:
            connection = connect()
        except BaseException as error:  # noqa: BLE001  # raised where the result is waited for
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
        else:
            if future.set_running_or_notify_cancel():
                future.set_result(connection)
            else:
                connection.close()

    links.add(link)
    threading.Thread(target=make, name="connecting", daemon=True).start()
    try:
        return future.result()
    except CancelledError:
        raise TransientFault(f"no connection to the database: {link.given_up}") from None
    finally:
        links.discard(link)


async def connected_async(
    connect: Callable[[], Awaitable[WatchedAsyncConnection]], links: set[Any]
) -> WatchedAsyncConnection:
    """The same for asyncio, which can interrupt it."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(connect())
    link = ConnectingLink(lambda: loop.call_soon_threadsafe(task.cancel))
    links.add(link)
    try:
        connection = await task
    except asyncio.CancelledError:
        if link.given_up is None:
            raise
        raise TransientFault(f"no connection to the database: {link.given_up}") from None
    finally:
        links.discard(link)
    return connection


def cancel(connection: WatchedConnection) -> None:
    """Ask the server to cancel what is in progress. Waits for nothing: that takes a connection, which may not come."""
    if connection.link is not None and not connection.closed:
        _in_background(connection.link, lambda: connection.cancel_safe(timeout=CANCEL_SECONDS))


def cancel_async(connection: WatchedAsyncConnection, loop: asyncio.AbstractEventLoop) -> None:
    """The same from another thread than the loop's."""
    link = connection.link
    if link is None or connection.closed or loop.is_closed():
        return
    if not psycopg.capabilities.has_cancel_safe():
        # Before libpq 17 it blocks without a time limit; a thread of the loop's own would be waited for at its end.
        _in_background(link, connection.cancel)
        return

    async def ask() -> None:
        with suppress(psycopg.Error):
            await connection.cancel_safe(timeout=CANCEL_SECONDS)

    def begin() -> None:
        if link.cancel_task is None or link.cancel_task.done():
            link.cancel_task = loop.create_task(ask())

    with suppress(RuntimeError):  # the loop has been closed meanwhile
        loop.call_soon_threadsafe(begin)


def _in_background(link: StatementLink, ask: Callable[[], object]) -> None:
    """Let a thread ask, unless one does already. A request that fails is repeated by whoever is stopping the run."""
    if link.cancelling is not None and link.cancelling.is_alive():
        return

    def work() -> None:
        with suppress(psycopg.Error):
            ask()

    link.cancelling = threading.Thread(target=work, name="cancelling", daemon=True)
    link.cancelling.start()
