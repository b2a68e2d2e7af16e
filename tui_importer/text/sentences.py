"""Events and progress of a run in words: one sentence per event, one line per snapshot."""

from __future__ import annotations

from typing import assert_never

from tui_importer.core.model.counters import Phase, Snapshot, progress, total
from tui_importer.core.model.report import Outcome, Stats, Verification
from tui_importer.events import (
    AlreadyImported,
    AnyEvent,
    BatchCommitted,
    Fault,
    ImportEvent,
    ImportFinished,
    ImportStarted,
    IndexesCreated,
    LoadingStarted,
    Noticed,
    Paused,
    ReadingStarted,
    Resumed,
    Retrying,
    RowRejected,
    RunFinished,
    RunNoticed,
    RunStarted,
    SettingChosen,
    SourceOpened,
    StatementDelayed,
    Stopping,
    TableCreated,
    Unpaused,
    Verified,
    WorkerFailed,
    WorkerFinished,
    WorkersChanged,
    WorkerStarted,
)
from tui_importer.text.numbers import format_duration, format_eta, format_rate, plural, size
from tui_importer.text.safe import shortened, visible

#: Events that recur throughout a run; shown only if the user asks for more.
ROUTINE = (BatchCommitted, WorkerStarted, WorkerFinished, SettingChosen)


#: Prefix of lines about a dry run.
DRY_RUN = "dry run: "


def narrate(event: AnyEvent, *, dry_run: bool = False, several: bool = False) -> str | None:
    """Return the event as one line, or None if there is nothing to say; for a ``dry_run``, what would be done. In a run
    of ``several`` sources, the line says of which one it speaks. Text from outside is made safe."""
    sentence = _sentence(event, dry_run=dry_run)
    if sentence is None or not several or isinstance(event, (ImportStarted, ImportFinished)):
        return sentence
    source = event.source if isinstance(event, (ImportEvent, Stopping)) else None
    return sentence if source is None else f"source {source}: {sentence}"


def _sentence(event: AnyEvent, *, dry_run: bool) -> str | None:
    match event:
        case RunStarted():
            doing = "trying, without writing, to import" if event.dry_run else "importing"
            how = f"{visible(event.strategy)}, run {visible(event.run_id)}"
            return f"{doing} {visible(event.file)} into {visible(event.target)} ({how})"
        case ImportStarted():
            return f"source {event.source}: {visible(event.file)} into {visible(event.target)}"
        case ReadingStarted():
            return f"reading {visible(event.file)} ({size(event.bytes)}) with {visible(event.reader)}"
        case SourceOpened():
            return _opened(event)
        case Noticed() | RunNoticed():
            return f"note: {visible(event.message)}"
        case TableCreated():
            return f"{'would create' if dry_run else 'created'} table {visible(event.table)}"
        case SettingChosen():
            what = plural(event.value, "worker") if event.setting == "workers" else _batches(event.value)
            return f"chose {what}: {visible(event.reason)}"
        case LoadingStarted():
            return (
                f"{'would write' if dry_run else 'writing'} into {visible(event.table)}: {visible(event.strategy)}, "
                f"{plural(event.workers, 'worker')}, {_batches(event.batch_size)}"
            )
        case Resumed():
            return _resumed(event)
        case AlreadyImported():
            return _already(event)
        case Retrying():
            who = f"worker {event.worker}" if event.worker else "the database"
            rows = f" at rows {event.first_row:,} to {event.last_row:,}" if event.worker else ""
            wait = format_duration(event.seconds)
            return f"{who}{rows}: {shortened(event.error)}; attempt {event.attempt + 1} in {wait}"
        case StatementDelayed():
            who = f"worker {event.worker}" if event.worker else "the run"
            what = "is waiting for a lock of others" if event.locked else "is waiting for a statement that takes long"
            return f"{who} {what}, for {format_duration(event.seconds)} so far ({shortened(event.detail)})"
        case WorkerStarted():
            return f"worker {event.worker} is connected"
        case BatchCommitted():
            return _committed(event, dry_run=dry_run)
        case RowRejected():
            return f"{'would be ' if dry_run else ''}rejected: " + "; ".join(
                _fault(fault) for fault in event.reject.faults
            )
        case WorkerFailed():
            rows = f"rows {event.first_row:,} to {event.last_row:,}"
            return f"worker {event.worker} failed at {rows}: {visible(event.error)}"
        case WorkerFinished():
            return f"worker {event.worker} is done"
        case WorkersChanged():
            return f"from now on {plural(event.workers, 'worker')}"
        case Paused():
            return "paused: what is in flight is finished, nothing more is taken"
        case Unpaused():
            return "going on"
        case Stopping():
            action = "rolling back what is in flight" if event.aborting else "finishing what is in flight"
            return f"stopping ({visible(event.reason)}): {action}"
        case IndexesCreated():
            if not event.count:
                return None
            indexes = plural(event.count, "index")
            return f"would make {indexes}" if dry_run else f"made {indexes} in {format_duration(event.seconds)}"
        case Verified():
            return verified(event)
        case ImportFinished():
            why = "" if event.error is None else f" ({visible(event.error)})"
            ended = _ended(event, dry_run=dry_run)
            verb = "" if event.outcome in ("failed", "stopped") else "is "
            return f"source {event.source} {verb}{ended}{why}"
        case RunFinished():
            return _ended(event, dry_run=event.dry_run)
        case _:
            assert_never(event)


def _ended(event: ImportFinished | RunFinished, *, dry_run: bool) -> str:
    numbers = (event.read, event.inserted, event.updated, event.skipped, event.rejected)
    outcome = OUTCOMES.get(event.outcome, visible(event.outcome))
    return f"{outcome}: {equation(*numbers, dry_run=dry_run)} in {format_duration(event.seconds)}"


#: The outcomes of a report, in a few words.
OUTCOMES = {
    "complete": "complete",
    "complete_with_rejects": "complete, with rejects",
    "complete_with_suppressed": "complete, but not every row is in",
    "already_imported": "already imported",
    "stopped": "stopped before the end",
    "failed": "failed",
}


def equation(read: int, inserted: int, updated: int, skipped: int, rejected: int, *, dry_run: bool = False) -> str:
    """Format ``read 10,000 = inserted 9,987 + rejected 13``; for a dry run ``read 10,000 = would insert 9,987 + would
    reject 13``. Terms that are zero are left out, except the first."""
    words = ("would insert", "would update", "would skip", "would reject") if dry_run else _FATES
    first, *others = zip(words, (inserted, updated, skipped, rejected), strict=True)
    terms = [first, *(term for term in others if term[1])]
    return f"read {read:,} = {' + '.join(f'{word} {count:,}' for word, count in terms)}"


_FATES = ("inserted", "updated", "skipped", "rejected")


def ended(
    outcome: Outcome,
    stats: Stats,
    *,
    dry_run: bool = False,
    header: bool = True,
    earlier_run: str | None = None,
    why: str | None = None,
) -> str:
    """Say how a run ended, in a sentence that calls rows "in" only if the counts say so.

    ``header`` says whether the sheet has one; ``earlier_run`` is the run that has already imported everything, ``why``
    the reason of a run that was stopped.
    """
    match outcome:
        case "failed":
            return "failed"  # the reason is printed at the end, with the exit code
        case "stopped":
            because = f": {visible(why)}" if why else ""
            after = "nothing was written" if dry_run else "the same command goes on from here"
            return f"stopped before the end{because}; {after}"
        case "already_imported":
            again = "an import would write nothing" if dry_run else "nothing was written (--again does)"
            return f"{done_before(stats, earlier_run)}: {again}"
        case _:
            return f"finished: {fate(stats, dry_run=dry_run, header=header, brief=True)}"


def fate(stats: Stats, *, dry_run: bool = False, header: bool = True, brief: bool = False) -> str:
    """Say what happened to the rows of a completed run, or would happen; ``brief`` leaves out verbs."""
    sentence = _fate(stats, dry_run=dry_run, header=header, brief=brief)
    return f"{sentence}; nothing was written" if dry_run else sentence


def _fate(stats: Stats, *, dry_run: bool, header: bool, brief: bool) -> str:
    rejected = stats.error_count
    left_out = stats.skipped - stats.already_in - stats.suppressed - stats.existing
    is_in = "would go in" if dry_run else "is in"
    if not stats.total_records:
        return "no rows below the header" if header else "no rows in the sheet"
    if not (rejected or left_out or stats.suppressed or stats.existing):
        return f"every row {is_in}" if stats.success_count else "nothing to write, every row was in already"
    facts = []
    for count, word in ((rejected, "rejected"), (left_out, "skipped")):
        verb = "would be " if dry_run else "" if brief else "was " if count == 1 else "were "
        if count:
            facts.append(f"{plural(count, 'row')} {verb}{word}")
    if stats.existing:
        key = "its key is" if stats.existing == 1 else "their keys are"
        facts.append(f"{plural(stats.existing, 'row')} changed nothing ({key} there already)")
    if stats.suppressed:
        facts.append(suppressed(stats.suppressed))
    return ", ".join([*facts, f"{'every other' if stats.in_table else 'no'} row {is_in}"])


def done_before(stats: Stats, run: str | None) -> str:
    """Say that an earlier run has already processed everything."""
    by = f"by run {visible(run)}" if run else "by an earlier run"
    if not stats.total_records:
        return f"gone through already {by}, which found no rows"
    if not stats.in_table:
        fate = "rejected every row" if stats.error_count == stats.total_records else "put no row in"
        return f"gone through already {by}, which {fate}"
    rejected = f", {plural(stats.error_count, 'row')} rejected" if stats.error_count else ""
    return f"already imported{f' {by}' if run else ''}{rejected}"


def verified(found: Verified | Verification) -> str:
    """Say that the table holds what the source does, as ``--verify`` found."""
    others = f"; not compared: {', '.join(map(visible, found.not_compared))}" if found.not_compared else ""
    return (
        f"verified: the table holds what the sheet does, {plural(found.rows, 'row')} in "
        f"{plural(found.columns, 'column')} compared{others}"
    )


def suppressed(count: int) -> str:
    """Format ``2 rows taken without an error, but not reported as inserted (a trigger or rule of the table)``."""
    how = "taken without an error, but not reported as inserted (a trigger or rule of the table)"
    return f"{plural(count, 'row')} {how}"


def status_line(name: str, snapshot: Snapshot, rows_per_second: float, seconds_left: float | None) -> str:
    """Format the progress: ``Sheet1: 62,400 of 100,000 rows (62 %), 8,120 rows/s, 13 rejected, 00:07 left``."""
    name = visible(name)
    if snapshot.phase is Phase.INDEXING:
        return f"{name}: {plural(snapshot.finished, 'row')} done, making indexes"
    if not snapshot.read and not snapshot.all_read:
        return f"{name}: reading, size unknown"
    parts = [_rows_done(snapshot), format_rate(rows_per_second), f"{snapshot.rejected:,} rejected"]
    parts.append("stopping" if snapshot.phase is Phase.STOPPING else format_eta(seconds_left))
    return f"{name}: {', '.join(parts)}"


def _rows_done(snapshot: Snapshot) -> str:
    rows, share = total(snapshot), progress(snapshot)
    if rows is None or share is None:
        return plural(snapshot.finished, "row")
    # Rounded down: 100 % means all of them.
    return f"{snapshot.finished:,} of {plural(rows, 'row')} ({int(share * 100)} %)"


def _batches(rows: int) -> str:
    return f"{plural(rows, 'row')} a batch"


def _opened(event: SourceOpened) -> str:
    rows = "number of rows unknown" if event.rows is None else plural(event.rows, "row")
    header = f"header in row {event.header_row:,}" if event.header_row else "no header"
    columns = plural(event.columns, "column")
    return f"opened {visible(event.sheet)} in {format_duration(event.seconds)}: {columns}, {header}, {rows}"


def _resumed(event: Resumed) -> str:
    how = "which died" if event.taken_over else "which did not finish"
    rejected = f" ({event.rejected:,} of them rejected)" if event.rejected else ""
    return (
        f"resuming run {visible(event.run_id)}, {how}: {plural(event.rows, 'row')} completed already{rejected}, "
        f"passed over; the first that is not is row {event.next_row:,}"
    )


def _already(event: AlreadyImported) -> str:
    counts = equation(
        event.inserted + event.updated + event.skipped + event.rejected,
        event.inserted,
        event.updated,
        event.skipped,
        event.rejected,
    )
    done = "already imported" if event.inserted or event.updated else "gone through already"
    return (
        f"{done} by run {visible(event.run_id)} on {visible(event.finished_at)}: {counts}; nothing is "
        "written (--again imports it once more)"
    )


def _committed(event: BatchCommitted, *, dry_run: bool) -> str:
    would, did = ("would be ", "checked") if dry_run else ("", "committed")
    counts = [f"{event.inserted:,} {would}inserted"]
    counts += [
        f"{count:,} {would}{word}"
        for count, word in ((event.updated, "updated"), (event.skipped, "skipped"), (event.rejected, "rejected"))
        if count
    ]
    rows = f"rows {event.first_row:,} to {event.last_row:,}"
    return f"worker {event.worker} {did} {rows}: {', '.join(counts)} in {format_duration(event.seconds)}"


def _fault(fault: Fault) -> str:
    column = f"{shortened(fault.column)}: " if fault.column else ""
    state = f" (SQLSTATE {visible(fault.sqlstate)})" if fault.sqlstate else ""
    return f"{visible(fault.cell)} {column}{shortened(fault.reason)}{state}"
