"""The request handlers, one function each."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from tui_importer.errors import ExitCode, ImporterError
from tui_importer.recording.follow import headers
from tui_importer.recording.recordings import Recording, recordings_folder
from tui_importer.rejects.rebuilt import rejecting_run
from tui_importer.rejects.workbook import write_reject_workbook
from tui_importer.server.answers import (
    HealthAnswer,
    HealthWord,
    RunAnswer,
    RunsAnswer,
    WatchesAnswer,
    json_response,
    refused,
)
from tui_importer.server.health import DatabaseCheck
from tui_importer.server.http_error import STATUS_OF, HttpError
from tui_importer.server.metrics import CONTENT_TYPE, Metrics
from tui_importer.server.scheduler import Scheduler
from tui_importer.server.settings import Settings
from tui_importer.server.stream import events, position_of
from tui_importer.server.undoing import undo_upload
from tui_importer.server.upload_handler import UploadHandler
from tui_importer.server.upload_registry import UploadRegistry
from tui_importer.server.uploads import Upload
from tui_importer.server.view import UploadView
from tui_importer.server.watches import Watches

WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: Default and maximum number of runs in a list.
LISTED, MOST_LISTED = 50, 500

_PAGE = {
    "page.html": "text/html; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
}


class Routes:
    """The handlers and what they need. Each raises :class:`HttpError` to refuse a request."""

    def __init__(
        self,
        settings: Settings,
        uploads: UploadRegistry,
        scheduler: Scheduler,
        watches: Watches,
        handler: UploadHandler,
        database: DatabaseCheck,
        metrics: Metrics,
        openapi: bytes,
    ) -> None:
        self._settings = settings
        self._uploads = uploads
        self._scheduler = scheduler
        self._watches = watches
        self._handler = handler
        self._database = database
        self._metrics = metrics
        self._openapi = openapi
        self._view = UploadView(settings, uploads, scheduler)
        self._version = version("tui-importer")

    async def page(self, request: Request) -> Response:
        """Serve the page and its parts."""
        name = request.url.path.removeprefix("/") or "page.html"
        content = files("tui_importer.server").joinpath("page", name).read_bytes()
        return Response(content, headers={"Content-Type": _PAGE[name]})

    async def openapi(self, request: Request) -> Response:
        """Serve the OpenAPI document."""
        return Response(self._openapi, media_type="application/json")

    async def metrics(self, request: Request) -> Response:
        """Serve the metrics for Prometheus."""
        return Response(self._metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    async def health(self, request: Request) -> Response:
        """Report whether server and database answer: 200, or 503."""
        ok = await self._database.ok()
        word: HealthWord = "ok" if ok else "unavailable"
        answer = HealthAnswer(
            status=word,
            database=word,
            running=len(self._scheduler.runners),
            waiting=self._scheduler.waiting,
            version=self._version,
        )
        return json_response(answer, 200 if ok else 503)

    async def upload(self, request: Request) -> Response:
        """Accept a file, run it, and answer with its result, as the original program did."""
        upload, replayed = await self._handler.take(request)
        # Independent of the request: the run continues if the client disconnects.
        ended = await self._scheduler.wait_for_end(upload, self._settings.answer_within)
        extra = _replayed(replayed) | {"Location": f"/runs/{upload.id}"}
        if not ended:
            return json_response(await self._run(upload), 202, extra)
        if upload.exit_code in (ExitCode.OK, ExitCode.REJECTS) and upload.stats is not None:
            return json_response(await asyncio.to_thread(self._view.upload, upload), 200, extra)
        stopped = upload.outcome == "stopped"  # by the client's own limits, or by an order
        status = 409 if stopped else STATUS_OF.get(ExitCode(upload.exit_code or ExitCode.FAILED), 500)
        retry = {"Retry-After": "10"} if status == 503 else {}
        return refused(
            HttpError(status, self._view.without_paths(upload.error or "the run failed"), extra | retry), upload
        )

    async def runs(self, request: Request) -> Response:
        """List all runs, or create one."""
        return await (self._create(request) if request.method == "POST" else self._list(request))

    async def run(self, request: Request) -> Response:
        """Show one run, or delete it."""
        return await (self._delete(request) if request.method == "DELETE" else self._show(request))

    async def _create(self, request: Request) -> Response:
        """Accept a file and answer 202 with its run as a resource."""
        upload, replayed = await self._handler.take(request)
        return json_response(await self._run(upload), 202, _replayed(replayed) | {"Location": f"/runs/{upload.id}"})

    async def _list(self, request: Request) -> Response:
        _only(request, "limit", "before")
        limit = _count(request.query_params.get("limit", str(LISTED)), "limit", 1, MOST_LISTED)
        before = request.query_params.get("before", "~")  # sorts after every id
        ids = sorted((id_ for id_ in self._uploads.uploads if id_ < before), reverse=True)
        answers = tuple(self._view.run(self._uploads.uploads[id_], with_rejects=False) for id_ in ids[:limit])
        return json_response(RunsAnswer(runs=answers, next=ids[limit - 1] if len(ids) > limit else None))

    async def _show(self, request: Request) -> Response:
        return json_response(await self._run(self._named(request)))

    async def _delete(self, request: Request) -> Response:
        await self._scheduler.delete(self._named(request))
        return Response(status_code=204)

    async def events(self, request: Request) -> Response:
        """Stream the run's events; 204 if the client has them all, which ends an ``EventSource``."""
        _only(request, "rejects")
        upload = self._named(request)
        position = position_of(request.headers.get("last-event-id"))
        with_rejects = _flag(request.query_params.get("rejects", "false"))
        if position != (1, 0) and await asyncio.to_thread(self._has_all, upload, position):
            return Response(status_code=204)
        stream: AsyncIterator[bytes] = events(upload, self._view, self._scheduler, position, with_rejects=with_rejects)
        # Without this, proxies that buffer (nginx) would show nothing of a live run.
        return StreamingResponse(stream, headers={"X-Accel-Buffering": "no"}, media_type="text/event-stream")

    async def rejects(self, request: Request) -> Response:
        """Return the rejected rows, as JSON or as a workbook."""
        _only(request, "format")
        upload = self._named(request)
        accepted = "xlsx" if WORKBOOK in request.headers.get("accept", "") else "json"
        form = request.query_params.get("format", accepted)
        if form == "json":
            return StreamingResponse(self._view.rejects_json(upload), media_type="application/json")
        if form != "xlsx":
            raise HttpError(400, "format has to be json or xlsx")
        path, made = await asyncio.to_thread(self._workbook, upload)
        cleanup = BackgroundTask(path.unlink) if made else None
        return FileResponse(path, media_type=WORKBOOK, filename="rejects.xlsx", background=cleanup)

    async def pause(self, request: Request) -> Response:
        """Pause a run."""
        return await self._ordered(request, self._scheduler.pause)

    async def unpause(self, request: Request) -> Response:
        """Unpause a run."""
        return await self._ordered(request, self._scheduler.unpause)

    async def resume(self, request: Request) -> Response:
        """Resume a run that was stopped or failed."""
        return await self._ordered(request, self._scheduler.resume)

    async def stop(self, request: Request) -> Response:
        """Stop a run: finish the batches in flight."""
        return await self._ordered(request, self._scheduler.stop)

    async def abort(self, request: Request) -> Response:
        """Abort a run: roll back the batches in flight; committed rows stay."""
        return await self._ordered(request, self._scheduler.abort)

    async def cancel(self, request: Request) -> Response:
        """Stop a run; a second time, abort it."""
        return await self._ordered(request, self._scheduler.cancel)

    async def undo(self, request: Request) -> Response:
        """Say what undoing a run would take back, or take it back."""
        _only(request, *(("rows",) if request.method == "POST" else ()))
        upload, expected = self._named(request), None
        if request.method == "POST":
            if "rows" not in request.query_params:
                raise HttpError(400, "rows is missing: the number of rows that GET says would be taken out")
            expected = _count(request.query_params["rows"], "rows", 0, sys.maxsize)
        if not self._settings.allow_undo:
            raise HttpError(409, "this server does not undo runs: whoever starts it can allow that (--allow-undo)")
        answer = await asyncio.to_thread(undo_upload, upload, self._settings, expected)
        return json_response(answer)

    async def watches(self, request: Request) -> Response:
        """List the folders that are watched."""
        _only(request)
        answers = tuple(map(self._view.watch, self._watches.watchers.values()))
        return json_response(WatchesAnswer(watches=answers))

    async def pause_watch(self, request: Request) -> Response:
        """Take no further files of a folder."""
        return await self._paused(request, paused=True)

    async def unpause_watch(self, request: Request) -> Response:
        """Take files of a folder again."""
        return await self._paused(request, paused=False)

    async def _paused(self, request: Request, *, paused: bool) -> Response:
        _only(request)
        watcher = self._watches.find(request.path_params["name"])
        await self._watches.pause(watcher, paused=paused)
        return json_response(self._view.watch(watcher))

    async def _ordered(self, request: Request, order: Callable[[Upload], Awaitable[None]]) -> Response:
        upload = self._named(request)
        await order(upload)
        return json_response(await self._run(upload), 202)

    def _named(self, request: Request) -> Upload:
        return self._uploads.find(request.path_params["id"])

    async def _run(self, upload: Upload) -> RunAnswer:
        return await asyncio.to_thread(self._view.run, upload)

    def _has_all(self, upload: Upload, position: tuple[int, int]) -> bool:
        """Return whether a client at this position has received everything there will be."""
        if upload.state != "ended" or position[0] < len(upload.run_ids) or not upload.run_ids:
            return False
        try:
            return position[1] >= Recording(recordings_folder() / upload.run_ids[-1]).events_file.stat().st_size
        except FileNotFoundError:
            return True

    def _workbook(self, upload: Upload) -> tuple[Path, bool]:
        """Return a workbook of all rejects, and whether it is temporary."""
        written = self._uploads.store.rejects_file(upload, len(upload.run_ids))
        if upload.state == "ended" and upload.outcome != "already_imported" and written.exists():
            return written, False
        handle, name = tempfile.mkstemp(prefix=".rejects-", suffix=".xlsx", dir=self._uploads.store.of(upload))
        os.close(handle)
        recordings = self._view.recordings(upload)
        shown = next((found for recording in recordings if (found := headers(recording))), ())
        try:
            rejects = (event.reject for event in self._view.rejects(upload))
            write_reject_workbook(
                Path(name), shown, rejects, run_id=rejecting_run(recordings[-1]) if recordings else None
            )
        except ImporterError as error:
            Path(name).unlink()
            raise HttpError(507, "the workbook cannot be written: there is no room for it") from error
        return Path(name), True


def _replayed(replayed: bool) -> dict[str, str]:
    return {"Idempotency-Replayed": "true"} if replayed else {}


def _only(request: Request, *names: str) -> None:
    """Raise :class:`HttpError` (400) for a query with any other parameter, or a repeated one."""
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in names:
            raise HttpError(400, f"unknown parameter {name!r}: known are {', '.join(names) or 'none'}")
        if given.count(name) > 1:
            raise HttpError(400, f"{name} is given twice")


def _count(text: str, name: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise HttpError(400, f"{name} has to be a whole number from {least} to {most}")
    return int(text)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise HttpError(400, "rejects has to be true or false")
    return text == "true"
