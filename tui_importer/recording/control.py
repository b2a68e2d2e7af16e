"""Controls a live run through a Unix socket in its private folder: an order and its answer are one line of JSON
each."""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from tui_importer.errors import ExitCode, ImporterError, UsageError

CONTROL_SOCKET = "control"

#: Maximum length of a socket's path (``sun_path``: 104 bytes on macOS, 108 on Linux; unix(7)), including the final NUL.
_MAX_PATH = 104
#: Timeout for an order and its answer, in seconds.
_TIMEOUT = 5.0
#: Maximum length of an order or an answer, in bytes.
_MAX_LINE = 64 << 10
#: Maximum number of open connections; beyond it, the oldest is closed.
_MAX_CLIENTS = 64

_log = logging.getLogger(__name__)


class Order(msgspec.Struct, frozen=True, kw_only=True, tag_field="order"):
    """Base of the orders that a run accepts."""


class Pause(Order, frozen=True, kw_only=True, tag="pause"):
    """Finish the batches in flight and start no more until :class:`Unpause`."""


class Unpause(Order, frozen=True, kw_only=True, tag="unpause"):
    """Continue after :class:`Pause`."""


class Stop(Order, frozen=True, kw_only=True, tag="stop"):
    """Finish the batches in flight and stop."""


class Abort(Order, frozen=True, kw_only=True, tag="abort"):
    """Stop, and cancel the batches in flight at the database."""


class ChangeWorkers(Order, frozen=True, kw_only=True, tag="change_workers"):
    """Set the number of workers."""

    workers: int


AnyOrder = Pause | Unpause | Stop | Abort | ChangeWorkers


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A run's answer to an order: ``refused`` is None, or why the order was refused."""

    refused: str | None = None


class Controlled(Protocol):
    """The run that is controlled: :class:`tui_importer.api.Run`."""

    def pause(self) -> None: ...

    def unpause(self) -> None: ...

    def stop(self, reason: str = ..., exit_code: ExitCode = ...) -> None: ...

    def abort(self, reason: str = ..., exit_code: ExitCode = ...) -> None: ...

    def change_workers(self, workers: int) -> None: ...


@dataclass
class _Client:
    """A connection whose order is not complete yet and has to be by ``until`` (monotonic seconds)."""

    connection: socket.socket
    until: float
    received: bytearray = field(default_factory=bytearray)


class ControlServer:
    """Accepts orders for a run in a thread, until :meth:`close`. Raises ``OSError`` if the socket cannot be created.

    Orders are carried out one at a time; an idle connection does not block the others.
    """

    def __init__(self, folder: Path, run: Controlled) -> None:
        self._run = run
        self._path = folder / CONTROL_SOCKET
        self._listener = socket.socket(socket.AF_UNIX)
        self._wake, self._woken = socket.socketpair()
        self._clients: dict[socket.socket, _Client] = {}
        try:
            with _address(folder) as address:
                self._listener.bind(address)
            self._path.chmod(0o600)
            self._listener.listen(_MAX_CLIENTS)
            self._listener.setblocking(False)
        except OSError:
            self._close_sockets()
            raise
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Accept no more orders and wait for the thread to end."""
        self._wake.send(b"x")
        self._thread.join()
        self._close_sockets()
        self._path.unlink(missing_ok=True)

    def _close_sockets(self) -> None:
        for each in (self._listener, self._wake, self._woken, *self._clients):
            each.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                until = min((client.until for client in self._clients.values()), default=None)
                timeout = None if until is None else max(0.0, until - time.monotonic())
                ready = {key.fileobj for key, _ in selector.select(timeout)}
                if self._woken in ready:
                    return
                if self._listener in ready:
                    self._accept(selector)
                for client in list(self._clients.values()):
                    finished = client.connection in ready and self._read_order(client)
                    if finished or client.until <= time.monotonic():
                        self._close_client(client, selector)

    def _accept(self, selector: selectors.BaseSelector) -> None:
        """Accept a new connection."""
        try:
            connection, _ = self._listener.accept()
        except OSError as error:  # already closed, or no file descriptors left
            _log.debug("a caller was not heard", exc_info=error)
            return
        connection.setblocking(False)
        self._clients[connection] = _Client(connection, time.monotonic() + _TIMEOUT)
        selector.register(connection, selectors.EVENT_READ)
        if len(self._clients) > _MAX_CLIENTS:
            self._close_client(next(iter(self._clients.values())), selector)

    def _close_client(self, client: _Client, selector: selectors.BaseSelector) -> None:
        selector.unregister(client.connection)
        del self._clients[client.connection]
        client.connection.close()

    def _read_order(self, client: _Client) -> bool:
        """Read from a connection, and answer a complete order; returns whether the connection is finished."""
        try:
            piece = client.connection.recv(4096)
            client.received += piece
            if piece and not client.received.endswith(b"\n"):
                return len(client.received) > _MAX_LINE
            if piece:
                # Never blocks: the send buffer is empty.
                client.connection.sendall(msgspec.json.encode(self._answer(bytes(client.received))) + b"\n")
        except OSError as error:
            _log.debug("a caller has gone", exc_info=error)
        return True

    def _answer(self, received: bytes) -> Answer:
        try:
            order: AnyOrder = msgspec.json.decode(received, type=AnyOrder)
        except (ValueError, RecursionError):  # not JSON, not UTF-8, not an order, or nested too deeply
            return Answer(refused="the run does not understand that")
        return self._carry_out(order)

    def _carry_out(self, order: AnyOrder) -> Answer:
        try:
            match order:
                case Pause():
                    self._run.pause()
                case Unpause():
                    self._run.unpause()
                case Stop():
                    self._run.stop("stopped on request")
                case Abort():
                    self._run.abort("aborted on request")
                case ChangeWorkers(workers=workers):
                    self._run.change_workers(workers)
        except ImporterError as error:
            return Answer(refused=str(error))
        return Answer()


def give_order(folder: Path, order: AnyOrder) -> None:
    """Give an order to the run in this folder; raises :class:`UsageError` with the reason if it is refused or not
    answered."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_TIMEOUT)
            with _address(folder) as address:
                connection.connect(address)
            connection.sendall(msgspec.json.encode(order) + b"\n")
            answer = msgspec.json.decode(_answer_from(connection), type=Answer)
    except (OSError, ValueError) as error:
        raise UsageError("the run does not answer: it has ended, or cannot be spoken to") from error
    if answer.refused is not None:
        raise UsageError(answer.refused)


def _answer_from(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        piece = connection.recv(4096)
        if not piece or len(data) > _MAX_LINE:
            raise OSError("no whole answer came")
        data += piece
    return data


@contextmanager
def _address(folder: Path) -> Iterator[str]:
    """A path of the folder's socket that is short enough, whatever the length of the folder's own path."""
    path = folder / CONTROL_SOCKET
    if len(os.fsencode(path)) < _MAX_PATH:
        yield str(path)
        return
    with contextlib.ExitStack() as stack:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, handle)
        yield f"/proc/self/fd/{handle}/{CONTROL_SOCKET}"
