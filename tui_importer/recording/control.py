"""Speaking with a live run: a Unix socket in its private folder, an order and its answer as a line of JSON each."""

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

#: What a path to a socket may take (``sun_path``: 104 bytes on macOS, 108 on Linux; unix(7)), the final NUL included.
_MAX_PATH = 104
#: Seconds in which an order and its answer have to come.
_PATIENCE = 5.0
#: Bytes of an order or an answer at most.
_MAX_LINE = 64 << 10
#: Callers that are listened to at once; when more come, the one who has said nothing for longest is let go.
_MAX_CALLERS = 64

_log = logging.getLogger(__name__)


class Order(msgspec.Struct, frozen=True, kw_only=True, tag_field="order"):
    """Base of what a run can be told."""


class Pause(Order, frozen=True, kw_only=True, tag="pause"):
    """Finish what is in flight and take nothing more until :class:`Unpause`."""


class Unpause(Order, frozen=True, kw_only=True, tag="unpause"):
    """Go on."""


class Stop(Order, frozen=True, kw_only=True, tag="stop"):
    """Finish what is in flight and stop."""


class Abort(Order, frozen=True, kw_only=True, tag="abort"):
    """Stop, and cancel at the database what is in flight."""


class ChangeWorkers(Order, frozen=True, kw_only=True, tag="change_workers"):
    """Set the number of workers."""

    workers: int


AnyOrder = Pause | Unpause | Stop | Abort | ChangeWorkers


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a run says to an order: None, or why it cannot be."""

    refused: str | None = None


class Controlled(Protocol):
    """What is controlled: :class:`tui_importer.api.Run`."""

    def pause(self) -> None: ...

    def unpause(self) -> None: ...

    def stop(self, reason: str = ..., exit_code: ExitCode = ...) -> None: ...

    def abort(self, reason: str = ..., exit_code: ExitCode = ...) -> None: ...

    def change_workers(self, workers: int) -> None: ...


@dataclass
class _Caller:
    """Somebody whose order has not wholly come yet, and has to be there ``until``."""

    connection: socket.socket
    until: float
    said: bytearray = field(default_factory=bytearray)


class ControlServer:
    """Takes orders for a run in a thread, until :meth:`close`. Raises ``OSError`` where there can be no socket.

    Orders are carried out one at a time; a caller who says nothing keeps nobody else from being heard.
    """

    def __init__(self, folder: Path, run: Controlled) -> None:
        self._run = run
        self._path = folder / CONTROL_SOCKET
        self._listening = socket.socket(socket.AF_UNIX)
        self._wake, self._woken = socket.socketpair()
        self._callers: dict[socket.socket, _Caller] = {}
        try:
            with _address(folder) as address:
                self._listening.bind(address)
            self._path.chmod(0o600)
            self._listening.listen(_MAX_CALLERS)
            self._listening.setblocking(False)
        except OSError:
            self._close_sockets()
            raise
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more orders; the thread has ended."""
        self._wake.send(b"x")
        self._thread.join()
        self._close_sockets()
        self._path.unlink(missing_ok=True)

    def _close_sockets(self) -> None:
        for each in (self._listening, self._wake, self._woken, *self._callers):
            each.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listening, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                until = min((caller.until for caller in self._callers.values()), default=None)
                patience = None if until is None else max(0.0, until - time.monotonic())
                ready = {key.fileobj for key, _ in selector.select(patience)}
                if self._woken in ready:
                    return
                if self._listening in ready:
                    self._welcome(selector)
                for caller in list(self._callers.values()):
                    heard = caller.connection in ready and self._heard_out(caller)
                    if heard or caller.until <= time.monotonic():
                        self._let_go(caller, selector)

    def _welcome(self, selector: selectors.BaseSelector) -> None:
        """Begin to listen to whoever has come."""
        try:
            connection, _ = self._listening.accept()
        except OSError as error:  # gone already, or this process has no file left to open
            _log.debug("a caller was not heard", exc_info=error)
            return
        connection.setblocking(False)
        self._callers[connection] = _Caller(connection, time.monotonic() + _PATIENCE)
        selector.register(connection, selectors.EVENT_READ)
        if len(self._callers) > _MAX_CALLERS:
            self._let_go(next(iter(self._callers.values())), selector)

    def _let_go(self, caller: _Caller, selector: selectors.BaseSelector) -> None:
        selector.unregister(caller.connection)
        del self._callers[caller.connection]
        caller.connection.close()

    def _heard_out(self, caller: _Caller) -> bool:
        """Take in what has come, and answer once that is a whole order; whether there is nothing more to be heard."""
        try:
            piece = caller.connection.recv(4096)
            caller.said += piece
            if piece and not caller.said.endswith(b"\n"):
                return len(caller.said) > _MAX_LINE
            if piece:
                # It finds room: nothing else is ever sent.
                caller.connection.sendall(msgspec.json.encode(self._answer(bytes(caller.said))) + b"\n")
        except OSError as error:
            _log.debug("a caller has gone", exc_info=error)
        return True

    def _answer(self, said: bytes) -> Answer:
        try:
            order: AnyOrder = msgspec.json.decode(said, type=AnyOrder)
        except (ValueError, RecursionError):  # no JSON, no text, no order, or nested without end
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
    """Tell the run in this folder what to do; raises :class:`UsageError` with the reason where it does not."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PATIENCE)
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
    """A path to the folder's socket that is short enough, whatever the folder's own path is."""
    path = folder / CONTROL_SOCKET
    if len(os.fsencode(path)) < _MAX_PATH:
        yield str(path)
        return
    with contextlib.ExitStack() as stack:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, handle)
        yield f"/proc/self/fd/{handle}/{CONTROL_SOCKET}"
