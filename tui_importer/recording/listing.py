"""Runs as a list shows them: state, counts, and how to go on with those that did not finish.

A run may be known from its recording, from the ledger of its database, or from both. What is said of it is the same:
the recording speaks where there is one, for it knows more, and the ledger of all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tui_importer.core.model.report import Report
from tui_importer.core.writing.ledger import Counts, Ledger, PastRun, RunState
from tui_importer.recording.recordings import Recording, recordings

#: How runs that have an end are called, by the outcome in their report.
_OUTCOMES = {
    "complete": "complete",
    "complete_with_rejects": "complete",
    "complete_with_suppressed": "complete",
    "already_imported": "already imported",
    "stopped": "stopped",
    "failed": "failed",
}
_DIED = "died"
#: The same by the state in the ledger. A run that was superseded had died.
_STATES = {
    RunState.COMPLETE: "complete",
    RunState.STOPPED: "stopped",
    RunState.FAILED: "failed",
    RunState.SUPERSEDED: _DIED,
}
#: States after which the same command goes on.
_RESUMABLE = ("stopped", _DIED)
#: Outcomes of runs that may have gone on with an earlier one.
_WENT_ON = ("complete", "complete_with_rejects", "complete_with_suppressed", "stopped")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRun:
    """A run in one line; ``resume`` is the command that takes it up again, where there is more to do.

    Counts are the run's own, as in its report: what earlier runs had put in is ``skipped``. Those of a dry run are what
    an import would come to; of a run that died they are ``at_least``.
    """

    run_id: str
    state: str
    started_at: str
    file: str
    database: str
    table: str
    read: int | None
    inserted: int | None
    updated: int | None
    skipped: int | None
    rejected: int | None
    resume: str | None
    dry_run: bool = False
    at_least: bool = False


def listed(folder: Path, limit: int) -> list[ListedRun]:
    """The latest runs that are recorded in the folder, the latest first."""
    found = recordings(folder)[:limit]
    resumed = _resumed(found)  # by later runs, which are among them
    return [_of_recording(recording, resumed) for recording in found]


def listed_in(ledger: Ledger, database: str, folder: Path, limit: int) -> list[ListedRun]:
    """The latest runs that the ledger of a ``database`` (by the name to show) knows, the latest first, as their
    recordings in the folder tell them, where these are there."""
    here = recordings(folder)
    resumed, known = _resumed(here), {recording.run_id: recording for recording in here}
    histories: dict[str, Sequence[PastRun]] = {}
    found = []
    for past in ledger.runs(limit):
        recording = known.get(past.run_id)
        if recording is not None:
            found.append(_of_recording(recording, resumed))
            continue
        if past.table not in histories:
            histories[past.table] = ledger.history(past.table)
        found.append(_of_ledger(past, histories[past.table], ledger, database))
    return found


def _resumed(recordings: Iterable[Recording]) -> set[str]:
    """The runs that later ones have taken up."""
    found = set()
    for recording in recordings:
        report = recording.report()
        if report is None:
            found.add(_taken_up(recording))
        elif report.outcome in _WENT_ON:
            found.add(report.resumes)
    return {run_id for run_id in found if run_id is not None}


def _taken_up(recording: Recording) -> str | None:
    """The run that one without a report goes on with; that is said before the first row is written."""
    for line in recording.lines():
        match line.get("event"):
            case "resumed":
                return str(line["run_id"])
            case "loading_started":
                return None
    return None


def _of_recording(recording: Recording, resumed: set[str]) -> ListedRun:
    report = recording.report()
    if report is not None:
        return _of_report(report, recording, resumed)
    alive = recording.alive
    started, loading = recording.first("run_started") or {}, recording.first("loading_started") or {}
    latest, dry_run = recording.latest("progress") or {}, bool(started.get("dry_run"))
    state, open_ = ("running", False) if alive else _state(_DIED, resumed=recording.run_id in resumed, dry_run=dry_run)
    return ListedRun(
        run_id=recording.run_id,
        state=f"dry run, {state}" if dry_run else state,
        started_at=str(started.get("ts", "")),
        file=str(started.get("file", "")),
        database=str(started.get("target", "")),
        table=str(loading.get("table", "")),
        read=latest.get("read"),
        inserted=latest.get("inserted"),
        updated=latest.get("updated"),
        skipped=latest.get("skipped"),
        rejected=latest.get("rejected"),
        resume=recording.command if open_ else None,
        dry_run=dry_run,
        at_least=not alive and bool(latest),
    )


def _of_report(report: Report, recording: Recording, resumed: set[str]) -> ListedRun:
    word, stats = _OUTCOMES[report.outcome], report.stats
    state, open_ = _state(word, resumed=recording.run_id in resumed, dry_run=report.dry_run)
    return ListedRun(
        run_id=recording.run_id,
        state=f"dry run, {state}" if report.dry_run else state,
        started_at=report.started_at,
        file=report.source.file,
        database=report.target.database,
        table=report.target.table,
        read=stats.total_records,
        inserted=stats.inserted,
        updated=stats.updated,
        skipped=stats.skipped,
        rejected=stats.error_count,
        resume=recording.command if open_ else None,
        dry_run=report.dry_run,
    )


def _of_ledger(past: PastRun, history: Sequence[PastRun], ledger: Ledger, database: str) -> ListedRun:
    of_round = [each for each in history if _round(each) == _round(past)]
    place = next(number for number, each in enumerate(of_round) if each.run_id == past.run_id)
    before = of_round[place + 1].counts if place + 1 < len(of_round) else Counts()
    counts = past.counts if past.finished_at else ledger.counts(past.import_id, past.round)
    alive = past.state is RunState.RUNNING and ledger.is_alive(past)
    if alive is None:
        state, open_ = "running or died", True  # on another machine
    elif alive:
        state, open_ = "running", False
    else:
        state, open_ = _state(_STATES.get(past.state, _DIED), resumed=place > 0, dry_run=False)
    inserted, updated = counts.inserted - before.inserted, counts.updated - before.updated
    return ListedRun(
        run_id=past.run_id,
        state=state,
        started_at=past.started_at,
        file=past.file,
        database=database,
        table=past.table,
        read=counts.rows,
        inserted=inserted,
        updated=updated,
        skipped=counts.rows - inserted - updated - counts.rejected,
        rejected=counts.rejected,
        resume=past.command if open_ else None,
    )


def _round(past: PastRun) -> tuple[str, int]:
    return past.import_id, past.round


def _state(word: str, *, resumed: bool, dry_run: bool) -> tuple[str, bool]:
    """The state in words, and whether there is something to go on with."""
    if dry_run or word not in (*_RESUMABLE, "failed"):
        return word, False
    if resumed:
        return f"{word}, resumed", False
    return (f"{word}, resumable" if word in _RESUMABLE else word), True


def columns_of(runs: Sequence[ListedRun]) -> list[tuple[str, list[str]]]:
    """The counts of the runs as columns of text, each with its name; updated and skipped rows where there are any."""
    always = ("read", "inserted", "rejected")
    found = []
    for name in ("read", "inserted", "updated", "skipped", "rejected"):
        counts = [getattr(run, name) for run in runs]
        if name in always or any(counts):
            texts = [_number(count, run, name) for count, run in zip(counts, runs, strict=True)]
            found.append((name, texts))
    return found


def _number(count: int | None, run: ListedRun, name: str) -> str:
    if count is None:
        return ""
    would = "would be " if run.dry_run and count and name != "read" else ""
    return f"{would}{count:,}{'+' if run.at_least else ''}"
