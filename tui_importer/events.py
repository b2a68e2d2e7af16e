"""What a run can say.

Rare facts are pushed as events, each a frozen, past-tense struct; numbers that change all the time are sampled
as snapshots instead (:mod:`tui_importer.core.model.counters`). :func:`encode` and :func:`decode` give every event one
form as JSON, with the event's name under ``"event"``.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with one row. ``cell`` is its address (``Sheet1!B217``), or the row's range where the
    database does not say which column; ``value`` is the cell as text; ``sqlstate`` is set where the database
    refused, ``constraint`` where it named one. ``kind`` is a word for what all like reasons share, whatever else they
    say."""

    cell: str
    column: str | None
    value: str | None
    reason: str
    sqlstate: str | None = None
    constraint: str | None = None
    kind: str | None = None


class Reject(msgspec.Struct, frozen=True, kw_only=True):
    """A row that did not go in. ``row`` is its sheet row (from 1), ``values`` its cells as text in sheet order."""

    sheet: str
    row: int
    faults: tuple[Fault, ...]
    values: tuple[str | None, ...]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Base of all events."""


class RunStarted(Event, frozen=True, kw_only=True, tag="run_started"):
    """A run began; nothing is read or written yet. ``target`` is redacted; a ``dry_run`` will write nothing, and what
    its events count would be."""

    run_id: str
    file: str
    target: str
    strategy: str
    dry_run: bool = False


class ReadingStarted(Event, frozen=True, kw_only=True, tag="reading_started"):
    """The reader began to open the file; how many rows there are is not known yet."""

    file: str
    reader: str
    bytes: int


class SourceOpened(Event, frozen=True, kw_only=True, tag="source_opened"):
    """The sheet is open. ``rows`` is the number of data rows where the reader knows it."""

    sheet: str
    header_row: int
    columns: int
    rows: int | None
    seconds: float


class Noticed(Event, frozen=True, kw_only=True, tag="noticed"):
    """Something the user should know: a choice that was made, or a limit of the reader or the database."""

    message: str


class TableCreated(Event, frozen=True, kw_only=True, tag="table_created"):
    """The target table did not exist and was created, its indexes to follow after the load."""

    table: str


class LoadingStarted(Event, frozen=True, kw_only=True, tag="loading_started"):
    """The workers begin to write, ``max_rate`` rows a second at most where that is set. ``headers`` are those of all
    columns of the sheet's table, in their order."""

    table: str
    strategy: str
    workers: int
    batch_size: int
    max_rate: float | None = None
    headers: tuple[str, ...] = ()


class WorkerStarted(Event, frozen=True, kw_only=True, tag="worker_started"):
    """A worker has its connection. Workers are numbered from 1."""

    worker: int


class BatchCommitted(Event, frozen=True, kw_only=True, tag="batch_committed"):
    """The rows of one interval of the sheet are in, its rejects noted. ``seconds`` is from first statement to
    commit. ``skipped`` are rows that the database took without an error and did not report as inserted;
    ``skipped_rows`` are the first of them (sheet rows from 1), where rows are written one by one. ``defaults`` says of
    how many blanks the column's default was taken, by column."""

    worker: int
    first_row: int
    last_row: int
    inserted: int
    skipped: int
    rejected: int
    seconds: float
    skipped_rows: tuple[int, ...] = ()
    defaults: dict[str, int] = msgspec.field(default_factory=dict)


class Resumed(Event, frozen=True, kw_only=True, tag="resumed"):
    """The import was begun by an earlier run and is taken up again: ``rows`` of it are settled and passed over,
    ``rejected`` of these are rejects; the first row that is not is ``next_row``. ``taken_over`` says that the earlier
    run had died without a word."""

    run_id: str
    rows: int
    rejected: int
    next_row: int
    taken_over: bool


class AlreadyImported(Event, frozen=True, kw_only=True, tag="already_imported"):
    """Run ``run_id`` has imported all of this, and ended at ``finished_at`` (UTC): nothing is written."""

    run_id: str
    finished_at: str
    inserted: int
    updated: int
    skipped: int
    rejected: int


class Retrying(Event, frozen=True, kw_only=True, tag="retrying"):
    """A fault that may pass: attempt number ``attempt`` failed, the next one comes in ``seconds`` on a new connection.
    Worker 0 is the engine itself, which has no rows in hand."""

    worker: int
    first_row: int
    last_row: int
    attempt: int
    seconds: float
    error: str
    sqlstate: str | None


class StatementDelayed(Event, frozen=True, kw_only=True, tag="statement_delayed"):
    """A statement has made no progress for ``seconds``, and is waited for: its server says that it is working on it or,
    where ``locked`` is true, that it waits for a lock of others. ``detail`` is the server's word on it. Worker 0 is the
    engine itself."""

    worker: int
    seconds: float
    locked: bool
    detail: str


class RowRejected(Event, frozen=True, kw_only=True, tag="row_rejected"):
    """A row did not go in; it is said once its batch is committed. Worker 0 is an earlier run that this one goes on
    with."""

    worker: int
    reject: Reject


class WorkerFailed(Event, frozen=True, kw_only=True, tag="worker_failed"):
    """A worker stopped before its work was done; the others finish what they have in hand."""

    worker: int
    first_row: int
    last_row: int
    error: str


class WorkerFinished(Event, frozen=True, kw_only=True, tag="worker_finished"):
    """A worker closed its connection."""

    worker: int


class Paused(Event, frozen=True, kw_only=True, tag="paused"):
    """The run rests: what is in flight is finished, no further batch is taken until it goes on."""


class Unpaused(Event, frozen=True, kw_only=True, tag="unpaused"):
    """A paused run goes on."""


class WorkersChanged(Event, frozen=True, kw_only=True, tag="workers_changed"):
    """So many workers are to be at work from now on; one too many leaves once its batch is in."""

    workers: int


class Stopping(Event, frozen=True, kw_only=True, tag="stopping"):
    """No further batch will be taken; those in flight are finished, or undone where ``aborting`` is true."""

    reason: str
    aborting: bool


class IndexesCreated(Event, frozen=True, kw_only=True, tag="indexes_created"):
    """The indexes of a table that this run created are made."""

    count: int
    seconds: float


class Verified(Event, frozen=True, kw_only=True, tag="verified"):
    """The source was read once more and compared with the table, which holds these ``rows`` in this many ``columns``;
    ``not_compared`` are the columns whose values a database gives back in another form."""

    rows: int
    columns: int
    not_compared: tuple[str, ...] = ()


class RunFinished(Event, frozen=True, kw_only=True, tag="run_finished"):
    """The last event of a run; the counts of a ``dry_run`` are what an import would come to."""

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
    | ReadingStarted
    | SourceOpened
    | Noticed
    | TableCreated
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
    | RunFinished
)

#: Whoever wants to hear of a run. Called from the run's threads, one call at a time.
Listener = Callable[[AnyEvent], None]

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def encode(event: AnyEvent) -> bytes:
    """The event as one line of JSON, without a line break."""
    return _encoder.encode(event)


def decode(line: bytes) -> AnyEvent:
    """The inverse of :func:`encode`; raises ``msgspec.ValidationError`` for anything else."""
    return _decoder.decode(line)


def ignore(event: AnyEvent) -> None:
    """The listener nobody gave."""
