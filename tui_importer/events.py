"""The events of a run.

Rare facts are emitted as events, each a frozen struct named in the past tense. Numbers that change all the time are
sampled as snapshots instead (:mod:`tui_importer.core.model.counters`). :func:`encode` and :func:`decode` convert events
to and from JSON, with the event's name under ``"event"``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a row.

    ``cell`` is its address (``Sheet1!B217``), or the row's range if the database does not name a column. ``value`` is
    the cell as text. ``sqlstate`` is set if the database refused the row, ``constraint`` if it named one. ``kind`` is
    shared by all reasons that differ only in their details.
    """

    cell: str
    column: str | None
    value: str | None
    reason: str
    sqlstate: str | None = None
    constraint: str | None = None
    kind: str | None = None


class Reject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row that was rejected. ``row`` is its sheet row (from 1), ``values`` its cells as text in sheet order.

    ``numbers`` are the places of those cells that are numbers. ``mends`` is the sheet row of the earlier reject that it
    was to mend, if its sheet is one of mended rejects.
    """

    sheet: str
    row: int
    faults: tuple[Fault, ...]
    values: tuple[str | None, ...]
    numbers: tuple[int, ...] = ()
    mends: int | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Base of all events."""


class ImportEvent(Event, frozen=True, kw_only=True):
    """Base of the events of one import. ``source`` is the number of its source among those of the run, from 1."""

    source: int = 1


class RunStarted(Event, frozen=True, kw_only=True, tag="run_started"):
    """A run began; nothing is read or written yet.

    ``target`` contains no password. A ``dry_run`` writes nothing; the counts in its events are those of an import. A
    run of several ``sources`` names all files and targets.
    """

    run_id: str
    file: str
    target: str
    strategy: str
    dry_run: bool = False
    sources: int = 1


class ImportStarted(ImportEvent, frozen=True, kw_only=True, tag="import_started"):
    """One import of a run of several sources began."""

    file: str
    target: str
    strategy: str


class ReadingStarted(ImportEvent, frozen=True, kw_only=True, tag="reading_started"):
    """The reader began to open the file; the number of rows is not known yet."""

    file: str
    reader: str
    bytes: int


class SourceOpened(ImportEvent, frozen=True, kw_only=True, tag="source_opened"):
    """The sheet is open. ``rows`` is the number of data rows; None if the reader does not know it."""

    sheet: str
    header_row: int
    columns: int
    rows: int | None
    seconds: float


class Noticed(ImportEvent, frozen=True, kw_only=True, tag="noticed"):
    """A note for the user: a decision that was made, or a limit of the reader or the database."""

    message: str


class RunNoticed(Event, frozen=True, kw_only=True, tag="run_noticed"):
    """A note for the user about a run of several sources, before its first import."""

    message: str


class TableCreated(ImportEvent, frozen=True, kw_only=True, tag="table_created"):
    """The target table did not exist and was created. Its indexes are created after the load."""

    table: str


class SettingChosen(ImportEvent, frozen=True, kw_only=True, tag="setting_chosen"):
    """The program has chosen a number that was left to it, or now uses another, because of the ``reason``.

    ``setting`` is ``workers`` or ``batch_size`` (in rows).
    """

    setting: Literal["workers", "batch_size"]
    value: int
    reason: str


class LoadingStarted(ImportEvent, frozen=True, kw_only=True, tag="loading_started"):
    """The workers are about to start.

    ``max_rate`` is the limit in rows per second, if any. ``headers`` are those of all columns of the sheet's table, in
    order.
    """

    table: str
    strategy: str
    workers: int
    batch_size: int
    max_rate: float | None = None
    headers: tuple[str, ...] = ()


class WorkerStarted(ImportEvent, frozen=True, kw_only=True, tag="worker_started"):
    """A worker has opened its connection. Workers are numbered from 1."""

    worker: int


class BatchCommitted(ImportEvent, frozen=True, kw_only=True, tag="batch_committed"):
    """The rows of one interval of the sheet were committed, and its rejects recorded.

    ``seconds`` is the time from the first statement to the commit. ``updated`` rows have replaced a row that was in the
    table. ``skipped`` rows were accepted by the database without an error but are not in the table; ``skipped_rows``
    are the first of them (sheet rows from 1) if rows are written one by one. ``defaults`` is the number of blanks that
    took the column's default, by column.
    """

    worker: int
    first_row: int
    last_row: int
    inserted: int
    updated: int = 0
    skipped: int
    rejected: int
    seconds: float
    skipped_rows: tuple[int, ...] = ()
    defaults: dict[str, int] = msgspec.field(default_factory=dict)


class Resumed(ImportEvent, frozen=True, kw_only=True, tag="resumed"):
    """The import was begun by an earlier run and is resumed.

    ``rows`` of it are completed, ``rejected`` of these were rejected; the first row that is not completed is
    ``next_row``. ``taken_over``: the earlier run died without recording its end.
    """

    run_id: str
    rows: int
    rejected: int
    next_row: int
    taken_over: bool


class AlreadyImported(ImportEvent, frozen=True, kw_only=True, tag="already_imported"):
    """Run ``run_id`` has completed this import, and ended at ``finished_at`` (UTC): nothing is written."""

    run_id: str
    finished_at: str
    inserted: int
    updated: int
    skipped: int
    rejected: int


class Retrying(ImportEvent, frozen=True, kw_only=True, tag="retrying"):
    """Attempt number ``attempt`` failed with a transient error; the next follows in ``seconds`` on a new connection.

    Worker 0 is the engine itself, which has no rows.
    """

    worker: int
    first_row: int
    last_row: int
    attempt: int
    seconds: float
    error: str
    sqlstate: str | None


class StatementDelayed(ImportEvent, frozen=True, kw_only=True, tag="statement_delayed"):
    """A statement has made no progress for ``seconds``, but is waited for.

    The server reports that it is working on it or, if ``locked``, that it waits for a lock of another transaction.
    ``detail`` is the server's description. Worker 0 is the engine itself.
    """

    worker: int
    seconds: float
    locked: bool
    detail: str


class RowRejected(ImportEvent, frozen=True, kw_only=True, tag="row_rejected"):
    """A row was rejected; emitted once its batch is committed. Worker 0 is an earlier run that this one resumes."""

    worker: int
    reject: Reject


class WorkerFailed(ImportEvent, frozen=True, kw_only=True, tag="worker_failed"):
    """A worker failed before its work was done; the others finish their current batch."""

    worker: int
    first_row: int
    last_row: int
    error: str


class WorkerFinished(ImportEvent, frozen=True, kw_only=True, tag="worker_finished"):
    """A worker closed its connection."""

    worker: int


class Paused(Event, frozen=True, kw_only=True, tag="paused"):
    """The run is paused: batches in flight are finished, and no further ones are taken until it is unpaused."""


class Unpaused(Event, frozen=True, kw_only=True, tag="unpaused"):
    """A paused run continues."""


class WorkersChanged(ImportEvent, frozen=True, kw_only=True, tag="workers_changed"):
    """The requested number of workers changed; a surplus worker ends once its batch is committed."""

    workers: int


class Stopping(Event, frozen=True, kw_only=True, tag="stopping"):
    """No further batch will be taken. Those in flight are finished, or rolled back if ``aborting``.

    ``source`` is the number of the only import that is stopped; None if the whole run is.
    """

    reason: str
    aborting: bool
    source: int | None = None


class IndexesCreated(ImportEvent, frozen=True, kw_only=True, tag="indexes_created"):
    """The indexes of a table that this run created were created."""

    count: int
    seconds: float


class Verified(ImportEvent, frozen=True, kw_only=True, tag="verified"):
    """The source was read again and compared with the table, which holds these ``rows`` in ``columns`` columns.

    ``not_compared`` names the columns whose values a database returns in another form.
    """

    rows: int
    columns: int
    not_compared: tuple[str, ...] = ()


class ImportFinished(ImportEvent, frozen=True, kw_only=True, tag="import_finished"):
    """One import of a run of several sources ended, or was never begun because the run was stopped before."""

    outcome: str
    exit_code: int
    read: int
    inserted: int
    updated: int
    skipped: int
    rejected: int
    blank: int
    seconds: float
    error: str | None = None


class RunFinished(Event, frozen=True, kw_only=True, tag="run_finished"):
    """The last event of a run, with the counts of all its imports.

    The counts of a ``dry_run`` are those that an import would have.
    """

    outcome: str
    exit_code: int
    read: int
    inserted: int
    updated: int
    skipped: int
    rejected: int
    blank: int
    seconds: float
    dry_run: bool = False


AnyEvent = (
    RunStarted
    | ImportStarted
    | ReadingStarted
    | SourceOpened
    | Noticed
    | RunNoticed
    | TableCreated
    | SettingChosen
    | LoadingStarted
    | WorkerStarted
    | Resumed
    | AlreadyImported
    | BatchCommitted
    | Retrying
    | StatementDelayed
    | RowRejected
    | WorkerFailed
    | WorkerFinished
    | WorkersChanged
    | Paused
    | Unpaused
    | Stopping
    | IndexesCreated
    | Verified
    | ImportFinished
    | RunFinished
)

#: Receives the events of a run. Called from the run's threads, one call at a time.
Listener = Callable[[AnyEvent], None]

_encoder = msgspec.json.Encoder()


def encode(event: AnyEvent) -> bytes:
    """The event as one line of JSON, without a line break."""
    return _encoder.encode(event)


def decode(line: bytes) -> AnyEvent:
    """The inverse of :func:`encode`; raises ``msgspec.ValidationError`` for anything else."""
    return _decoder().decode(line)


def ignore(event: AnyEvent) -> None:
    """The default listener: does nothing."""


@cache
def _decoder() -> msgspec.json.Decoder[AnyEvent]:
    """What decodes any event. Making it takes longer than a small import can spare, and imports decode nothing."""
    return msgspec.json.Decoder(AnyEvent)
