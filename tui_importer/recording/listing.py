"""Lists runs with their state, counts, and the command that resumes an unfinished one.

A run is known from its recording, from the ledger of its database, or from both. The recording takes precedence because
it holds more; the ledger serves all other runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from tui_importer.core.model.report import Report, SetReport, reports_of_imports
from tui_importer.core.run.run_id import run_id_of
from tui_importer.core.writing.ledger import Counts, Ledger, PastRun, RunState
from tui_importer.recording.recordings import Recording, recordings

#: The state of ended runs by the outcome in their report.
_OUTCOMES = {
    "complete": "complete",
    "complete_with_rejects": "complete",
    "complete_with_suppressed": "complete",
    "already_imported": "already imported",
    "stopped": "stopped",
    "failed": "failed",
}
_DIED = "died"
#: The state by the state in the ledger. A superseded run had died.
_STATES = {
    RunState.COMPLETE: "complete",
    RunState.STOPPED: "stopped",
    RunState.FAILED: "failed",
    RunState.SUPERSEDED: _DIED,
}
#: States that the same command can resume.
_RESUMABLE = ("stopped", _DIED)
#: Outcomes of runs that may have resumed an earlier one.
_MAY_HAVE_RESUMED = ("complete", "complete_with_rejects", "complete_with_suppressed", "stopped")


class ListedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the list. ``resume`` is the command that resumes the run, or None if there is nothing to do.

    Counts are the run's own, as in its report: rows that earlier runs inserted are ``skipped``. For a dry run, counts
    are what an import would do; for a run that died, they are ``at_least``.
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
    """The latest ``limit`` runs recorded in the folder, latest first."""
    found = recordings(folder)[:limit]
    resumed = _resumed_runs(found)  # by later runs, which are also in ``found``
    return [_of_recording(recording, resumed) for recording in found]


def listed_in(ledger: Ledger, database: str, folder: Path, limit: int) -> list[ListedRun]:
    """The latest ``limit`` runs in a ledger, latest first, described by their recordings in the folder where they
    exist. ``database`` is the name to show."""
    here = recordings(folder)
    resumed, known = _resumed_runs(here), {recording.run_id: recording for recording in here}
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


def _resumed_runs(recordings: Iterable[Recording]) -> set[str]:
    """The ids of the runs that later ones have resumed."""
    found = set[str | None]()
    for recording in recordings:
        report = recording.report()
        if report is None:
            found |= _resumed_by(recording)
        else:
            found |= {each.resumes for each in reports_of_imports(report) if each.outcome in _MAY_HAVE_RESUMED}
    return {run_id for run_id in found if run_id is not None}


def _resumed_by(recording: Recording) -> set[str]:
    """The ids of the runs that a run without a report has resumed, each recorded before the first row is written."""
    found, several = set(), False
    for line in recording.lines():
        match line.get("event"):
            case "run_started":
                several = line.get("sources", 1) > 1
            case "resumed":
                found.add(str(line["run_id"]))
            case "loading_started" if not several:
                break
    return found


def _of_recording(recording: Recording, resumed: set[str]) -> ListedRun:
    report = recording.report()
    if report is not None:
        return _of_report(report, recording, resumed)
    alive = recording.alive
    started, loading = recording.first("run_started") or {}, recording.first("loading_started") or {}
    latest, dry_run = recording.latest("progress") or {}, bool(started.get("dry_run"))
    was_resumed = recording.run_id in map(run_id_of, resumed)
    state, resumable = ("running", False) if alive else _state(_DIED, resumed=was_resumed, dry_run=dry_run)
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
        resume=recording.command if resumable else None,
        dry_run=dry_run,
        at_least=not alive and bool(latest),
    )


def _of_report(report: Report, recording: Recording, resumed: set[str]) -> ListedRun:
    word, stats = _OUTCOMES[report.outcome], report.stats
    state, resumable = _state(word, resumed=_is_resumed(report, resumed), dry_run=report.dry_run)
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
        resume=recording.command if resumable else None,
        dry_run=report.dry_run,
    )


def _is_resumed(report: Report, resumed: set[str]) -> bool:
    """Whether later runs have resumed all that a run left unfinished."""
    if not isinstance(report, SetReport):
        return report.run_id in resumed
    return all(each.run_id in resumed for each in report.imports if _OUTCOMES[each.outcome] in (*_RESUMABLE, "failed"))


def _of_ledger(past: PastRun, history: Sequence[PastRun], ledger: Ledger, database: str) -> ListedRun:
    of_generation = [each for each in history if _generation(each) == _generation(past)]
    place = next(number for number, each in enumerate(of_generation) if each.run_id == past.run_id)
    before = of_generation[place + 1].counts if place + 1 < len(of_generation) else Counts()
    counts = past.counts if past.finished_at else ledger.counts(past.import_id, past.generation)
    alive = past.state is RunState.RUNNING and ledger.is_alive(past)
    if alive is None:
        state, resumable = "running or died", True  # on another machine
    elif alive:
        state, resumable = "running", False
    else:
        state, resumable = _state(_ended(past), resumed=place > 0, dry_run=False)
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
        skipped=counts.skipped + before.in_table,
        rejected=counts.rejected,
        resume=past.command if resumable else None,
    )


def _generation(past: PastRun) -> tuple[str, int]:
    return past.import_id, past.generation


def _state(word: str, *, resumed: bool, dry_run: bool) -> tuple[str, bool]:
    """The state in words, and whether there is something to resume or repeat."""
    if dry_run or word not in (*_RESUMABLE, "failed"):
        return word, False
    if resumed:
        return f"{word}, resumed", False
    return (f"{word}, resumable" if word in _RESUMABLE else word), True


def columns_of(runs: Sequence[ListedRun]) -> list[tuple[str, list[str]]]:
    """The counts of the runs as columns of text with their names; updated and skipped rows only if there are any."""
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


def _ended(past: PastRun) -> str:
    """How a run ended. What became of its rows afterwards is not its state."""
    if past.state is RunState.EMPTIED:
        return "complete" if past.error is None else "stopped"
    return _STATES.get(past.state, _DIED)
