"""The batch writer: writes one transaction per batch, isolates bad rows inside it and survives transient errors.

A batch's rows, its ledger entry and its rejects commit together or not at all. If a COMMIT is not acknowledged, a new
connection asks the ledger. It may ask too early, while the old transaction is still being committed. The second attempt
then finds the entry when it tries to insert it, and is rolled back.

The algorithm is written once, as generators that never block: they yield what a session's method returned. For a
:class:`Session` that is the result, which :func:`run` sends straight back; for an :class:`AsyncSession` it is an
awaitable, which :func:`run_async` awaits first. Either way an error is raised at the ``yield``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

from tui_importer.core.conversion.mapping import ColumnMapping
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.completed_rows import Interval
from tui_importer.core.model.counters import WorkerCounters, WorkerState
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.writing.backend import AsyncSession, IsolatedRows, Session
from tui_importer.core.writing.defaults import blanks_filled, default_places
from tui_importer.core.writing.ledger import Entry
from tui_importer.core.writing.loaded import NOTHING_LOADED, Loaded
from tui_importer.core.writing.retry import TRANSIENT_ERRORS, Attempts
from tui_importer.errors import (
    DatabaseError,
    DataFault,
    ImporterError,
    StoppedError,
    SupersededError,
    WorkerError,
)
from tui_importer.events import BatchCommitted, Reject, Retrying

T = TypeVar("T")
P = ParamSpec("P")

_log = logging.getLogger(__name__)

#: The number of rows suppressed by the database that are named for each batch.
SKIPPED_ROWS = 3
#: The number of refused loads of one batch after which it counts as having many bad rows. To find a row that the
#: database names takes two of them, and finding two or three that way costs less than setting up isolation.
FEW_REFUSALS = 6

#: A computation that yields what a session's method returned and is sent the result.
Operation = Generator[Any, Any, T]


class WriteObserver(Protocol):
    """Is notified of committed batches, retries and failures of workers."""

    def committed(self, event: BatchCommitted, rejects: list[Reject]) -> None: ...

    def retrying(self, event: Retrying) -> None: ...

    def worker_failed(self, failure: WorkerError) -> None: ...


class SessionFactory(Protocol):
    """Opens sessions for a worker and waits on its behalf: blocking, or awaitable for asyncio."""

    def open(self) -> Session | Awaitable[AsyncSession]:
        """Open a new session."""

    def rest(self, seconds: float) -> bool | Awaitable[bool]:
        """Wait, but not after the run begins to stop; return False if it is stopping."""

    def pause(self) -> Awaitable[None] | None:
        """Wait until a paused run resumes or begins to stop."""


@dataclass(slots=True)
class BatchOutcome:
    """What has been committed of a batch so far.

    ``rows`` of its converted rows are completed: the database took the ``loaded`` ones and refused the others. The
    batch's interval is completed up to sheet row ``last_row``.
    """

    rows: int = 0
    loaded: Loaded = NOTHING_LOADED
    last_row: int | None = None
    rejects: list[Reject] = field(default_factory=list)
    skipped_rows: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CommittedPart:
    """What one transaction completes: its ledger entry, and what that adds to the batch's outcome.

    ``row`` is the sheet row that it writes, if it writes exactly one.
    """

    entry: Entry
    rows: int
    row: int | None = None

    def add_to(self, outcome: BatchOutcome) -> None:
        """Add this committed transaction to the outcome."""
        outcome.rows += self.rows
        outcome.loaded += Loaded(self.entry.inserted, self.entry.updated, self.entry.skipped)
        outcome.last_row = self.entry.last_row
        outcome.rejects += self.entry.rejects
        if self.row is not None and self.entry.skipped and len(outcome.skipped_rows) < SKIPPED_ROWS:
            outcome.skipped_rows.append(self.row)


class BatchWriter:
    """Writes batches for one worker, on one session at a time. Nothing else writes to ``counters``.

    A transient error is followed by a new session and another attempt, for up to ``retry_for`` seconds after the first.
    """

    def __init__(
        self,
        sessions: SessionFactory,
        mapping: ColumnMapping,
        counters: WorkerCounters,
        observer: WriteObserver,
        control: RunControl,
        retry_for: float = 0.0,
    ) -> None:
        self.worker = counters.worker
        self._sessions = sessions
        self._opened: Session | AsyncSession | None = None
        self._mapping = mapping
        self._counters = counters
        self._observer = observer
        self._control = control
        self._retry_for = retry_for
        names = [column.target for column in mapping.columns]
        self._defaults = default_places(mapping.table, names), names
        # The worker's latest ledger entry. A batch that follows it directly extends it.
        self._latest: Interval | None = None
        # The transaction whose COMMIT was sent but not acknowledged.
        self._commit_unacknowledged: CommittedPart | None = None
        # The latest batch had many bad rows, so the next one is isolated without trying to load it first.
        self._many_bad = False
        # The transaction that was not in the ledger when asked for, but may still be committed.
        self._commit_maybe_late: CommittedPart | None = None

    def connect(self) -> Operation[None]:
        """Open the first session. If that fails with a transient error, the first batch tries again."""
        try:
            yield from self._open()
        except TRANSIENT_ERRORS as fault:
            if self._control.stopping:
                raise StoppedError(self._control.reason) from fault
            if not self._retry_for:
                raise

    def _open(self) -> Operation[None]:
        opened: Any = self._sessions.open
        self._opened = yield from self._call(opened)

    def close(self) -> Operation[None]:
        """Close the session, if one is open."""
        session, self._opened = self._opened, None
        if session is not None:
            yield session.close()

    def cancel(self) -> None:
        """Make the statement in progress fail soon. Other threads may call it."""
        session = self._opened
        if session is not None:
            session.cancel()

    def batch(self, batch: Batch) -> Operation[None]:
        """Write the batch as one transaction."""
        return self._write_and_report(batch, self._write_batch)

    def each(self, batch: Batch) -> Operation[None]:
        """Write the batch row by row, with one INSERT and one commit per row, until the run begins to stop."""
        return self._write_and_report(batch, self._row_by_row)

    @property
    def _session(self) -> Session | AsyncSession:
        assert self._opened is not None
        return self._opened

    def _write_and_report(
        self, batch: Batch, write: Callable[[Batch, BatchOutcome], Operation[None]]
    ) -> Operation[None]:
        counters, outcome = self._counters, BatchOutcome()
        counters.in_hand_first_row, counters.in_hand_last_row = batch.first_row, batch.last_row
        started = time.perf_counter()
        try:
            yield from self._with_retries(batch, write, outcome)
        except BaseException as error:
            counters.state = WorkerState.FAILED
            if outcome.last_row is not None:  # report what is committed, even if the rest failed
                self._report_committed(batch, outcome, time.perf_counter() - started)
            if not isinstance(error, Exception) or isinstance(error, StoppedError):
                raise
            failure = WorkerError(self.worker, batch.sheet, batch.first_row, batch.last_row, error)
            self._observer.worker_failed(failure)
            raise failure from error
        if outcome.last_row is not None:
            self._report_committed(batch, outcome, time.perf_counter() - started)
        counters.state = WorkerState.IDLE

    def _with_retries(
        self, batch: Batch, write: Callable[[Batch, BatchOutcome], Operation[None]], outcome: BatchOutcome
    ) -> Operation[None]:
        """Write the rows of the batch that are not in the outcome yet, on as many sessions as it takes."""
        attempts, last_chance = Attempts(self._retry_for), True
        while True:
            try:
                if self._opened is None:
                    yield from self._open()
                if self._commit_unacknowledged is not None:
                    yield from self._resolve_lost_commit(self._commit_unacknowledged, outcome)
                self._counters.state = WorkerState.WRITING
                yield from write(batch, outcome)
            except TRANSIENT_ERRORS as fault:
                yield from self._discard_session()
                pause = attempts.after(fault)
                self._counters.retries += 1
                self._counters.state = WorkerState.RETRYING
                self._observer.retrying(
                    Retrying(
                        worker=self.worker,
                        first_row=batch.first_row,
                        last_row=batch.last_row,
                        attempt=attempts.failed,
                        seconds=pause,
                        error=str(fault),
                        sqlstate=fault.sqlstate,
                    )
                )
                if not (yield self._sessions.rest(pause)):
                    # Ask once more whether the last transaction was committed, so that the report is right.
                    if self._commit_unacknowledged is None or not last_chance:
                        raise StoppedError(self._control.reason) from fault
                    last_chance = False
            else:
                return

    def _discard_session(self) -> Operation[None]:
        """Close a session that failed; an error while closing it is only logged."""
        try:
            yield from self.close()
        except Exception as error:  # noqa: BLE001  # a broken connection may fail to close in any way
            _log.debug("a failed session did not close", exc_info=error)

    def _resolve_lost_commit(self, part: CommittedPart, outcome: BatchOutcome) -> Operation[None]:
        """Ask the ledger whether a transaction whose COMMIT was not acknowledged is committed."""
        recorded = yield from self._is_recorded(part.entry)
        self._commit_unacknowledged = None
        if recorded:
            self._completed(part, outcome)
        else:
            self._commit_maybe_late = part

    def _report_committed(self, batch: Batch, outcome: BatchOutcome, seconds: float) -> None:
        """Report what is committed of the batch to the observer."""
        assert outcome.last_row is not None
        rejects = sorted(outcome.rejects, key=lambda reject: reject.row)
        counters = self._counters
        counters.batches += 1
        counters.busy_seconds += seconds
        counters.last_batch_seconds = seconds
        counters.in_hand_first_row = counters.in_hand_last_row = None
        self._observer.committed(
            BatchCommitted(
                worker=self.worker,
                first_row=batch.first_row,
                last_row=outcome.last_row,
                inserted=outcome.loaded.inserted,
                updated=outcome.loaded.updated,
                skipped=outcome.loaded.skipped,
                rejected=len(rejects),
                seconds=seconds,
                skipped_rows=tuple(outcome.skipped_rows),
                defaults=blanks_filled(batch, outcome.rows, {reject.row for reject in rejects}, *self._defaults),
            ),
            rejects,
        )

    def _write_batch(self, batch: Batch, outcome: BatchOutcome) -> Operation[None]:
        if outcome.last_row is not None:
            return  # the ledger says that it is committed
        loaded, rejects = NOTHING_LOADED, list[Reject]()
        try:
            # The savepoints of isolation cost round trips, so a batch is first tried without them.
            yield from self._call(self._session.begin)
            if self._many_bad and len(batch):
                self._counters.state = WorkerState.ISOLATING
                loaded, rejects = yield from self._isolate(batch, None)
            elif len(batch):
                loaded = yield from self._call(self._session.load, batch, 0, len(batch))
            yield from self._commit(self._whole_part(batch, loaded, rejects), outcome)
        except DataFault as fault:
            self._commit_unacknowledged = None
            self._counters.state = WorkerState.ISOLATING
            yield from self._call(self._session.rollback)
            yield from self._call(self._session.begin)
            loaded, rejects = yield from self._isolate(batch, fault)
            yield from self._commit(self._whole_part(batch, loaded, rejects), outcome)

    def _whole_part(self, batch: Batch, loaded: Loaded, refused: list[Reject]) -> CommittedPart:
        entry = self._entry(batch, None, batch.last_row, loaded, [*batch.rejects, *refused])
        return CommittedPart(entry, len(batch))

    def _row_by_row(self, batch: Batch, outcome: BatchOutcome) -> Operation[None]:
        while outcome.rows < len(batch):
            if self._control.paused:
                self._counters.state = WorkerState.PAUSED
                yield self._sessions.pause()
                self._counters.state = WorkerState.WRITING
            if self._control.stopping:
                return
            row = outcome.rows
            # The transaction of the last row includes the rows after it that failed conversion.
            last_row = batch.rows[row] if row < len(batch) - 1 else batch.last_row
            known = [reject for reject in batch.rejects if (outcome.last_row or 0) < reject.row <= last_row]
            try:
                yield from self._call(self._session.begin)
                loaded = yield from self._call(self._session.insert, batch, row)
                entry = self._entry(batch, outcome.last_row, last_row, loaded, known)
                yield from self._commit(CommittedPart(entry, 1, row=batch.rows[row]), outcome)
            except DataFault as fault:
                self._commit_unacknowledged = None
                yield from self._call(self._session.rollback)
                yield from self._call(self._session.begin)
                refused = self._reject(batch, row, fault)
                entry = self._entry(batch, outcome.last_row, last_row, NOTHING_LOADED, [*known, refused])
                yield from self._commit(CommittedPart(entry, 1), outcome)
        if outcome.last_row is None:  # all rows failed conversion
            yield from self._call(self._session.begin)
            entry = self._entry(batch, None, batch.last_row, NOTHING_LOADED, batch.rejects)
            yield from self._commit(CommittedPart(entry, 0), outcome)

    def _entry(
        self,
        batch: Batch,
        completed: int | None,
        last_row: int,
        loaded: Loaded,
        rejects: Sequence[Reject],
    ) -> Entry:
        """The ledger entry for the batch's rows after ``completed`` (None: from the first) up to ``last_row``."""
        first_row, previous = batch.first_row, self._latest
        if previous is not None and (completed is not None or previous.last + 1 == first_row):
            first_row = previous.first
        else:
            previous = None
        return Entry(
            first_row=first_row,
            last_row=last_row,
            previous_last_row=None if previous is None else previous.last,
            inserted=loaded.inserted,
            updated=loaded.updated,
            skipped=loaded.skipped,
            rejects=rejects,
        )

    def _commit(self, part: CommittedPart, outcome: BatchOutcome) -> Operation[None]:
        """Write the ledger entry and commit it with the rows."""
        written = yield from self._call(self._session.record, part.entry)
        if not written:
            yield from self._call(self._session.rollback)
            recorded = yield from self._is_recorded(part.entry)
            if not recorded:
                raise SupersededError("another run has taken this import over: this one may write no more")
            if self._commit_maybe_late is None or self._commit_maybe_late.entry.last_row != part.entry.last_row:
                raise ImporterError(
                    f"rows up to {part.entry.last_row:,} were handed out to be written a second time: they are in once"
                )
            # An earlier attempt was still being committed when the ledger was asked about it.
            self._completed(part, outcome)
            return
        self._counters.state = WorkerState.COMMITTING
        self._commit_unacknowledged = part
        yield from self._call(self._session.commit)
        self._completed(part, outcome)

    def _completed(self, part: CommittedPart, outcome: BatchOutcome) -> None:
        self._commit_unacknowledged = self._commit_maybe_late = None
        self._latest = Interval(part.entry.first_row, part.entry.last_row)
        part.add_to(outcome)
        # Counted here rather than per batch, so that a viewer sees rows that are committed one by one.
        counters = self._counters
        counters.inserted += part.entry.inserted
        counters.updated += part.entry.updated
        counters.skipped += part.entry.skipped
        counters.rejected += len(part.entry.rejects)

    def _is_recorded(self, entry: Entry) -> Operation[bool]:
        recorded = yield from self._call(self._session.recorded, entry)
        yield from self._call(self._session.rollback)
        return recorded

    def _isolate(self, batch: Batch, fault: DataFault | None) -> Operation[tuple[Loaded, list[Reject]]]:
        """Load the good rows and reject the bad ones, inside the open transaction.

        If the database names the refused row, the rows before it, the row itself and the rows after it are tried
        separately; otherwise the two halves are. A row is rejected only if it was refused alone. If more than a few
        rows are bad, the session is asked to find all of them at once. The same happens if there is no ``fault``: the
        batch has not been loaded yet.
        """
        session = self._session
        loaded, rejects = NOTHING_LOADED, list[Reject]()
        refusals = 0 if fault is not None else FEW_REFUSALS
        # An error that names a row implies that the rows before it are good and that it is bad. Once either proves
        # wrong, named rows are ignored; otherwise a batch could cost a statement per row.
        trusted = True
        todo = _parts(0, len(batch), fault.offset) if fault is not None else [Part(0, len(batch))]
        while todo:
            if refusals == FEW_REFUSALS and session.isolates:
                refusals += 1  # ask only once
                if fault is not None:
                    # Isolating may wait for other workers: release all locks first, so that none waits for this one.
                    yield from self._call(session.rollback)
                    yield from self._call(session.begin)
                isolated = yield from self._isolate_at_once(batch)
                if isolated is not None:
                    refused = [self._reject(batch, row, refusal) for row, refusal in isolated.refused]
                    return isolated.loaded, refused
                loaded, rejects, todo = NOTHING_LOADED, [], [Part(0, len(batch))]
            part = todo.pop()
            start, stop = part.start, part.stop
            yield from self._call(session.savepoint)
            try:
                loaded += yield from self._call(session.load, batch, start, stop)
            except DataFault as refusal:
                yield from self._call(session.rollback_to_savepoint)
                refusals += 1
                trusted = trusted and part.expected is not Expected.GOOD
                if stop - start == 1:
                    rejects.append(self._reject(batch, start, refusal))
                else:
                    todo += _parts(start, stop, refusal.offset if trusted else None)
            else:
                yield from self._call(session.release)
                trusted = trusted and part.expected is not Expected.BAD
        return loaded, rejects

    def _isolate_at_once(self, batch: Batch) -> Operation[IsolatedRows | None]:
        """Ask the session to find the refused rows; None if it cannot."""
        session = self._session
        yield from self._call(session.savepoint)
        try:
            isolated = yield from self._call(session.isolate, batch, 0, len(batch))
        except DataFault as fault:
            _log.debug("bad rows from row %d on are found by halves", batch.first_row, exc_info=fault)
            isolated = None
        self._many_bad = isolated is not None and len(isolated.refused) >= FEW_REFUSALS
        yield from self._call(session.rollback_to_savepoint if isolated is None else session.release)
        return isolated

    def _call(self, method: Callable[P, T | Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> Operation[T]:
        """Call a method of the session, unless the run is being aborted."""
        if self._control.aborting:
            raise StoppedError(self._control.reason)
        try:
            value: T = yield method(*args, **kwargs)
        except DatabaseError as error:
            if self._control.aborting:
                raise StoppedError(self._control.reason) from error
            raise
        return value

    def _reject(self, batch: Batch, row: int, fault: DataFault) -> Reject:
        return self._mapping.reject(
            batch.rows[row],
            [column.take((row,))[0] for column in batch.origin],
            [self._mapping.database_fault(batch, row, fault)],
        )


class Expected(Enum):
    """What an earlier error of the database implied about some rows."""

    GOOD = auto()
    BAD = auto()
    UNKNOWN = auto()


class Part(NamedTuple):
    """Rows ``start`` to ``stop`` (exclusive) of a batch, to be tried together."""

    start: int
    stop: int
    expected: Expected = Expected.UNKNOWN


def _parts(start: int, stop: int, offset: int | None) -> list[Part]:
    """The parts to try next, as a stack: the last one first.

    They are tried in sheet order, so that of two rows with the same key the first is inserted.
    """
    if offset is not None and 0 <= offset < stop - start:
        bad = start + offset
        parts = [Part(bad + 1, stop), Part(bad, bad + 1, Expected.BAD), Part(start, bad, Expected.GOOD)]
    else:
        middle = (start + stop) // 2
        parts = [Part(middle, stop), Part(start, middle)]
    return [part for part in parts if part.start < part.stop]


def run(operation: Operation[T]) -> T:
    """Run an operation on a plain session: each result is available at once."""
    result = None
    try:
        while True:
            result = operation.send(result)
    except StopIteration as end:
        value: T = end.value
        return value


async def run_async(operation: Operation[T]) -> T:
    """Run an operation on an asyncio session: each result is awaited."""
    try:
        pending = operation.send(None)
        while True:
            try:
                result = await pending
            except BaseException as error:  # noqa: BLE001  # a cancellation too: the operation decides what to do
                pending = operation.throw(error)
            else:
                pending = operation.send(result)
    except StopIteration as end:
        value: T = end.value
        return value
