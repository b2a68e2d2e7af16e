"""Runs as a list shows them: state, counts, and how to go on with those that did not finish."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tui_importer.recording.folders import Recording, recordings

_OUTCOMES = {
    "complete_with_rejects": "complete",
    "complete_with_suppressed": "complete",
    "already_imported": "nothing to do",
}


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run in one line; ``resume`` is the command that takes it up again, where there is more to do."""

    run_id: str
    state: str
    started_at: str
    file: str
    table: str
    read: int | None
    inserted: int | None
    rejected: int | None
    resume: str | None


def listed(folder: Path, limit: int) -> list[ListedRun]:
    """The latest runs that are recorded in the folder, the latest first."""
    return [_listed(recording) for recording in recordings(folder)[:limit]]


def _listed(recording: Recording) -> ListedRun:
    report = recording.report()
    if report is not None:
        unfinished = report.outcome in ("stopped", "failed")
        return ListedRun(
            run_id=recording.run_id,
            state=_OUTCOMES.get(report.outcome, report.outcome),
            started_at=report.started_at,
            file=report.source.file,
            table=f"{report.target.database} · {report.target.table}",
            read=report.stats.total_records,
            inserted=report.stats.inserted,
            rejected=report.stats.error_count,
            resume=recording.command if unfinished else None,
        )
    alive = recording.alive
    started, latest = recording.first("run_started") or {}, recording.latest("progress") or {}
    return ListedRun(
        run_id=recording.run_id,
        state="running" if alive else "died",
        started_at=str(started.get("ts", "")),
        file=str(started.get("file", "")),
        table=str(started.get("target", "")),
        read=latest.get("read"),
        inserted=latest.get("inserted"),
        rejected=latest.get("rejected"),
        resume=None if alive else recording.command,
    )
