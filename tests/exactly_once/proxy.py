"""A proxy between a client and PostgreSQL that reads the protocol and cuts the connection at a COMMIT."""

from __future__ import annotations

import socket
import threading
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
