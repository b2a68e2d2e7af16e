"""One upload that has its turn: its run is begun, followed to its end, and given orders meanwhile."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from tui_importer.core.model.counters import Snapshot, rate
from tui_importer.core.model.url import parse_address
from tui_importer.errors import ExitCode, ImporterError, UsageError
from tui_importer.events import LoadingStarted
from tui_importer.process.messages import ImportRequest
from tui_importer.process.start import RefusedError, start_run
from tui_importer.recording.control import CONTROL_SOCKET, AnyOrder, Stop, give_order
from tui_importer.recording.follow import Follower
from tui_importer.recording.recordings import Recording, recordings, recordings_folder
from tui_importer.server.http_error import HttpError
from tui_importer.server.settings import Settings
from tui_importer.server.upload_options import plan_of
from tui_importer.server.upload_registry import FINAL_OUTCOMES, UploadRegistry
from tui_importer.server.uploads import Upload
from tui_importer.text.command import command_of

#: Seconds between two looks at a run: its end is noticed so soon.
LOOK_PERIOD = 0.1
#: How often a run may die without a word (some workbooks abort the library that reads them) before that is its end.
MAX_DEATHS = 3
#: Seconds in which a run that has begun must take orders.
_PATIENCE = 5.0
#: Characters of the time, to the second, with which ids of runs and of uploads begin.
_TIME = len("20260131-235959")
#: Snapshots that a rate is taken over: two seconds.
_RECENT = 9

_log = logging.getLogger(__name__)


class UploadRunner:
    """``snapshot`` and ``rows_per_second`` are the latest uploads of the run. ``closing`` is set when the server is to
    end: then the run is, too, and the upload waits for the next start. ``on_table`` is called once the target table is
    sure to be there."""

    def __init__(
        self,
        upload: Upload,
        uploads: UploadRegistry,
        settings: Settings,
        closing: asyncio.Event,
        on_table: Callable[[], None],
    ) -> None:
        self.upload = upload
        self._on_table = on_table
        self.recording: Recording | None = None
        self.snapshot: Snapshot | None = None
        self.rows_per_second = 0.0
        self._recent: deque[Snapshot] = deque(maxlen=_RECENT)
        self._uploads = uploads
        self._settings = settings
        self._closing = closing

    async def carry_out(self, *, begun: bool) -> None:
        """All of it; ``begun`` says that a run of it may be at work since before this server was."""
        try:
            recording = await asyncio.to_thread(self._former_run) if begun else None
            while True:
                recording = recording or await self._start()
                if recording is None or await self._follow(recording):
                    return
                recording = None
        except OSError as error:
            _log.error("upload %s: %s", self.upload.id, error)
            sentence = f"the server cannot keep account of the run: {error.strerror}"
            await self._uploads.end(self.upload, "failed", ExitCode.FAILED, sentence)
        except Exception as error:  # noqa: BLE001  # a defect of ours must leave nobody waiting
            _log.error("upload %s: unexpected", self.upload.id, exc_info=error)
            sentence = "something unexpected went wrong: the server's log says what"
            await self._uploads.end(self.upload, "failed", ExitCode.FAILED, sentence)

    async def order(self, order: AnyOrder) -> None:
        """Tell the run; raises :class:`HttpError` (409) where it takes no orders."""
        if self.recording is None:
            raise HttpError(409, "the run is only beginning")
        try:
            await _tell(self.recording, order)
        except UsageError as error:
            raise HttpError(409, str(error)) from error

    async def stop(self) -> None:
        """Let the run finish what is in flight and end, if it still is at work."""
        if self.recording is not None:
            try:
                await _tell(self.recording, Stop())
            except UsageError as error:
                _log.info("run %s: %s", self.recording.run_id, error)

    async def _start(self) -> Recording | None:
        """Begin a run; None where it cannot be, which is the end."""
        upload, store = self.upload, self._uploads.store
        upload.interrupted = False
        await self._uploads.save(upload)  # that it has begun is known before it does anything
        database = parse_address(self._settings.database).display
        try:
            request = ImportRequest(
                plan=plan_of(upload.options, self._settings, upload.file),
                command=command_of(plan_of(upload.options, self._settings, str(store.file(upload))), database),
                rejects_file=store.rejects_file(upload, len(upload.run_ids) + 1).name,
            )
            recording = await asyncio.to_thread(partial(start_run, request, recordings_folder(), store.of(upload)))
        except ImporterError as error:
            code = error.exit_code if isinstance(error, RefusedError) else ExitCode.FAILED
            await self._uploads.end(upload, "failed", code, str(error))
            return None
        self._uploads.add_run(upload, recording.run_id)
        await self._uploads.note(upload)
        return recording

    async def _follow(self, recording: Recording) -> bool:
        """Follow a run to its end; False where the upload is to be run again."""
        self.recording = recording
        if self._closing.is_set() or self.upload.stop_requested:
            await self.stop()
        options = plan_of(self.upload.options, self._settings, self.upload.file).options
        makes_table = not (options.dry_run or options.atomic)  # before the first row, that is
        follower = await asyncio.to_thread(Follower, recording)
        try:
            while True:
                lines = await asyncio.to_thread(follower.poll)
                self._look([line.what for line in lines if isinstance(line.what, Snapshot)])
                if makes_table and any(isinstance(line.what, LoadingStarted) for line in lines):
                    self._on_table()
                if follower.ended:
                    break
                await asyncio.sleep(LOOK_PERIOD)
        finally:
            follower.close()
        return await self._ended(recording)

    async def _ended(self, recording: Recording) -> bool:
        upload = self.upload
        report = await asyncio.to_thread(recording.report)
        if report is None:
            return await self._died()
        if report.outcome == "stopped" and not upload.stop_requested:
            if self._closing.is_set():
                upload.state = "waiting"  # for the next start
                await self._uploads.note(upload)
                return True
            if upload.interrupted:
                return False  # by the end of the server before this one
        if (
            report.outcome in FINAL_OUTCOMES
            and not plan_of(upload.options, self._settings, upload.file).options.dry_run
        ):
            self._on_table()
        await self._uploads.end(upload, report.outcome, report.exit_code, report.error, report)
        return True

    async def _died(self) -> bool:
        upload = self.upload
        upload.deaths += 1
        if self._closing.is_set():
            return True  # on disk it is at work: the next start takes it up again
        if upload.deaths < MAX_DEATHS and not upload.stop_requested:
            _log.warning("upload %s: its run died and is taken up again", upload.id)
            return False
        times = "once" if upload.deaths == 1 else f"{upload.deaths} times"
        await self._uploads.end(
            upload, "failed", ExitCode.FAILED, f"the importer's process died {times}, probably of this file"
        )
        return True

    def _look(self, snapshots: list[Snapshot]) -> None:
        if snapshots:
            self._recent.extend(snapshots)
            self.snapshot = self._recent[-1]
            self.rows_per_second = rate(self._recent[0], self._recent[-1])

    def _former_run(self) -> Recording | None:
        """The recording of the upload's latest run: by its id, or, where the server was killed between beginning it
        and noting its id, by the file that it reads."""
        upload, folder = self.upload, recordings_folder()
        path = str(self._uploads.store.file(upload))
        for recording in recordings(folder):
            if recording.run_id[:_TIME] < upload.id[:_TIME]:
                break
            if recording.run_id not in upload.run_ids and path in (recording.command or ""):
                self._uploads.add_run(upload, recording.run_id)
        latest = Recording(folder / upload.run_ids[-1]) if upload.run_ids else None
        return latest if latest is not None and latest.events_file.exists() else None


async def _tell(recording: Recording, order: AnyOrder) -> None:
    """Give an order, once the run takes some; raises :class:`UsageError` where it does not."""
    until = time.monotonic() + _PATIENCE
    while not (recording.folder / CONTROL_SOCKET).exists() and recording.alive and time.monotonic() < until:
        await asyncio.sleep(0.02)
    await asyncio.to_thread(give_order, recording.folder, order)
