"""One log record and one metrics observation per request. Queries and headers are never logged."""

from __future__ import annotations

import logging
import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tui_importer.server.metrics import Metrics

#: The status logged if the client disconnected before it was answered (nginx's code for that).
GONE = 499

_log = logging.getLogger("tui_importer.server.access")


class RequestLog:
    """Logs and measures the requests to ``app``."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, request_id = time.perf_counter(), secrets.token_hex(8)
        status, taken, given = GONE, 0, 0

        async def watched_receive() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            return message

        async def watched_send(message: Message) -> None:
            nonlocal status, given
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            given += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, watched_receive, watched_send)
        except Exception:
            status = 500
            raise
        finally:
            seconds = time.perf_counter() - started
            endpoint = getattr(scope.get("endpoint"), "__name__", "none")
            self._metrics.answered(endpoint, scope["method"] if status != 405 else "other", status, seconds)
            client = scope.get("client")
            _log.info(
                "request",
                extra={
                    "request_id": request_id,
                    "client": client[0] if client else None,
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "bytes_in": taken,
                    "bytes_out": given,
                    "seconds": round(seconds, 4),
                },
            )
