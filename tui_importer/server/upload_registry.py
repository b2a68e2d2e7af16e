"""The uploads that the server knows, found by id, run or idempotency key, and their ends."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import shutil

from tui_importer.core.model.report import Outcome, Report
from tui_importer.errors import ExitCode
from tui_importer.recording.recordings import Recording, recordings_folder
from tui_importer.server.http_error import HttpError
from tui_importer.server.metrics import Metrics
from tui_importer.server.uploads import Store, Upload, now
from tui_importer.text.safe import visible

#: Outcomes after which the uploaded file is no longer needed.
FINAL_OUTCOMES = ("complete", "complete_with_rejects", "complete_with_suppressed", "already_imported")

_log = logging.getLogger(__name__)


class UploadRegistry:
    """All uploads, in memory and in the store."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self.store = store
        self.uploads: dict[str, Upload] = {}
        self._metrics = metrics
        self._of_key: dict[str, str] = {}
        self._of_run: dict[str, str] = {}
        self._ended: dict[str, asyncio.Event] = {}

    def find(self, name: str) -> Upload:
        """Return the upload with this id, or with a run of this id. Raises :class:`HttpError` (404)."""
        upload = self.uploads.get(name) or self.uploads.get(self._of_run.get(name, ""))
        if upload is None:
            raise HttpError(404, "there is no such run here")
        return upload

    def of_key(self, key: str) -> Upload | None:
        """Return the upload with this idempotency key."""
        return self.uploads.get(self._of_key.get(key, ""))

    def ended(self, upload: Upload) -> asyncio.Event:
        """Return an event that is set once the upload has ended; the upload may be resumed later."""
        return self._ended[upload.id]

    def add(self, upload: Upload) -> None:
        """Add an upload that has been stored."""
        self.uploads[upload.id] = upload
        self._ended[upload.id] = asyncio.Event()
        if upload.state == "ended":
            self._ended[upload.id].set()
        self._of_run.update(dict.fromkeys(upload.run_ids, upload.id))
        if upload.key is not None:
            self._of_key[upload.key] = upload.id

    def add_run(self, upload: Upload, run_id: str) -> None:
        """Add a run to the upload, as its latest."""
        upload.run_ids.append(run_id)
        self._of_run[run_id] = upload.id

    async def save(self, upload: Upload) -> None:
        """Store what has changed about the upload. Raises ``OSError``."""
        await asyncio.to_thread(self.store.save, upload)

    async def note(self, upload: Upload) -> None:
        """Store what has changed, as best effort: the next start can rebuild it, so a full disk is only logged. Also
        remove the file if it is no longer needed."""
        try:
            if upload.state == "ended" and upload.outcome in FINAL_OUTCOMES:
                await asyncio.to_thread(self.store.remove_file, upload)
            await self.save(upload)
        except OSError as error:
            _log.error("upload %s: what becomes of it cannot be noted: %s", upload.id, error)

    async def end(
        self, upload: Upload, outcome: Outcome, exit_code: int, error: str | None, report: Report | None = None
    ) -> None:
        """End the upload with this outcome, and with the report of its run if there is one."""
        if report is not None:
            self._metrics.count(report, upload.rejects_total)
            upload.stats, upload.rejects_total, upload.resumes = report.stats, report.rejects_total, report.resumes
            upload.table, upload.notes = visible(report.target.table), tuple(map(visible, report.notes))
            upload.interrupted = report.exit_code in (ExitCode.SIGINT, ExitCode.SIGTERM)
        upload.outcome, upload.exit_code, upload.ended_at = outcome, int(exit_code), now()
        upload.error = None if error is None else visible(error)
        upload.state = "ended"
        await self.note(upload)
        self._metrics.ended(outcome)
        self._ended[upload.id].set()
        _log.info("upload ended", extra={"upload": upload.id, "outcome": outcome, "exit_code": int(exit_code)})

    async def reopen(self, upload: Upload) -> None:
        """Queue the upload again. Raises ``OSError``."""
        upload.state, upload.stop_requested, upload.deaths = "waiting", False, 0
        upload.outcome = upload.exit_code = upload.error = upload.ended_at = None
        self._ended[upload.id].clear()
        await self.save(upload)

    async def forget(self, upload: Upload) -> None:
        """Remove an upload, its file, its rejects and the recordings of its runs. Raises ``OSError``, and
        :class:`HttpError` (404) if it has already been removed.

        It cannot be found from the first moment on, so of two concurrent requests one succeeds.
        """
        self.find(upload.id)
        del self.uploads[upload.id], self._ended[upload.id]
        for run_id in upload.run_ids:
            del self._of_run[run_id]
        if upload.key is not None:
            del self._of_key[upload.key]
        try:
            await asyncio.to_thread(self._remove, upload)
        except OSError:
            self.add(upload)
            raise

    def resumable(self, upload: Upload) -> bool:
        """Return whether the upload was stopped or failed, and its file still exists."""
        return upload.state == "ended" and upload.outcome not in FINAL_OUTCOMES and self.store.file(upload).exists()

    def ended_before(self, moment: dt.datetime) -> list[Upload]:
        """Return the uploads that ended before this moment."""
        return [
            upload
            for upload in self.uploads.values()
            if upload.ended_at is not None and dt.datetime.fromisoformat(upload.ended_at) < moment
        ]

    def _remove(self, upload: Upload) -> None:
        self.store.remove(upload)
        for run_id in upload.run_ids:
            folder = Recording(recordings_folder() / run_id).folder
            if folder.exists():  # `runs --prune` may have removed it already
                shutil.rmtree(folder)
