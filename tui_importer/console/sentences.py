"""What a run says, in words: one sentence for every event, one line for a snapshot."""

from __future__ import annotations

from typing import assert_never

from tui_importer.console.numbers import left, pace, plural, size, took
from tui_importer.console.safe import shortened, visible
from tui_importer.core.counters import Phase, Snapshot, progress, total
from tui_importer.events import (
    AlreadyImported,
    AnyEvent,
    BatchCommitted,
    Continued,
    Fault,
    IndexesCreated,
    LoadingStarted,
    Noticed,
    Paused,
    ReadingStarted,
    Resumed,
    Retrying,
    RowRejected,
    RunFinished,
    RunStarted,
    SourceOpened,
    StatementDelayed,
    Stopping,
    TableCreated,
    WorkerFailed,
    WorkerFinished,
    WorkersChanged,
    WorkerStarted,
)

#: Events that come again and again; only a user who asks for more hears of each.
ROUTINE = (BatchCommitted, WorkerStarted, WorkerFinished)


def narrate(event: AnyEvent) -> str | None:
    """The event as one line, or None where there is nothing to say. Text from outside is made visible."""
    match event:
        case RunStarted():
            return (
                f"importing {visible(event.file)} into {visible(event.target)} "
                f"({visible(event.strategy)}, run {visible(event.run_id)})"
            )
        case ReadingStarted():
            return f"reading {visible(event.file)} ({size(event.bytes)}) with {visible(event.reader)}"
        case SourceOpened():
            return _opened(event)
        case Noticed():
            return f"note: {visible(event.message)}"
        case TableCreated():
            return f"created table {visible(event.table)}"
        case LoadingStarted():
            return (
                f"writing into {visible(event.table)}: {visible(event.strategy)}, {plural(event.workers, 'worker')}, "
                f"{plural(event.batch_size, 'row')} a batch"
            )
        case Resumed():
            return _resumed(event)
        case AlreadyImported():
            return _already(event)
        case Retrying():
            who = f"worker {event.worker}" if event.worker else "the database"
            rows = f" at rows {event.first_row:,} to {event.last_row:,}" if event.worker else ""
            return f"{who}{rows}: {shortened(event.error)}; attempt {event.attempt + 1} in {took(event.seconds)}"
        case StatementDelayed():
            who = f"worker {event.worker}" if event.worker else "the run"
            what = "is waiting for a lock of others" if event.locked else "is waiting for a statement that takes long"
            return f"{who} {what}, for {took(event.seconds)} so far ({shortened(event.detail)})"
        case WorkerStarted():
            return f"worker {event.worker} is connected"
        case BatchCommitted():
            return _committed(event)
        case RowRejected():
            return "rejected: " + "; ".join(_fault(fault) for fault in event.reject.faults)
        case WorkerFailed():
            rows = f"rows {event.first_row:,} to {event.last_row:,}"
            return f"worker {event.worker} failed at {rows}: {visible(event.error)}"
        case WorkerFinished():
            return f"worker {event.worker} is done"
        case WorkersChanged():
            return f"from now on {plural(event.workers, 'worker')}"
        case Paused():
            return "paused: what is in flight is finished, nothing more is taken"
        case Continued():
            return "going on"
        case Stopping():
            way = "cancelling what is in flight" if event.at_once else "finishing what is in flight"
            return f"stopping ({visible(event.reason)}): {way}"
        case IndexesCreated():
            if not event.count:
                return None
            return f"made {plural(event.count, 'index')} in {took(event.seconds)}"
        case RunFinished():
            counts = equation(event.read, event.inserted, event.updated, event.skipped, event.rejected)
            return f"{_OUTCOMES.get(event.outcome, visible(event.outcome))}: {counts} in {took(event.seconds)}"
        case _:
            assert_never(event)


#: The outcomes of a report, in a word or two.
_OUTCOMES = {
    "complete": "complete",
    "complete_with_rejects": "complete, with rejects",
    "already_imported": "already imported",
    "stopped": "stopped before the end",
    "failed": "failed",
}


def equation(read: int, inserted: int, updated: int, skipped: int, rejected: int) -> str:
    """``read 10,000 = inserted 9,987 + rejected 13``; terms that are zero are left out, but for the first."""
    terms = [f"inserted {inserted:,}"]
    others = (("updated", updated), ("skipped", skipped), ("rejected", rejected))
    terms += [f"{word} {count:,}" for word, count in others if count]
    return f"read {read:,} = {' + '.join(terms)}"


def standing(name: str, snapshot: Snapshot, rows_per_second: float, seconds_left: float | None) -> str:
    """How far the run is: ``Sheet1: 62,400 of 100,000 rows (62 %), 8,120 rows/s, 13 rejected, 00:07 left``."""
    name = visible(name)
    if snapshot.phase is Phase.INDEXING:
        return f"{name}: {plural(snapshot.finished, 'row')} done, making indexes"
    if not snapshot.read and not snapshot.all_read:
        return f"{name}: reading, size unknown"
    parts = [_rows_done(snapshot), pace(rows_per_second), f"{snapshot.rejected:,} rejected"]
    parts.append("stopping" if snapshot.phase is Phase.STOPPING else left(seconds_left))
    return f"{name}: {', '.join(parts)}"


def _rows_done(snapshot: Snapshot) -> str:
    rows, share = total(snapshot), progress(snapshot)
    if rows is None or share is None:
        return plural(snapshot.finished, "row")
    # Rounded down: 100 % means all of them.
    return f"{snapshot.finished:,} of {plural(rows, 'row')} ({int(share * 100)} %)"


def _opened(event: SourceOpened) -> str:
    rows = "number of rows unknown" if event.rows is None else plural(event.rows, "row")
    header = f"header in row {event.header_row:,}" if event.header_row else "no header"
    columns = plural(event.columns, "column")
    return f"opened {visible(event.sheet)} in {took(event.seconds)}: {columns}, {header}, {rows}"


def _resumed(event: Resumed) -> str:
    how = "which died" if event.taken_over else "which did not finish"
    rejected = f" ({event.rejected:,} of them rejected)" if event.rejected else ""
    return (
        f"going on with run {visible(event.run_id)}, {how}: {plural(event.rows, 'row')} settled already{rejected}, "
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
    return (
        f"already imported by run {visible(event.run_id)} on {visible(event.finished_at)}: {counts}; nothing is "
        "written (--again imports it once more)"
    )


def _committed(event: BatchCommitted) -> str:
    counts = [f"{event.inserted:,} inserted"]
    counts += [
        f"{count:,} {word}" for count, word in ((event.skipped, "skipped"), (event.rejected, "rejected")) if count
    ]
    rows = f"rows {event.first_row:,} to {event.last_row:,}"
    return f"worker {event.worker} committed {rows}: {', '.join(counts)} in {took(event.seconds)}"


def _fault(fault: Fault) -> str:
    column = f"{shortened(fault.column)}: " if fault.column else ""
    state = f" (SQLSTATE {visible(fault.sqlstate)})" if fault.sqlstate else ""
    return f"{visible(fault.cell)} {column}{shortened(fault.reason)}{state}"
