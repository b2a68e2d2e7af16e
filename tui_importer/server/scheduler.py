"""Schedules uploads: a bounded queue, a limited number of simultaneous runs, and all of them resumed after a
restart."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from tui_importer.errors import ExitCode
from tui_importer.recording.control import Abort, Pause, Stop, Unpause
from tui_importer.server.http_error import HttpError, too_busy
from tui_importer.server.settings import Settings
from tui_importer.server.upload_registry import UploadRegistry
from tui_importer.server.upload_runner import UploadRunner
from tui_importer.server.uploads import Upload

#: Seconds after which a client should retry: the default before any run has ended, and the maximum.
_DEFAULT_WAIT, _LONGEST_WAIT = 5.0, 300.0
#: Number of latest runs from which the duration of a run is estimated.
_RECENT_RUNS = 20
#: Seconds between two removals of expired uploads.
_TIDY_PERIOD = 600.0

_log = logging.getLogger(__name__)


class Scheduler:
    """Queues uploads and runs them in turn. ``closing`` is set when the server shuts down; no run begins after that.

    Everything runs on the event loop; only files, processes and orders are waited for in threads.
    """

    def __init__(self, settings: Settings, uploads: UploadRegistry) -> None:
        self.closing = asyncio.Event()
        self.runners: dict[str, UploadRunner] = {}
        self.receiving = 0
        self._settings = settings
        self._uploads = uploads
        self._waiting: list[Upload] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._durations: deque[float] = deque(maxlen=_RECENT_RUNS)
        self._table_exists = False
        self._tidying: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Load the uploads of earlier starts, and continue those that had not ended."""
        for upload in await asyncio.to_thread(self._uploads.store.load):
            self._uploads.add(upload)
            if upload.state == "ended" and upload.interrupted:
                await self._uploads.reopen(upload)
            if upload.state == "running":
                self._start(upload, begun=True)
            elif upload.state == "waiting":
                self._waiting.append(upload)
        if self.runners or self._waiting:
            _log.info("%d uploads of the server before are resumed", len(self.runners) + len(self._waiting))
        self._tidying = asyncio.create_task(self._tidy(), name="tidying")
        self._start_waiting()

    async def end(self) -> None:
        """Let the runs finish the batches in flight, for up to ``grace`` seconds; the next start resumes them."""
        self.closing.set()
        if self._tidying is not None:
            self._tidying.cancel()
        tasks = list(self._tasks.values())
        runners = [runner for runner in self.runners.values() if runner.upload.state != "ended"]
        for runner in runners:
            runner.upload.interrupted = True
            await self._uploads.note(runner.upload)
        await asyncio.gather(*(runner.stop() for runner in runners))
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._settings.grace)
            for task in late:
                task.cancel()  # the run itself continues, and the next start finds it
            await asyncio.gather(*late, return_exceptions=True)

    @property
    def waiting(self) -> int:
        """Number of uploads that wait for their turn."""
        return len(self._waiting)

    def position(self, upload: Upload) -> int | None:
        """Return the upload's place in the queue, from 1."""
        return self._waiting.index(upload) + 1 if upload in self._waiting else None

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place in the queue while an upload comes in. Raises :class:`HttpError`: 429 if the queue is full, 503
        during shutdown."""
        if self.closing.is_set():
            raise HttpError(503, "the server is shutting down", {"Retry-After": "10"})
        self._check_room()
        self.receiving += 1
        try:
            yield
        finally:
            self.receiving -= 1

    def accept(self, upload: Upload) -> None:
        """Queue an upload that has been stored."""
        self._uploads.add(upload)
        self._waiting.append(upload)
        self._start_waiting()

    async def wait_for_end(self, upload: Upload, seconds: float | None) -> bool:
        """Wait until the upload has ended or the server shuts down, for so many seconds at most; return whether it has
        ended."""
        waits = [asyncio.create_task(event.wait()) for event in (self._uploads.ended(upload), self.closing)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return upload.state == "ended"

    async def pause(self, upload: Upload) -> None:
        """Pause the run. Raises :class:`HttpError` (409) if it is not running."""
        await self._runner(upload).order(Pause())

    async def unpause(self, upload: Upload) -> None:
        """Unpause the run. Raises :class:`HttpError` (409) if it is not running."""
        await self._runner(upload).order(Unpause())

    async def resume(self, upload: Upload) -> None:
        """Resume an upload that was stopped or failed. Raises :class:`HttpError` (409) if there is nothing to resume.

        A paused run is unpaused, as clients of version 0.1 expect.
        """
        await self._finished(upload)
        if upload.state != "ended":
            await self.unpause(upload)
            return
        if not self._uploads.resumable(upload):
            raise HttpError(409, "the run has come to its end: there is nothing to resume")
        self._check_room()
        await self._uploads.reopen(upload)
        self._waiting.append(upload)
        self._start_waiting()

    async def stop(self, upload: Upload) -> None:
        """Finish the batches in flight and stop. Raises :class:`HttpError` (409) if the upload has ended."""
        await self._end(upload, Stop())

    async def abort(self, upload: Upload) -> None:
        """Stop, and roll back the batches in flight. Raises :class:`HttpError` (409) if the upload has ended."""
        await self._end(upload, Abort())

    async def cancel(self, upload: Upload) -> None:
        """Stop; a second time, abort. Version 0.1 had this one order for both. Raises :class:`HttpError` (409)."""
        await self._end(upload, Abort() if upload.stop_requested else Stop())

    async def _end(self, upload: Upload, order: Stop | Abort) -> None:
        if upload in self._waiting:
            self._waiting.remove(upload)
            upload.stop_requested = True
            await self._uploads.end(upload, "stopped", ExitCode.STOPPED, "stopped before it began")
            return
        runner = self._runner(upload)
        upload.stop_requested = True  # a run that is still starting is stopped once it has started
        await self._uploads.note(upload)
        if runner.recording is not None:
            await runner.order(order)

    async def delete(self, upload: Upload) -> None:
        """Forget an upload. Raises :class:`HttpError`: 409 if it is running, 404 if another request has already deleted
        it."""
        await self._finished(upload)
        if upload.id in self.runners:
            raise HttpError(409, "the run is at work: stop it first")
        if upload in self._waiting:
            await self.stop(upload)  # another request may be waiting for its end
        await self._uploads.forget(upload)

    async def _finished(self, upload: Upload) -> None:
        """Wait until the task of an ended upload has finished too: the end is visible before it is stored."""
        if upload.state == "ended" and upload.id in self._tasks:
            await asyncio.wait((self._tasks[upload.id],))

    def _runner(self, upload: Upload) -> UploadRunner:
        runner = self.runners.get(upload.id)
        if runner is None or upload.state != "running":
            raise HttpError(409, "the run has ended" if upload.state == "ended" else "the run waits for its turn")
        return runner

    def _check_room(self) -> None:
        if self.receiving + len(self._waiting) >= self._settings.max_waiting:
            expected = sum(self._durations) / len(self._durations) if self._durations else _DEFAULT_WAIT
            raise too_busy(
                f"{len(self._waiting)} uploads wait for their turn and {self.receiving} are coming in, which is the "
                "limit here: try again later",
                round(min(_LONGEST_WAIT, max(1.0, expected))),
            )

    def _start_waiting(self) -> None:
        """Start waiting uploads as far as there is room. Of two uploads of the same content one waits for the other,
        because the ledger refuses the second while the first is running. All wait until the first run has found or
        created the target table, because of two runs that create it one would fail."""
        running = {runner.upload.sha256 for runner in self.runners.values()}
        for upload in list(self._waiting):
            room = self._settings.max_runs if self._table_exists else 1
            if self.closing.is_set() or len(self.runners) >= room:
                return
            if upload.sha256 not in running:
                running.add(upload.sha256)
                self._waiting.remove(upload)
                self._start(upload, begun=False)

    def _start(self, upload: Upload, *, begun: bool) -> None:
        upload.state = "running"
        runner = self.runners[upload.id] = UploadRunner(
            upload, self._uploads, self._settings, self.closing, self._table_found
        )
        started = time.monotonic()

        def on_done(task: asyncio.Task[None]) -> None:
            del self._tasks[upload.id], self.runners[upload.id]
            self._durations.append(time.monotonic() - started)
            self._start_waiting()

        task = asyncio.create_task(runner.carry_out(begun=begun), name=upload.id)
        self._tasks[upload.id] = task
        task.add_done_callback(on_done)

    def _table_found(self) -> None:
        if not self._table_exists:
            self._table_exists = True
            self._start_waiting()

    async def _tidy(self) -> None:
        """Forget uploads that ended more than ``keep`` seconds ago."""
        while True:
            before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=self._settings.keep)
            for upload in self._uploads.ended_before(before):
                try:
                    await self._uploads.forget(upload)
                except (OSError, HttpError) as error:
                    _log.warning("upload %s cannot be removed: %s", upload.id, error)
            await asyncio.sleep(_TIDY_PERIOD)
