"""The types of all answers. The OpenAPI document is generated from them, so the two cannot differ."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from starlette.responses import Response

from tui_importer.core.model.counters import Phase, Snapshot, SourceSnapshot, WorkerState, progress
from tui_importer.core.model.json_text import encode_json
from tui_importer.core.model.rates import RateWindow
from tui_importer.core.model.report import Outcome, ReasonGroup, ReportedReject, Stats
from tui_importer.server.http_error import HttpError
from tui_importer.server.uploads import Upload
from tui_importer.text.sentences import DRY_RUN, done_before, fate

HealthWord = Literal["ok", "unavailable"]
WatchedFileState = Literal["waiting", "running", "postponed", "done", "stopped", "failed"]


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error, in one sentence. ``id`` and ``run_id`` are set if an upload was accepted and its run failed."""

    error: str
    id: str | None = None
    run_id: str | None = None


class HealthAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the server and its database answer. ``running`` and ``waiting`` are numbers of uploads."""

    status: HealthWord
    database: HealthWord
    running: int
    waiting: int
    version: str


class WorkerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One worker of a run, with the number of rows it has finished. ``source`` is the number of the source whose rows
    it writes, from 1."""

    worker: int
    source: int
    state: WorkerState
    inserted: int
    updated: int
    skipped: int
    rejected: int
    batches: int
    retries: int


class ProgressAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is. ``share`` is the share of its rows, 0 to 1, if their number is known; ``eta_seconds`` is the
    remaining time, if it can be estimated. Of several sources, ``sources`` has the counts of those that are being
    imported."""

    phase: Phase
    paused: bool
    read: int
    blank: int
    inserted: int
    updated: int
    skipped: int
    rejected: int
    share: float | None
    rows_per_second: float
    eta_seconds: float | None
    workers_wanted: int
    workers: tuple[WorkerAnswer, ...]
    sources: tuple[SourceSnapshot, ...]


class RunAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An upload and its run. ``run_id`` is its latest run (``tui-importer attach RUN``), ``run_ids`` all of them.
    ``position`` is its place in the queue; ``file`` is what the client called the file; ``watch`` is the name of the
    watched folder that it is from, if any; ``rejects`` are the first ones,
    ``rejects_total`` counts all, and ``reject_groups`` groups all by column, constraint and kind of reason."""

    id: str
    run_id: str | None
    run_ids: tuple[str, ...]
    state: Literal["waiting", "running", "paused", "ended"]
    position: int | None
    message: str
    outcome: Outcome | None
    exit_code: int | None
    error: str | None
    resumable: bool
    file: str
    watch: str | None
    bytes: int
    sha256: str
    method: str
    options: dict[str, Any]
    table: str | None
    created_at: str
    ended_at: str | None
    progress: ProgressAnswer | None
    stats: Stats | None
    resumes: str | None
    notes: tuple[str, ...]
    rejects_total: int
    rejects: tuple[ReportedReject, ...]
    reject_groups: tuple[ReasonGroup, ...]


class RunsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The latest uploads, newest first; ``next`` is the value of ``before`` for the next page."""

    runs: tuple[RunAnswer, ...]
    next: str | None


class UploadAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of the original program, and what has been added since. ``method`` is as the client asked for it."""

    message: str
    method: str
    stats: Stats
    id: str
    run_id: str
    outcome: Outcome
    table: str | None
    notes: tuple[str, ...]
    rejects_total: int
    rejects: tuple[ReportedReject, ...]
    reject_groups: tuple[ReasonGroup, ...]


class RejectsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """All rejects of an upload, as recorded. ``complete`` is false while its run is live, and if an earlier import
    rejected rows of which only the count is known here."""

    run_id: str | None
    rejects: tuple[ReportedReject, ...]
    total: int
    complete: bool


class WatchedFileAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a watched folder; ``id`` and ``run_id`` are those of its run once it is queued. One that is
    ``postponed`` is tried again later, one that is ``stopped`` only if the run is resumed."""

    file: str
    state: WatchedFileState
    id: str | None
    run_id: str | None
    error: str | None


class WatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that the server watches. Without ``patterns``, it takes every file that a reader opens. ``waiting`` is
    the number of files whose import has not ended, the one in hand included; ``done`` and ``failed`` are numbers of
    runs that are listed. ``files`` are the next and the latest ones. ``last_error`` is that of the folder or a file."""

    name: str
    patterns: tuple[str, ...]
    state: Literal["watching", "paused", "unreadable"]
    waiting: int
    done: int
    failed: int
    files: tuple[WatchedFileAnswer, ...]
    last_error: str | None
    last_error_at: str | None


class WatchesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """All folders that the server watches."""

    watches: tuple[WatchAnswer, ...]


class UndoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What undoing a run takes back: ``rows`` of the ``inserted`` ones that are still in ``table``. ``undone`` says
    whether they have been taken out."""

    run_id: str
    table: str
    inserted: int
    rows: int
    undone: bool


def json_response(answer: msgspec.Struct, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return the answer as JSON."""
    return Response(encode_json(answer), status, headers, "application/json")


def refused(http_error: HttpError, upload: Upload | None = None) -> Response:
    """Return the answer to a refused request."""
    answer = ErrorAnswer(
        error=str(http_error),
        id=upload.id if upload else None,
        run_id=upload.run_ids[-1] if upload and upload.run_ids else None,
    )
    return json_response(answer, http_error.status, http_error.headers)


def progress_of(snapshot: Snapshot, rates: RateWindow) -> ProgressAnswer:
    """Convert the counters of a run to its progress."""
    share, eta = progress(snapshot), rates.eta()
    return ProgressAnswer(
        phase=snapshot.phase,
        paused=snapshot.paused,
        read=snapshot.read,
        blank=snapshot.blank,
        inserted=snapshot.inserted,
        updated=snapshot.updated,
        skipped=snapshot.skipped,
        rejected=snapshot.rejected,
        share=None if share is None else round(share, 4),
        rows_per_second=round(rates.rate(), 1),
        eta_seconds=None if eta is None else round(eta, 1),
        workers_wanted=snapshot.workers_wanted,
        workers=tuple(
            WorkerAnswer(
                worker=worker.worker,
                source=worker.source,
                state=worker.state,
                inserted=worker.inserted,
                updated=worker.updated,
                skipped=worker.skipped,
                rejected=worker.rejected,
                batches=worker.batches,
                retries=worker.retries,
            )
            for worker in snapshot.workers
        ),
        sources=snapshot.sources,
    )


def message_of(upload: Upload) -> str:
    """Describe the state of the upload in a sentence."""
    dry_run, stats = upload.options.dry_run is True, upload.stats
    before = DRY_RUN if dry_run else ""
    match upload.outcome:
        case "complete" | "complete_with_rejects" | "complete_with_suppressed" if stats is not None:
            return before + fate(stats, dry_run=dry_run)
        case "already_imported" if stats is not None:
            return f"{before}{done_before(stats, None)}: nothing was written"
        case "stopped" if dry_run:
            return f"{before}stopped before the end; nothing was written"
        case "stopped":
            return "stopped before the end: what is in stays in, and resuming goes on from there"
        case "failed":
            return f"{before}failed"
        case _:
            return before + ("waiting for its turn" if upload.state == "waiting" else "at work")
