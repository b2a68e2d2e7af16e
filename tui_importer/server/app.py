"""Assembles the application from its parts."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tui_importer.plugins.registry import Registry
from tui_importer.server.access import GONE, RequestLog
from tui_importer.server.answers import refused
from tui_importer.server.guard import Guard
from tui_importer.server.health import DatabaseCheck
from tui_importer.server.http_error import HttpError
from tui_importer.server.intake import no_room
from tui_importer.server.metrics import Metrics
from tui_importer.server.openapi import openapi
from tui_importer.server.routes import Routes
from tui_importer.server.scheduler import Scheduler
from tui_importer.server.settings import Settings
from tui_importer.server.upload_handler import UploadHandler
from tui_importer.server.upload_registry import UploadRegistry
from tui_importer.server.uploads import Store
from tui_importer.server.watches import Watches

_SENTENCES = {404: "there is nothing here: see /openapi.json", 405: "that cannot be done here: see /openapi.json"}

_log = logging.getLogger(__name__)


class Server:
    """The application, with what the code that runs it needs: ``app`` and ``scheduler``."""

    def __init__(self, settings: Settings, store: Store, registry: Registry) -> None:
        metrics = Metrics()
        uploads = UploadRegistry(store, metrics)
        self.scheduler = scheduler = Scheduler(settings, uploads)
        watches = Watches(settings.watches, registry, uploads, scheduler, metrics)
        handler = UploadHandler(settings, registry, uploads, scheduler, metrics)
        database = DatabaseCheck(settings, registry)
        document = openapi(settings, registry, version("tui-importer"))
        routes = Routes(settings, uploads, scheduler, watches, handler, database, metrics, document)
        metrics.gauge("tui_importer_running", "Uploads whose run is at work.", lambda: len(scheduler.runners))
        metrics.gauge("tui_importer_waiting", "Uploads that wait for their turn.", lambda: scheduler.waiting)
        metrics.gauge("tui_importer_receiving", "Uploads that are coming in.", lambda: scheduler.receiving)
        metrics.gauge(
            "tui_importer_watched_files_waiting",
            "Files of watched folders whose import has not ended.",
            lambda: watches.waiting,
        )
        metrics.gauge(
            "tui_importer_rows_per_second",
            "Rows per second of all active runs, right now.",
            lambda: sum(runner.rates.rate() for runner in scheduler.runners.values()),
        )

        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            await scheduler.begin()
            watches.begin()
            try:
                yield
            finally:
                await scheduler.end()
                await watches.end()
                database.close()

        self.app = Starlette(
            routes=_routes(routes),
            middleware=[Middleware(RequestLog, metrics=metrics), Middleware(Guard, settings=settings)],
            exception_handlers={
                HttpError: _refused,
                HTTPException: _not_here,
                ClientDisconnect: _gone,
                OSError: _disk,
                Exception: _unexpected,
            },
            lifespan=lifespan,
        )


def _routes(routes: Routes) -> list[Route]:
    return [
        Route("/", routes.page),
        Route("/page.js", routes.page),
        Route("/page.css", routes.page),
        Route("/upload", routes.upload, methods=["POST"]),
        Route("/health", routes.health),
        Route("/metrics", routes.metrics),
        Route("/openapi.json", routes.openapi),
        Route("/runs", routes.runs, methods=["GET", "POST"]),
        Route("/runs/{id}", routes.run, methods=["GET", "DELETE"]),
        Route("/runs/{id}/events", routes.events),
        Route("/runs/{id}/rejects", routes.rejects),
        Route("/runs/{id}/pause", routes.pause, methods=["POST"]),
        Route("/runs/{id}/unpause", routes.unpause, methods=["POST"]),
        Route("/runs/{id}/stop", routes.stop, methods=["POST"]),
        Route("/runs/{id}/abort", routes.abort, methods=["POST"]),
        Route("/runs/{id}/resume", routes.resume, methods=["POST"]),
        Route("/runs/{id}/undo", routes.undo, methods=["GET", "POST"]),
        Route("/runs/{id}/cancel", routes.cancel, methods=["POST"]),
        Route("/watches", routes.watches),
        Route("/watches/{name}/pause", routes.pause_watch, methods=["POST"]),
        Route("/watches/{name}/unpause", routes.unpause_watch, methods=["POST"]),
    ]


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HttpError)
    return refused(error)


async def _not_here(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refused(HttpError(error.status_code, _SENTENCES.get(error.status_code, error.detail), error.headers))


async def _gone(request: Request, error: Exception) -> Response:
    """The client disconnected during its upload: nobody reads this answer."""
    return Response(status_code=GONE)


async def _disk(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    return refused(no_room(error))


async def _unexpected(request: Request, error: Exception) -> Response:
    """Answer an unexpected error: the traceback goes to the log, and nothing of it to the client."""
    return refused(HttpError(500, "something unexpected went wrong: the server's log says what"))
