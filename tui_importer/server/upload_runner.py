"""Runs one upload: starts its run, follows it to its end, and sends it orders."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

from tui_importer.core.model.counters import Snapshot
from tui_importer.core.model.rates import RateWindow
from tui_importer.core.model.url import parse_address
from tui_importer.errors import ExitCode, ImporterError, UsageError
from tui_importer.events import LoadingStarted
from tui_importer.process.messages import ImportRequest
from tui_importer.process.start import MAX_DEATHS, RefusedError, start_run
from tui_importer.recording.control import CONTROL_SOCKET, AnyOrder, Stop, give_order
from tui_importer.recording.follow import Follower
from tui_importer.recording.recordings import Recording, recordings, recordings_folder
from tui_importer.rejects.mended import plan_for_file
from tui_importer.server.http_error import HttpError
from tui_importer.server.settings import Settings
from tui_importer.server.upload_options import plan_of
from tui_importer.server.upload_registry import FINAL_OUTCOMES, UploadRegistry
from tui_importer.server.uploads import Upload
from tui_importer.text.command import command_of

#: Seconds between two reads of a run's recording: the delay with which its end is noticed.
POLL_PERIOD = 0.1
#: Seconds within which a started run must accept orders.
_ORDER_TIMEOUT = 5.0
#: Length of the time, to the second, with which ids of runs and of uploads begin.
_TIME_LENGTH = len("20260131-235959")

_log = logging.getLogger(__name__)


class UploadRunner:
    """Runs one upload. ``snapshot`` and ``rates`` are the latest progress of the run. When ``closing`` is
    set, the server shuts down: the run is stopped, and the upload waits for the next start. ``on_table`` is called once
    the target table is known to exist."""

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
        self.rates = RateWindow()
        self._uploads = uploads
        self._settings = settings
        self._closing = closing

    async def carry_out(self, *, begun: bool) -> None:
        """Carry the upload out, to its end. ``begun`` means that a run of it may have been started by an earlier
        server."""
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
        """Send an order to the run. Raises :class:`HttpError` (409) if it accepts none."""
        if self.recording is None:
            raise HttpError(409, "the run is only beginning")
        try:
            await _send_order(self.recording, order)
        except UsageError as error:
            raise HttpError(409, str(error)) from error

    async def stop(self) -> None:
        """Stop the run after the batches in flight, if it is still running."""
        if self.recording is not None:
            try:
                await _send_order(self.recording, Stop())
            except UsageError as error:
                _log.info("run %s: %s", self.recording.run_id, error)

    async def _start(self) -> Recording | None:
        """Start a run; return None if that fails, which ends the upload."""
        upload, store = self.upload, self._uploads.store
        upload.interrupted = False
        await self._uploads.save(upload)  # the state on disk must be right before the run does anything
        database = parse_address(self._settings.database).display
        try:
            plan = plan_of(upload.options, self._settings, upload.file)
            plan = await asyncio.to_thread(plan_for_file, plan, store.file(upload), recordings_folder())
            request = ImportRequest(
                plans=(plan,),
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
        """Follow a run to its end; return False if the upload must be run again."""
        self.recording, self.rates = recording, RateWindow()
        if self._closing.is_set() or self.upload.stop_requested:
            await self.stop()
        options = plan_of(self.upload.options, self._settings, self.upload.file).options
        makes_table = not (options.dry_run or options.atomic)  # before the first row, in these cases
        follower = await asyncio.to_thread(Follower, recording)
        try:
            while True:
                lines = await asyncio.to_thread(follower.poll)
                self._update_progress([line.what for line in lines if isinstance(line.what, Snapshot)])
                if makes_table and any(isinstance(line.what, LoadingStarted) for line in lines):
                    self._on_table()
                if follower.ended:
                    break
                await asyncio.sleep(POLL_PERIOD)
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
                return False  # interrupted when the server before this one ended
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
            return True  # on disk it is running: the next start resumes it
        if upload.deaths < MAX_DEATHS and not upload.stop_requested:
            _log.warning("upload %s: its run died and is resumed", upload.id)
            return False
        times = "once" if upload.deaths == 1 else f"{upload.deaths} times"
        await self._uploads.end(
            upload, "failed", ExitCode.FAILED, f"the importer's process died {times}, probably of this file"
        )
        return True

    def _update_progress(self, snapshots: list[Snapshot]) -> None:
        for snapshot in snapshots:
            self.snapshot = snapshot
            self.rates.add(snapshot)

    def _former_run(self) -> Recording | None:
        """Return the recording of the upload's latest run. If the server was killed after starting the run and before
        storing its id, the recording is found by the file that it reads."""
        upload, folder = self.upload, recordings_folder()
        for recording in recordings(folder):
            if recording.run_id[:_TIME_LENGTH] < upload.id[:_TIME_LENGTH]:
                break
            # The id is part of the path, and unlike the name of the file looks the same in a command.
            if recording.run_id not in upload.run_ids and upload.id in (recording.command or ""):
                self._uploads.add_run(upload, recording.run_id)
        latest = Recording(folder / upload.run_ids[-1]) if upload.run_ids else None
        return latest if latest is not None and latest.events_file.exists() else None


async def _send_order(recording: Recording, order: AnyOrder) -> None:
    """Send an order once the run accepts orders. Raises :class:`UsageError` if it does not."""
    until = time.monotonic() + _ORDER_TIMEOUT
    while not (recording.folder / CONTROL_SOCKET).exists() and recording.alive and time.monotonic() < until:
        await asyncio.sleep(0.02)
    await asyncio.to_thread(give_order, recording.folder, order)
