"""Uploads as HTTP resources, assembled from the upload, its runner and its recordings."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import islice
from pathlib import PurePath
from typing import TypeVar

import msgspec

from tui_importer.core.model.json_text import encode_json
from tui_importer.core.model.report import (
    MAX_REPORTED_REJECTS,
    ReasonGroup,
    ReportedReject,
    reported,
    reports_of_imports,
)
from tui_importer.core.model.url import parse_address
from tui_importer.core.run.run_id import run_id_of
from tui_importer.errors import ExitCode
from tui_importer.events import RowRejected
from tui_importer.recording.follow import rejected_rows
from tui_importer.recording.recordings import Recording, recordings_folder
from tui_importer.server.answers import (
    RunAnswer,
    UploadAnswer,
    WatchAnswer,
    WatchedFileAnswer,
    WatchedFileState,
    message_of,
    progress_of,
)
from tui_importer.server.scheduler import Scheduler
from tui_importer.server.settings import Settings
from tui_importer.server.upload_registry import UploadRegistry
from tui_importer.server.uploads import Upload
from tui_importer.server.watches import FolderWatcher, may_be_retried, without_folders
from tui_importer.text.safe import visible

#: Rejects per piece of a streamed answer.
_PIECE = 200
#: Maximum number of files that are named of each kind, waiting and taken, of a watched folder.
_MAX_FILES = 50
#: Maximum number of earlier runs of one import that are searched for rejects.
_MAX_CHAIN = 100

T = TypeVar("T")


class UploadView:
    """Builds answers about uploads; changes none."""

    def __init__(self, settings: Settings, uploads: UploadRegistry, scheduler: Scheduler) -> None:
        self._settings = settings
        self._uploads = uploads
        self._scheduler = scheduler
        file = parse_address(settings.database).file
        self._shown_database = "the database" if file is None else PurePath(file).name
        self._watches = {watch.key: watch.name for watch in settings.watches}

    def without_paths(self, text: str) -> str:
        """Return what a run said, without the path of its database on the server."""
        return text.replace(self._settings.database, self._shown_database)

    def run(self, upload: Upload, *, with_rejects: bool = True) -> RunAnswer:
        """Return the upload as a resource. With ``with_rejects`` this reads the report file."""
        runner = self._scheduler.runners.get(upload.id) if upload.state == "running" else None
        snapshot = runner.snapshot if runner else None
        state = "paused" if snapshot and snapshot.paused else upload.state
        rejects, groups = self._reported(upload) if with_rejects else ((), ())
        return RunAnswer(
            id=upload.id,
            run_id=upload.run_ids[-1] if upload.run_ids else None,
            run_ids=tuple(upload.run_ids),
            state=state,
            position=self._scheduler.position(upload),
            message=message_of(upload),
            outcome=upload.outcome,
            exit_code=upload.exit_code,
            error=None if upload.shown_error is None else self.without_paths(upload.shown_error),
            resumable=self._uploads.resumable(upload),
            file=upload.name,
            watch=self._watch_of(upload),
            bytes=upload.size,
            sha256=upload.sha256,
            method=self.method(upload),
            options=msgspec.to_builtins(upload.options),
            table=upload.table or self._settings.plan.target.table,
            created_at=upload.created_at,
            ended_at=upload.ended_at,
            progress=progress_of(snapshot, runner.rates) if runner and snapshot else None,
            stats=upload.stats,
            resumes=upload.resumes,
            notes=tuple(map(self.without_paths, upload.notes)),
            rejects_total=upload.rejects_total,
            rejects=rejects,
            reject_groups=groups,
        )

    def upload(self, upload: Upload) -> UploadAnswer:
        """Return the answer of the original program for an upload whose run has ended. Reads a file."""
        assert upload.stats is not None
        assert upload.outcome is not None
        rejects, groups = self._reported(upload)
        return UploadAnswer(
            message=message_of(upload),
            method=self.method(upload),
            stats=upload.stats,
            id=upload.id,
            run_id=upload.run_ids[-1],
            outcome=upload.outcome,
            table=upload.table,
            notes=tuple(map(self.without_paths, upload.notes)),
            rejects_total=upload.rejects_total,
            rejects=rejects,
            reject_groups=groups,
        )

    def watch(self, watcher: FolderWatcher) -> WatchAnswer:
        """Return a watched folder as a resource."""
        watch, waiting = watcher.watch, watcher.waiting
        names = frozenset(waiting)
        taken = [self._watched_file(upload, names) for upload in watcher.uploads()]
        at_work = {each.file for each in taken if each.state in ("waiting", "running", "postponed")}
        error = watcher.last_error
        return WatchAnswer(
            name=watch.name,
            patterns=watch.options.patterns,
            state="paused" if watcher.paused else "watching" if watcher.readable else "unreadable",
            waiting=len(waiting),
            done=sum(each.state == "done" for each in taken),
            failed=sum(each.state == "failed" for each in taken),
            files=(
                *(
                    WatchedFileAnswer(file=visible(file), state="waiting", id=None, run_id=None, error=None)
                    for file in waiting[:_MAX_FILES]
                    if visible(file) not in at_work
                ),
                *taken[: -1 - _MAX_FILES : -1],
            ),
            last_error=None if error is None else self.without_paths(without_folders(error, watch)),
            last_error_at=watcher.last_error_at,
        )

    def rejects(self, upload: Upload) -> Iterator[RowRejected]:
        """Yield all recorded rejects, including those of the runs that it resumed. Reads files."""
        recordings = self.recordings(upload)
        seen: set[tuple[int, str, int]] = set()
        for recording in recordings:
            for event in rejected_rows(recording):
                if len(recordings) > 1:  # several runs can record the same reject
                    row = (event.source, event.reject.sheet, event.reject.row)
                    if row in seen:
                        continue
                    seen.add(row)
                yield event

    def rejects_json(self, upload: Upload) -> Iterator[bytes]:
        """Yield :class:`RejectsAnswer` as JSON in pieces: there may be a million rejects."""
        count = 0
        yield b'{"run_id":' + msgspec.json.encode(upload.run_ids[-1] if upload.run_ids else None) + b',"rejects":['
        rejects = (reported(event.reject, event.source) for event in self.rejects(upload))
        for some in batched(rejects, _PIECE):
            yield (b"," if count else b"") + b",".join(map(encode_json, some))
            count += len(some)
        ended = upload.state == "ended"
        total = max(upload.rejects_total, count) if ended else count
        yield b'],"total":%d,"complete":%s}' % (total, b"true" if ended and count == total else b"false")

    def recordings(self, upload: Upload) -> list[Recording]:
        """Return the recordings of the upload's runs, and of the runs that they resumed, the latest first."""
        found: dict[str, Recording] = {}
        left = list(upload.run_ids)
        while left and len(found) < _MAX_CHAIN:
            recording = Recording(recordings_folder() / left.pop())
            if recording.run_id in found or not recording.events_file.exists():
                continue
            found[recording.run_id] = recording
            report = recording.report()
            resumed = [each.resumes for each in reports_of_imports(report)] if report is not None else []
            # The ids come from the ledger, to which others can write: use them only as names of folders.
            left += [PurePath(run_id_of(import_id)).name for import_id in resumed if import_id is not None]
        return list(found.values())

    def method(self, upload: Upload) -> str:
        """Return the strategy as the client asked for it."""
        return upload.options.method or self._settings.plan.options.strategy

    def _watched_file(self, upload: Upload, waiting: Container[str]) -> WatchedFileAnswer:
        """An upload as the file of a watched folder, of which these are ``waiting``."""
        assert upload.watched is not None
        state: WatchedFileState
        if upload.state != "ended":
            state = upload.state
        elif upload.exit_code in (ExitCode.OK, ExitCode.REJECTS):
            state = "done"
        elif may_be_retried(upload) and upload.watched.file in waiting:
            state = "postponed"
        else:
            stopped = upload.stop_requested and upload.outcome == "stopped"
            state = "stopped" if stopped else "failed"
        return WatchedFileAnswer(
            file=visible(upload.watched.file),
            state=state,
            id=upload.id,
            run_id=upload.run_ids[-1] if upload.run_ids else None,
            error=None if upload.shown_error is None else self.without_paths(upload.shown_error),
        )

    def _watch_of(self, upload: Upload) -> str | None:
        """The name of the watched folder that an upload is from, even if it is watched no more."""
        if upload.watched is None:
            return None
        return self._watches.get(upload.watched.folder) or visible(PurePath(upload.watched.folder).name)

    def _reported(self, upload: Upload) -> tuple[tuple[ReportedReject, ...], tuple[ReasonGroup, ...]]:
        """Return the first rejects of the report, and the groups of all of them."""
        if not upload.run_ids or upload.state != "ended":
            return (), ()
        run_id = upload.run_ids[-1]
        if upload.outcome == "already_imported" and upload.resumes is not None:
            run_id = upload.resumes
        report = Recording(recordings_folder() / PurePath(run_id).name).report()
        reports = () if report is None else reports_of_imports(report)
        rejects = (reject for each in reports for reject in each.rejects)
        groups = tuple(group for each in reports for group in each.reject_groups)
        return tuple(islice(rejects, MAX_REPORTED_REJECTS)), groups


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of ``size`` (``itertools.batched`` requires Python 3.12)."""
    remaining = iter(items)
    while some := list(islice(remaining, size)):
        yield some
