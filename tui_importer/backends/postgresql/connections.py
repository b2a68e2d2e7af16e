"""psycopg connections that can be watched: they report how long a statement has made no progress, and can be made to
fail."""

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
from psycopg.pq import TransactionStatus

from tui_importer.core.scheduling.stalls import WORKER
from tui_importer.errors import TransientFault

#: Bytes that wait in a socket's send and receive queues (ioctl_tty(2)). On systems without these calls, only completed
#: statements count as progress.
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

#: ``struct tcp_info`` of Linux (linux/tcp.h): its size up to and including ``tcpi_bytes_received``, and the offset of
#: ``tcpi_bytes_acked``, which precedes it; both have 64 bits.
_TCP_INFO_SIZE, _BYTES_ACKED = 136, 120

#: Timeout of a cancel request, in seconds; the request is repeated as long as needed.
CANCEL_SECONDS = 1.0


class StatementLink:
    """A connection as a :class:`tui_importer.core.scheduling.stalls.Link`. ``name`` is its application_name, by which
    the server finds its backend even behind a pooler."""

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
        # A duplicate: psycopg's descriptor may be closed and reused before it is used here.
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._closed = closed
        self._lock = threading.Lock()
        self._since: float | None = None
        self._progress = (0.0, 0, b"")  # when, in which call, and the traffic at that time

    def begin(self) -> None:
        """Note that a statement, or a part of one, was sent."""
        self.call += 1
        self._since = time.monotonic()

    def end(self) -> None:
        """Note that the statement completed."""
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

    def disable_timeout(self) -> None:
        """Disable the system's timeout while the server waits for a lock: it reads nothing meanwhile, and
        TCP_USER_TIMEOUT would end the connection (tcp(7))."""
        with self._lock, suppress(OSError, AttributeError):
            if self._socket.family in (socket.AF_INET, socket.AF_INET6):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)

    def give_up(self, why: str) -> None:
        with self._lock:
            self.given_up = self.given_up or why
            with suppress(OSError):  # already closed
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Note that the connection is closed."""
        with self._lock:
            self._socket.close()
        self._closed(self)

    def _traffic(self) -> bytes:
        """A value that changes with every byte sent or received. Keepalives of the peer's
        kernel are not progress."""
        traffic = b""
        with self._lock, suppress(OSError):
            if _waiting is not None:
                traffic = _waiting(self._socket)
            if self._socket.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_INFO"):
                info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
                traffic += info[_BYTES_ACKED:]
        return traffic


class ConnectingLink:
    """A connection that is being established."""

    connecting = True
    call = 0

    def __init__(self, give_up: Callable[[], object]) -> None:
        """``give_up`` wakes the thread or task that waits for the connection."""
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
    """A psycopg connection with a link. ``send_seconds`` were spent handing rows to COPY."""

    link: StatementLink | None = None
    send_seconds = 0.0
    #: The least time that ending a transaction took, in seconds: about one round trip. None before the first.
    round_trip: float | None = None

    def rollback(self) -> None:
        open_, started = self.info.transaction_status is TransactionStatus.INTRANS, time.perf_counter()
        super().rollback()
        if open_:  # else nothing is sent
            seconds = time.perf_counter() - started
            self.round_trip = seconds if self.round_trip is None else min(seconds, self.round_trip)

    def wait(self, *args: Any, **kwargs: Any) -> Any:
        """psycopg calls this for all network traffic except connecting."""
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
    """A psycopg connection for asyncio with a link. ``send_seconds`` were spent handing rows to COPY."""

    link: StatementLink | None = None
    send_seconds = 0.0

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
    """The error, with the reason if the link was given up."""
    return error if link.given_up is None else psycopg.OperationalError(link.given_up)


def connected(connect: Callable[[], WatchedConnection], links: set[Any]) -> WatchedConnection:
    """Run ``connect`` in a thread of its own and return its connection: libpq cannot be interrupted while it connects,
    and may take as long as its timeout."""
    future: Future[WatchedConnection] = Future()
    link = ConnectingLink(future.cancel)

    def make() -> None:
        try:
            connection = connect()
        except BaseException as error:  # noqa: BLE001  # raised where the result is awaited
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
    """Run ``connect``, which asyncio can interrupt, and return its connection."""
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
    """Ask the server to cancel the current statement. Does not wait: a cancel request needs a connection, which may not
    be possible."""
    if connection.link is not None and not connection.closed:
        _in_background(connection.link, lambda: connection.cancel_safe(timeout=CANCEL_SECONDS))


def cancel_async(connection: WatchedAsyncConnection, loop: asyncio.AbstractEventLoop) -> None:
    """Ask the server to cancel the current statement, from another thread than the loop's."""
    link = connection.link
    if link is None or connection.closed or loop.is_closed():
        return
    if not psycopg.capabilities.has_cancel_safe():
        # Before libpq 17 the call blocks without a timeout; the loop would wait for a thread of its own executor at the
        # end.
        _in_background(link, connection.cancel)
        return

    async def request() -> None:
        with suppress(psycopg.Error):
            await connection.cancel_safe(timeout=CANCEL_SECONDS)

    def begin() -> None:
        if link.cancel_task is None or link.cancel_task.done():
            link.cancel_task = loop.create_task(request())

    with suppress(RuntimeError):  # the loop was closed meanwhile
        loop.call_soon_threadsafe(begin)


def _in_background(link: StatementLink, request: Callable[[], object]) -> None:
    """Send a cancel request from a thread, unless one is in progress. A request that fails is repeated while
    the run is being aborted."""
    if link.cancelling is not None and link.cancelling.is_alive():
        return

    def work() -> None:
        with suppress(psycopg.Error):
            request()

    link.cancelling = threading.Thread(target=work, name="cancelling", daemon=True)
    link.cancelling.start()
