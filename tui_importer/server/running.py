"""Runs the server until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from tui_importer.errors import UsageError
from tui_importer.plugins.registry import Registry
from tui_importer.server.app import Server
from tui_importer.server.logs import log_as_json
from tui_importer.server.settings import Settings
from tui_importer.server.uploads import Store

#: Threads for files, processes and orders: enough that a slow disk under one upload blocks no other.
_THREADS = 24
#: Maximum number of connections, beyond which the answer is 503: each costs a few tens of kilobytes.
_MAX_CONNECTIONS = 1_000
#: Seconds that a connection may idle between two requests.
_KEEP_ALIVE = 15
#: Seconds for finishing answers at shutdown, in addition to the time for the runs.
_LAST_ANSWERS = 5.0

_log = logging.getLogger(__name__)


class _HeaderTimeoutProtocol(H11Protocol):
    """Closes connections on which no request begins: a client that sends headers byte by byte must not keep its
    place."""

    header_timeout = 30.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._check_later()

    def _check_later(self) -> None:
        self.loop.call_later(self.header_timeout, self._check_idle, self.cycle)

    def _check_idle(self, before: object) -> None:
        if self.transport.is_closing():
            return
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        if cycle is before and (cycle is None or cycle.response_complete):
            self.transport.close()
        else:
            self._check_later()


class _Uvicorn(uvicorn.Server):
    """Notifies the application of a signal at once: it has streams and waiting answers to end first."""

    def __init__(self, config: uvicorn.Config, closing: asyncio.Event) -> None:
        super().__init__(config)
        self._closing = closing
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="files"))
        await super().startup(sockets)
        for listening in sockets or ():
            host, port = listening.getsockname()[:2]
            _log.info("listening", extra={"host": host, "port": port})

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._closing.set)


def serve(settings: Settings, registry: Registry) -> None:
    """Serve until SIGTERM or SIGINT. Runs then finish the batches in flight, and the next start resumes them.

    Raises :class:`UsageError` if the address or the folder of uploads is not available.
    """
    log_as_json()
    listening = _listen(settings)
    store = Store(settings.folder)
    try:
        server = Server(settings, store, registry)
        config = uvicorn.Config(
            server.app,
            http=type("Impatient", (_HeaderTimeoutProtocol,), {"header_timeout": settings.idle_timeout}),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=int(settings.grace + _LAST_ANSWERS),
        )
        # At its end the web server sends itself the signal again, for the handlers that were installed before.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, frame: None)
        _Uvicorn(config, server.scheduler.closing).run(sockets=[listening])
    finally:
        store.close()
        listening.close()


def _listen(settings: Settings) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        raise UsageError(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}") from error
    return listening
