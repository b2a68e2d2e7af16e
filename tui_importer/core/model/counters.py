"""Counters that change all the time: incremented where things happen, and sampled by viewers.

Every counter has one writer, so there are no locks: the reading thread owns :class:`ReaderCounters`, each worker its
:class:`WorkerCounters`. A viewer calls :func:`take_snapshot` 4 to 10 times a second and computes what it shows from one
or two snapshots.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec


class Phase(StrEnum):
    """What a run is doing. The reading thread sets the first four phases, the engine the others."""

    WAITING = "waiting"
    OPENING = "opening"
    READING = "reading"
    READ = "read"  # all rows of the source are read; workers may still be writing
    STOPPING = "stopping"
    INDEXING = "indexing"
    FINISHED = "finished"


class WorkerState(StrEnum):
    """What a worker is doing."""

    CONNECTING = "connecting"
    IDLE = "idle"
    WRITING = "writing"
    COMMITTING = "committing"
    PAUSED = "paused"  # between two rows of a batch; between two batches, a worker is idle
    RETRYING = "retrying"  # waiting for the next attempt after a transient error
    BLOCKED = "blocked"  # its statement waits for a lock held by another transaction
    ISOLATING = "isolating"  # finding the rows of a batch that the database refuses
    DONE = "done"
    FAILED = "failed"


#: The phases of an import that is not being carried out.
_INACTIVE = (Phase.WAITING, Phase.FINISHED)
#: The phases in which rows are written.
_WRITING = (Phase.READING, Phase.READ)
#: States in which a statement is in flight.
_AT_WORK = (WorkerState.WRITING, WorkerState.COMMITTING, WorkerState.ISOLATING)


class ReaderCounters(msgspec.Struct):
    """Written by the reading thread only.

    ``rows_read`` does not include blank rows. Of these rows, ``skipped`` are not written (``totals_rows``, or rows that
    an earlier run has written), and ``rejected`` were rejected by an earlier run. ``source_rows`` is the expected
    number of rows including blank ones, if the reader knows it. What loading took in seconds: ``parse_seconds`` for
    rows from the reader, ``convert_seconds`` and ``encode_seconds`` for batches of them, ``claim_seconds`` waiting for
    the import to be claimed, and ``held_seconds`` because of a rate limit.
    """

    rows_read: int = 0
    blank_rows: int = 0
    skipped: int = 0
    totals_rows: int = 0
    rejected: int = 0
    blocks: int = 0
    source_rows: int | None = None
    phase: Phase = Phase.WAITING
    parse_seconds: float = 0.0
    convert_seconds: float = 0.0
    encode_seconds: float = 0.0
    claim_seconds: float = 0.0
    held_seconds: float = 0.0


class WorkerCounters(msgspec.Struct):
    """Written by worker number ``worker`` (from 1) only. Rows count once they are committed.

    ``busy_seconds`` is the time spent on batches; ``last_batch_seconds`` is that of the latest batch, from the first
    statement to the commit. ``in_hand_first_row`` and ``in_hand_last_row`` are the sheet rows of the current batch.
    ``blocked``, which the stall monitor writes, is whether its statement waits for a lock of another transaction.
    """

    worker: int
    state: WorkerState = WorkerState.CONNECTING
    inserted: int = 0
    updated: int = 0
    skipped: int = 0
    rejected: int = 0
    batches: int = 0
    retries: int = 0
    busy_seconds: float = 0.0
    last_batch_seconds: float = 0.0
    in_hand_first_row: int | None = None
    in_hand_last_row: int | None = None
    blocked: bool = False


class WorkerKey(NamedTuple):
    """What distinguishes the workers of a run: each import numbers its own from 1."""

    source: int
    worker: int


class WorkerSnapshot(msgspec.Struct, frozen=True):
    """:class:`WorkerCounters` at one moment. ``source`` is the number of the source whose rows it writes, from 1."""

    worker: int
    state: WorkerState
    inserted: int
    updated: int
    skipped: int
    rejected: int
    batches: int
    retries: int
    busy_seconds: float
    last_batch_seconds: float
    in_hand_first_row: int | None
    in_hand_last_row: int | None
    source: int = 1

    @property
    def key(self) -> WorkerKey:
        """Which worker of the run it is."""
        return WorkerKey(self.source, self.worker)

    @property
    def finished(self) -> int:
        """The number of rows that this worker has completed."""
        return self.inserted + self.updated + self.skipped + self.rejected


class SourceSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The counters of one of several sources at one moment. ``source`` is its number in the run, from 1."""

    source: int
    read: int
    blank: int
    inserted: int
    updated: int
    skipped: int
    rejected: int
    source_rows: int | None
    phase: Phase
    all_read: bool

    @property
    def active(self) -> bool:
        """Whether the source is being imported."""
        return self.phase not in _INACTIVE

    @property
    def finished(self) -> int:
        """The number of completed rows."""
        return self.inserted + self.updated + self.skipped + self.rejected


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All counters of a run at one moment. ``at`` is the time of a monotonic clock, in seconds.

    ``all_read``: ``read`` and ``blank`` are final. ``queue_size`` is the capacity of the queue in batches,
    ``queue_depth`` how many are waiting in it. ``paused``: no batches are taken until the run is unpaused.
    ``workers_wanted`` is the requested number of workers, which can be changed during the run. In a run of several
    sources, the counts are sums, ``sources`` has those of each, and ``workers`` are those of the imports that are
    being carried out: the workers of the others have completed ``ended_rows`` rows.
    """

    at: float
    read: int = 0
    blank: int = 0
    inserted: int = 0
    updated: int = 0
    skipped: int = 0
    rejected: int = 0
    source_rows: int | None = None
    queue_depth: int = 0
    queue_size: int = 0
    phase: Phase = Phase.WAITING
    all_read: bool = False
    paused: bool = False
    workers_wanted: int = 0
    workers: tuple[WorkerSnapshot, ...] = ()
    ended_rows: int = 0
    sources: tuple[SourceSnapshot, ...] = ()

    @property
    def finished(self) -> int:
        """The number of completed rows."""
        return self.inserted + self.updated + self.skipped + self.rejected

    @property
    def by_workers(self) -> int:
        """The number of rows that the workers of this run have completed, without those of earlier runs."""
        return self.ended_rows + sum(worker.finished for worker in self.workers)


def take_snapshot(
    at: float,
    reader: ReaderCounters,
    workers: Sequence[WorkerCounters],
    *,
    queue_depth: int = 0,
    queue_size: int = 0,
    phase: Phase | None = None,
    paused: bool = False,
    workers_wanted: int = 0,
    source: int = 1,
) -> Snapshot:
    """The current values of the counters of one source. ``phase`` overrides that of the reading thread."""
    # Workers before the reader: a row is read before it is completed, so ``finished`` never exceeds ``read``.
    sampled = tuple(_sample(worker, source) for worker in workers)
    skipped, rejected, reader_phase = reader.skipped, reader.rejected, reader.phase
    return Snapshot(
        at=at,
        read=reader.rows_read,
        blank=reader.blank_rows,
        inserted=sum(worker.inserted for worker in sampled),
        updated=sum(worker.updated for worker in sampled),
        skipped=skipped + sum(worker.skipped for worker in sampled),
        rejected=rejected + sum(worker.rejected for worker in sampled),
        source_rows=reader.source_rows,
        queue_depth=queue_depth,
        queue_size=queue_size,
        phase=reader_phase if phase is None else phase,
        all_read=reader_phase is Phase.READ,
        paused=paused,
        workers_wanted=workers_wanted,
        workers=sampled,
    )


def combined(snapshots: Sequence[Snapshot]) -> Snapshot:
    """The counters of a run from those of its sources, in their order; there is at least one."""
    if len(snapshots) == 1:
        return snapshots[0]
    active = [each for each in snapshots if each.phase not in _INACTIVE]
    ended = [each for each in snapshots if each.phase is Phase.FINISHED]
    hints = [each.source_rows for each in snapshots]
    return Snapshot(
        at=max(each.at for each in snapshots),
        read=sum(each.read for each in snapshots),
        blank=sum(each.blank for each in snapshots),
        inserted=sum(each.inserted for each in snapshots),
        updated=sum(each.updated for each in snapshots),
        skipped=sum(each.skipped for each in snapshots),
        rejected=sum(each.rejected for each in snapshots),
        source_rows=None if None in hints else sum(hint for hint in hints if hint is not None),
        queue_depth=sum(each.queue_depth for each in active),
        queue_size=sum(each.queue_size for each in active),
        phase=_combined_phase(active, all_ended=len(ended) == len(snapshots)),
        all_read=all(each.all_read for each in snapshots),
        paused=any(each.paused for each in snapshots),
        workers_wanted=sum(each.workers_wanted for each in active) or max(each.workers_wanted for each in snapshots),
        workers=tuple(worker for each in active for worker in each.workers),
        ended_rows=sum(each.by_workers for each in ended),
        sources=tuple(_of_source(number, each) for number, each in enumerate(snapshots, start=1)),
    )


def _combined_phase(active: Sequence[Snapshot], *, all_ended: bool) -> Phase:
    """The phase of several imports: of those that are carried out side by side, that of the one which writes rows."""
    if not active:
        return Phase.FINISHED if all_ended else Phase.WAITING
    phases = [each.phase for each in active]
    return next((phase for phase in _WRITING if phase in phases), phases[0])


def total(snapshot: Snapshot | SourceSnapshot) -> int | None:
    """The number of rows of a run or of one source to complete, without blank ones; None if unknown.

    Exact once everything is read. Before that, it is the reader's hint, unless more rows were read than it said.
    """
    if snapshot.all_read:
        return snapshot.read
    if snapshot.source_rows is None:
        return None
    expected = snapshot.source_rows - snapshot.blank
    return expected if expected >= snapshot.read else None


def progress(snapshot: Snapshot | SourceSnapshot) -> float | None:
    """The completed share of the rows, 0 to 1; None if the number of rows is unknown."""
    rows = total(snapshot)
    if rows is None:
        return None
    return min(1.0, snapshot.finished / rows) if rows else 1.0


def _sample(worker: WorkerCounters, source: int) -> WorkerSnapshot:
    return WorkerSnapshot(
        worker=worker.worker,
        state=WorkerState.BLOCKED if worker.blocked and worker.state in _AT_WORK else worker.state,
        inserted=worker.inserted,
        updated=worker.updated,
        skipped=worker.skipped,
        rejected=worker.rejected,
        batches=worker.batches,
        retries=worker.retries,
        busy_seconds=worker.busy_seconds,
        last_batch_seconds=worker.last_batch_seconds,
        in_hand_first_row=worker.in_hand_first_row,
        in_hand_last_row=worker.in_hand_last_row,
        source=source,
    )


def _of_source(number: int, snapshot: Snapshot) -> SourceSnapshot:
    return SourceSnapshot(
        source=number,
        read=snapshot.read,
        blank=snapshot.blank,
        inserted=snapshot.inserted,
        updated=snapshot.updated,
        skipped=snapshot.skipped,
        rejected=snapshot.rejected,
        source_rows=snapshot.source_rows,
        phase=snapshot.phase,
        all_read=snapshot.all_read,
    )
