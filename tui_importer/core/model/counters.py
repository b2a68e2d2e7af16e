"""Numbers that change all the time: counted where they happen, sampled by whoever watches.

Every counter has one writer, so nothing is locked: the reading thread owns :class:`ReaderCounters`, each worker its
own :class:`WorkerCounters`. A watcher calls :func:`take_snapshot` 4 to 10 times a second and computes what it shows
from one or two snapshots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

#: Seconds of work before a time left is worth saying: the first batches come in bursts and would make it jump.
MIN_ETA_SECONDS = 1.0


class Phase(StrEnum):
    """What a run is doing. The reading thread knows the first four, the engine the others."""

    WAITING = "waiting"
    OPENING = "opening"
    READING = "reading"
    READ = "read"  # every row of the source is read; workers may still write
    STOPPING = "stopping"
    INDEXING = "indexing"
    FINISHED = "finished"


class WorkerState(StrEnum):
    """What a worker is doing."""

    CONNECTING = "connecting"
    IDLE = "idle"
    WRITING = "writing"
    COMMITTING = "committing"
    PAUSED = "paused"  # between two rows of a batch; between two batches a worker is idle
    RETRYING = "retrying"  # waiting for the next try after a fault that may pass
    BLOCKED = "blocked"  # its statement waits for a lock that others hold
    ISOLATING = "isolating"  # looking for the rows of a batch that the database refuses
    DONE = "done"
    FAILED = "failed"


#: States in which a statement is in flight.
_AT_WORK = (WorkerState.WRITING, WorkerState.COMMITTING, WorkerState.ISOLATING)


@dataclass(slots=True)
class ReaderCounters:
    """Written by the reading thread only.

    ``rows_read`` leaves out blank rows. Of them, ``skipped`` go no further (a totals row, or an earlier run has put
    them in) and an earlier run has rejected ``rejected``. ``source_rows`` is how many rows will come, blank ones
    included, where the reader can tell.
    """

    rows_read: int = 0
    blank_rows: int = 0
    skipped: int = 0
    rejected: int = 0
    blocks: int = 0
    source_rows: int | None = None
    phase: Phase = Phase.WAITING


@dataclass(slots=True)
class WorkerCounters:
    """Written by worker number ``worker`` (from 1) only. Rows count once they are committed.

    ``busy_seconds`` is the time spent on batches, ``last_batch_seconds`` the latest batch from first statement to
    commit. ``in_hand_first_row`` and ``in_hand_last_row`` are the sheet rows of the batch being written. ``blocked``,
    which whoever watches the connections writes, says that its statement waits for a lock of others.
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


@dataclass(frozen=True, slots=True)
class WorkerSnapshot:
    """:class:`WorkerCounters` at one moment."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All counters of a run at one moment. ``at`` is in seconds of a monotonic clock.

    ``all_read`` says that ``read`` and ``blank`` are final; ``queue_size`` is how many batches the queue can hold,
    ``queue_depth`` how many wait in it. ``paused`` says that no batch is handed out until the run goes on;
    ``workers_wanted`` is how many workers are to be at work, which a live run can be told to change.
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

    @property
    def finished(self) -> int:
        """Rows whose fate is settled."""
        return self.inserted + self.updated + self.skipped + self.rejected


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
) -> Snapshot:
    """The counters as they stand. ``phase`` is the engine's word, where it knows better than the reading thread."""
    # Workers before the reader: a row is read before it is finished, so finished never exceeds read.
    sampled = tuple(_sample(worker) for worker in workers)
    passed_over, rejected, reader_phase = reader.skipped, reader.rejected, reader.phase
    return Snapshot(
        at=at,
        read=reader.rows_read,
        blank=reader.blank_rows,
        inserted=sum(worker.inserted for worker in sampled),
        updated=sum(worker.updated for worker in sampled),
        skipped=passed_over + sum(worker.skipped for worker in sampled),
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


def total(snapshot: Snapshot) -> int | None:
    """How many rows there are to finish (blank ones left out), or None where nobody knows.

    Exact once everything is read. Before, it is the reader's hint, unless more has come than the hint promised.
    """
    if snapshot.all_read:
        return snapshot.read
    if snapshot.source_rows is None:
        return None
    expected = snapshot.source_rows - snapshot.blank
    return expected if expected >= snapshot.read else None


def rate(earlier: Snapshot, later: Snapshot) -> float:
    """Rows finished per second between two snapshots; 0 where no time passed."""
    seconds = later.at - earlier.at
    if seconds <= 0:
        return 0.0
    return max(0, later.finished - earlier.finished) / seconds


def eta(first: Snapshot, now: Snapshot) -> float | None:
    """Seconds until the last row at the pace between two snapshots, or None where that would be a guess."""
    rows = total(now)
    if rows is None:
        return None
    left = rows - now.finished
    if left <= 0:
        return 0.0
    pace = rate(first, now)
    if pace == 0 or now.at - first.at < MIN_ETA_SECONDS:
        return None
    return left / pace


def progress(snapshot: Snapshot) -> float | None:
    """The share of the rows that is finished, 0 to 1, or None where the number of rows is not known."""
    rows = total(snapshot)
    if rows is None:
        return None
    return min(1.0, snapshot.finished / rows) if rows else 1.0


def _sample(worker: WorkerCounters) -> WorkerSnapshot:
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
    )
