"""Proxies between a client and PostgreSQL: one cuts connections at a COMMIT, one is a network that falls silent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from types import TracebackType
from typing import Self

from psycopg.conninfo import conninfo_to_dict


class Cut(Enum):
    """Where the connection is cut."""

    BEFORE_COMMIT = auto()  # the server never hears of it
    AFTER_SENDING = auto()  # it may still be at work on it
    BEFORE_ANSWER = auto()  # it has committed, and its answer is lost


class Proxy:
    """Listens on a port of this machine. The ``numbers``-th COMMITs that pass through it (from 1) are cut."""

    def __init__(self, server: str, cut: Cut, numbers: set[int]) -> None:
        parameters = conninfo_to_dict(server)
        self._socket_path = f"{parameters['host']}/.s.PGSQL.{parameters.get('port') or 5432}"
        self._cut = cut
        self._numbers = numbers
        self._lock = threading.Lock()
        self._commits = 0
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self._ends: list[socket.socket] = []
        self._closed = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed.set()
        self._threads[0].join()
        for end in self._ends:
            _close(end)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._socket_path)
            self._ends += [client, server]
            pair = _Pair(self, client, server)
            for target in (pair.to_server, pair.to_client):
                thread = threading.Thread(target=target)
                self._threads.append(thread)
                thread.start()

    def wants(self) -> Cut | None:
        """Whether this COMMIT is to be cut."""
        with self._lock:
            self._commits += 1
            if self._commits not in self._numbers:
                return None
            self.cuts += 1
            return self._cut


class _Pair:
    """One client and its connection to the server."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._answer_is_lost = False

    def to_server(self) -> None:
        with suppress(OSError):
            while data := self._client.recv(1 << 16):
                # psycopg sends COMMIT alone, as a simple query or as one to be parsed.
                cut = self._proxy.wants() if b"COMMIT\0" in data else None
                if cut is Cut.BEFORE_COMMIT:
                    break
                self._answer_is_lost = cut is Cut.BEFORE_ANSWER
                self._server.sendall(data)
                if cut is Cut.AFTER_SENDING:
                    _close(self._client)  # the server's own end is left alone until it has answered
                    return
        self._close()

    def to_client(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(1 << 16):
                if self._answer_is_lost:
                    break
                self._client.sendall(data)
        self._close()

    def _close(self) -> None:
        _close(self._client)
        _close(self._server)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


class Direction(Enum):
    """A direction of bytes."""

    TO_SERVER = auto()
    TO_CLIENT = auto()


BOTH = frozenset(Direction)

#: Bytes that the network takes in at most before the sender has to wait.
_BUFFER = 16_384


class Network:
    """Listens on a port of this machine, and carries bytes to PostgreSQL as long as it likes.

    :meth:`freeze` keeps all connections open and carries nothing any more; new connections are accepted, and hear
    nothing either. ``bandwidth`` is in bytes per second and connection, ``latency`` in seconds one way. ``sees`` looks
    at what clients send, before it is carried on.
    """

    def __init__(
        self,
        server: str,
        *,
        bandwidth: float | None = None,
        latency: float = 0.0,
        sees: Callable[[Network, bytes], None] = lambda network, data: None,
    ) -> None:
        parameters = conninfo_to_dict(server)
        self._socket_path = f"{parameters['host']}/.s.PGSQL.{parameters.get('port') or 5432}"
        self._database, self._user = parameters["dbname"], parameters.get("user") or "postgres"
        self._bandwidth, self._latency, self._sees = bandwidth, latency, sees
        self._frozen: frozenset[Direction] = frozenset()
        self._spares_new = True
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self._ends: list[socket.socket] = []
        self._closed = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._silenced: set[int] = set()
        self.connections = 0

    @property
    def url(self) -> str:
        """The database over this network."""
        port = self._listener.getsockname()[1]
        return f"postgresql://{self._user}@127.0.0.1:{port}/{self._database}?sslmode=disable&gssencmode=disable"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cut everything."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
        self._threads[0].join()
        for end in self._ends:
            _close(end)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def freeze(self, ways: frozenset[Direction] = BOTH, *, new: bool = True) -> None:
        """Carry nothing any more these ways; connections made from now on work as ever unless ``new`` ones are silent,
        too."""
        with self._changed:
            self._frozen, self._spares_new = ways, not new
            self._silenced = set(range(self.connections))

    def thaw(self) -> None:
        """Let new connections work again; those that were frozen stay so, as after a firewall has forgotten them."""
        with self._changed:
            self._spares_new = True

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._socket_path)
            for end in (client, server):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            self._ends += [client, server]
            number, self.connections = self.connections, self.connections + 1
            for way, source, target in ((Direction.TO_SERVER, client, server), (Direction.TO_CLIENT, server, client)):
                thread = threading.Thread(target=self._carry, args=(number, way, source, target))
                self._threads.append(thread)
                thread.start()

    def _is_silent(self, number: int, way: Direction) -> bool:
        return way in self._frozen and (number in self._silenced or not self._spares_new)

    def _carry(self, number: int, way: Direction, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_BUFFER):
                if way is Direction.TO_SERVER:
                    self._sees(self, data)
                delay = self._latency + (len(data) / self._bandwidth if self._bandwidth else 0.0)
                if delay:
                    self._closed.wait(delay)
                with self._changed:
                    if self._is_silent(number, way):  # for ever: what it has taken in is lost
                        self._changed.wait_for(self._closed.is_set)
                        return
                target.sendall(data)
        with self._changed:
            if self._frozen and (number in self._silenced or not self._spares_new):
                self._changed.wait_for(self._closed.is_set)  # nor does the other end hear that this one is gone
                return
        _close(source)
        _close(target)
