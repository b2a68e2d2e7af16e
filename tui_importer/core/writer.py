"""The batch writer: one transaction a batch with its ledger entry, bad rows isolated inside it, faults outlived.

A batch's rows, its entry in the ledger and its rejects commit together or not at all. Where a COMMIT is never answered,
a new connection asks the ledger. It may be asked too early, while the old transaction is still on its way: then the
second try finds the entry there when it wants to make it, and is undone.

The algorithm is written once, as generators that never wait: they yield what a session's methods gave back. For a
:class:`Session` that is the result, and :func:`run` hands it straight back in; for an :class:`AsyncSession` it is an
awaitable, which :func:`run_async` awaits first. An error comes up at the ``yield`` either way.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

from tui_importer.core.batch import Batch
from tui_importer.core.counters import WorkerCounters, WorkerState
from tui_importer.core.defaults import blanks_filled, default_places
from tui_importer.core.ledger import Entry
from tui_importer.core.mapping import Mapping
from tui_importer.core.retry import PASSING, Attempts
from tui_importer.core.session import AsyncSession, IsolatedRows, Session
from tui_importer.core.settled import Interval
from tui_importer.core.stop import Stop
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

#: So many of the rows of a batch that the database suppressed are named.
SKIPPED_ROWS = 3
#: Loads of one batch that may be refused before its bad rows count as many. A named row takes two of them, and to find
#: two or three that way costs less than what a session has to set up.
FEW_REFUSALS = 6

#: What a session may be able to do besides (:class:`~tui_importer.core.session.IsolatingSession`).
Isolate = Callable[[Batch, int, int], IsolatedRows | Awaitable[IsolatedRows | None] | None]

#: A computation that yields what a session gave back and is sent the result.
Steps = Generator[Any, Any, T]


class Journal(Protocol):
    """Whoever keeps account of a run: told what a batch came to once it is in, and of what goes wrong."""

    def committed(self, event: BatchCommitted, rejects: list[Reject]) -> None: ...

    def retrying(self, event: Retrying) -> None: ...

    def worker_failed(self, failure: WorkerError) -> None: ...


class Hand(Protocol):
    """How a worker gets a session, and how it waits: plainly, or awaitably for asyncio."""

    def open(self) -> Session | Awaitable[AsyncSession]:
        """A new session."""

    def rest(self, seconds: float) -> bool | Awaitable[bool]:
        """Wait, but no longer than until the run is being stopped; False when it is."""

    def pause(self) -> Awaitable[None] | None:
        """Wait until a paused run goes on or is being stopped."""


@dataclass(slots=True)
class Tally:
    """What has become of a batch so far: ``rows`` of those to be written are settled, ``accepted`` of them are in and
    ``refused`` were refused by the database; the batch's interval is settled up to ``last_row``."""

    rows: int = 0
    accepted: int = 0
    refused: int = 0
    last_row: int | None = None
    rejects: list[Reject] = field(default_factory=list)
    skipped_rows: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction settles: its ledger entry, and what that adds to the batch's tally; ``row`` is the one sheet
    row that it writes, where it writes one."""

    entry: Entry
    rows: int
    refused: int = 0
    row: int | None = None

    def settle(self, tally: Tally) -> None:
        """Add it to the tally, now that it is committed."""
        tally.rows += self.rows
        tally.accepted += self.entry.inserted
        tally.refused += self.refused
        tally.last_row = self.entry.last_row
        tally.rejects += self.entry.rejects
        if self.row is not None and self.entry.skipped and len(tally.skipped_rows) < SKIPPED_ROWS:
            tally.skipped_rows.append(self.row)


class BatchWriter:
    """One worker's hand on one session at a time. All counters of ``counters`` are written here and nowhere else.

    Faults that may pass are met by a new session and another try, for ``retry_for`` seconds from the first.
    """

    def __init__(
        self,
        hand: Hand,
        mapping: Mapping,
        counters: WorkerCounters,
        journal: Journal,
        stop: Stop,
        retry_for: float = 0.0,
    ) -> None:
        self.worker = counters.worker
        self._hand = hand
        self._held: Session | AsyncSession | None = None
        self._mapping = mapping
        self._counters = counters
        self._journal = journal
        self._stop = stop
        self._retry_for = retry_for
        names = [column.target for column in mapping.columns]
        self._defaults = default_places(mapping.table, names), names
        # The worker's latest entry in the ledger: one that follows it lengthens it.
        self._latest: Interval | None = None
        # Sent to be committed, and nobody has said yet whether it is.
        self._unsure: Step | None = None
        # The latest batch had many bad rows: the next one is not loaded in vain before they are looked for.
        self._many_bad = False
        # Asked after, and not in the ledger then: it may come in yet.
        self._doubted: Step | None = None

    def connect(self) -> Steps[None]:
        """Open the first session. Where that fails in a way that may pass, the first batch tries again."""
        try:
            yield from self._open()
        except PASSING as fault:
            if self._stop.draining:
                raise StoppedError(self._stop.reason) from fault
            if not self._retry_for:
                raise

    def _open(self) -> Steps[None]:
        opened: Any = self._hand.open
        self._held = yield from self._step(opened)

    def close(self) -> Steps[None]:
        """Close the session, if one is open."""
        session, self._held = self._held, None
        if session is not None:
            yield session.close()

    def cancel(self) -> None:
        """Make the statement in progress fail soon. Other threads may call it."""
        session = self._held
        if session is not None:
            session.cancel()

    def batch(self, batch: Batch) -> Steps[None]:
        """Write the batch as one transaction."""
        return self._accounted(batch, self._whole)

    def each(self, batch: Batch) -> Steps[None]:
        """Write the batch row by row, one INSERT and one commit a row, until the run is being stopped."""
        return self._accounted(batch, self._row_by_row)

    @property
    def _session(self) -> Session | AsyncSession:
        assert self._held is not None
        return self._held

    def _accounted(self, batch: Batch, write: Callable[[Batch, Tally], Steps[None]]) -> Steps[None]:
        counters, tally = self._counters, Tally()
        counters.in_hand_first_row, counters.in_hand_last_row = batch.first_row, batch.last_row
        started = time.perf_counter()
        try:
            yield from self._persistently(batch, write, tally)
        except BaseException as error:
            counters.state = WorkerState.FAILED
            if tally.last_row is not None:  # what is committed is in, whatever happened to the rest
                self._settle(batch, tally, time.perf_counter() - started)
            if not isinstance(error, Exception) or isinstance(error, StoppedError):
                raise
            failure = WorkerError(self.worker, batch.sheet, batch.first_row, batch.last_row, error)
            self._journal.worker_failed(failure)
            raise failure from error
        if tally.last_row is not None:
            self._settle(batch, tally, time.perf_counter() - started)
        counters.state = WorkerState.IDLE

    def _persistently(self, batch: Batch, write: Callable[[Batch, Tally], Steps[None]], tally: Tally) -> Steps[None]:
        """Write what the tally lacks of the batch, on as many sessions as that takes."""
        attempts, last_chance = Attempts(self._retry_for), True
        while True:
            try:
                if self._held is None:
                    yield from self._open()
                if self._unsure is not None:
                    yield from self._ask(self._unsure, tally)
                self._counters.state = WorkerState.WRITING
                yield from write(batch, tally)
            except PASSING as fault:
                yield from self._let_go()
                pause = attempts.after(fault)
                self._counters.retries += 1
                self._counters.state = WorkerState.RETRYING
                self._journal.retrying(
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
                if not (yield self._hand.rest(pause)):
                    # What may be in is asked after once more, so that the report knows.
                    if self._unsure is None or not last_chance:
                        raise StoppedError(self._stop.reason) from fault
                    last_chance = False
            else:
                return

    def _let_go(self) -> Steps[None]:
        """Close a session that failed; what its connection has to say about that is nothing new."""
        try:
            yield from self.close()
        except Exception as error:  # noqa: BLE001  # a broken connection may fail to close in any way
            _log.debug("a failed session did not close", exc_info=error)

    def _ask(self, step: Step, tally: Tally) -> Steps[None]:
        """Ask the ledger whether a transaction is in whose COMMIT was never answered."""
        there = yield from self._is_recorded(step.entry)
        self._unsure = None
        if there:
            self._settled(step, tally)
        else:
            self._doubted = step

    def _settle(self, batch: Batch, tally: Tally, seconds: float) -> None:
        """Tell the journal what is committed of the batch."""
        assert tally.last_row is not None
        rejects = sorted(tally.rejects, key=lambda reject: reject.row)
        # Rows that the database swallowed without an error (a trigger that returns NULL, a rule).
        skipped = tally.rows - tally.accepted - tally.refused
        counters = self._counters
        counters.batches += 1
        counters.busy_seconds += seconds
        counters.last_batch_seconds = seconds
        counters.in_hand_first_row = counters.in_hand_last_row = None
        self._journal.committed(
            BatchCommitted(
                worker=self.worker,
                first_row=batch.first_row,
                last_row=tally.last_row,
                inserted=tally.accepted,
                skipped=skipped,
                rejected=len(rejects),
                seconds=seconds,
                skipped_rows=tuple(tally.skipped_rows),
                defaults=blanks_filled(batch, tally.rows, {reject.row for reject in rejects}, *self._defaults),
            ),
            rejects,
        )

    def _whole(self, batch: Batch, tally: Tally) -> Steps[None]:
        if tally.last_row is not None:
            return  # it was in, as the ledger says
        accepted, rejects = 0, list[Reject]()
        try:
            # The savepoints of isolation cost round trips, so a batch is first tried without.
            yield from self._step(self._session.begin)
            if self._many_bad and len(batch):
                self._counters.state = WorkerState.ISOLATING
                accepted, rejects = yield from self._isolate(batch, None)
            elif len(batch):
                accepted = yield from self._step(self._session.load, batch, 0, len(batch))
            yield from self._commit(self._whole_step(batch, accepted, rejects), tally)
        except DataFault as fault:
            self._unsure = None
            self._counters.state = WorkerState.ISOLATING
            yield from self._step(self._session.rollback)
            yield from self._step(self._session.begin)
            accepted, rejects = yield from self._isolate(batch, fault)
            yield from self._commit(self._whole_step(batch, accepted, rejects), tally)

    def _whole_step(self, batch: Batch, accepted: int, refused: list[Reject]) -> Step:
        skipped = len(batch) - accepted - len(refused)
        entry = self._entry(batch, None, batch.last_row, accepted, skipped, [*batch.rejects, *refused])
        return Step(entry, len(batch), len(refused))

    def _row_by_row(self, batch: Batch, tally: Tally) -> Steps[None]:
        while tally.rows < len(batch):
            if self._stop.paused:
                self._counters.state = WorkerState.PAUSED
                yield self._hand.pause()
                self._counters.state = WorkerState.WRITING
            if self._stop.draining:
                return
            row = tally.rows
            # The last row's transaction takes along what conversion refused after it.
            last_row = batch.rows[row] if row < len(batch) - 1 else batch.last_row
            known = [reject for reject in batch.rejects if (tally.last_row or 0) < reject.row <= last_row]
            try:
                yield from self._step(self._session.begin)
                accepted = yield from self._step(self._session.insert, batch, row)
                entry = self._entry(batch, tally.last_row, last_row, accepted, 1 - accepted, known)
                yield from self._commit(Step(entry, 1, row=batch.rows[row]), tally)
            except DataFault as fault:
                self._unsure = None
                yield from self._step(self._session.rollback)
                yield from self._step(self._session.begin)
                refused = self._reject(batch, row, fault)
                entry = self._entry(batch, tally.last_row, last_row, 0, 0, [*known, refused])
                yield from self._commit(Step(entry, 1, 1), tally)
        if tally.last_row is None:  # conversion has refused all rows
            yield from self._step(self._session.begin)
            entry = self._entry(batch, None, batch.last_row, 0, 0, batch.rejects)
            yield from self._commit(Step(entry, 0), tally)

    def _entry(
        self,
        batch: Batch,
        settled: int | None,
        last_row: int,
        inserted: int,
        skipped: int,
        rejects: Sequence[Reject],
    ) -> Entry:
        """The ledger's entry for the batch's rows after ``settled`` (None: from its first) up to ``last_row``."""
        latest = self._latest
        if latest is None or (settled is None and latest.last + 1 != batch.first_row):
            return Entry(batch.first_row, last_row, None, inserted, skipped, rejects)
        return Entry(latest.first, last_row, latest.last, inserted, skipped, rejects)

    def _commit(self, step: Step, tally: Tally) -> Steps[None]:
        """Write the ledger's entry and commit it with the rows."""
        made = yield from self._step(self._session.record, step.entry)
        if not made:
            yield from self._step(self._session.rollback)
            there = yield from self._is_recorded(step.entry)
            if not there:
                raise SupersededError("another run has taken this import over: this one may write no more")
            if self._doubted is None or self._doubted.entry.last_row != step.entry.last_row:
                raise ImporterError(
                    f"rows up to {step.entry.last_row:,} were handed out to be written a second time: they are in once"
                )
            # An earlier try was still on its way when the ledger was asked after it.
            self._settled(step, tally)
            return
        self._counters.state = WorkerState.COMMITTING
        self._unsure = step
        yield from self._step(self._session.commit)
        self._settled(step, tally)

    def _settled(self, step: Step, tally: Tally) -> None:
        self._unsure = self._doubted = None
        self._latest = Interval(step.entry.first_row, step.entry.last_row)
        step.settle(tally)
        # Here and not once the batch is in: whoever watches sees rows that are committed one by one come one by one.
        counters = self._counters
        counters.inserted += step.entry.inserted
        counters.skipped += step.entry.skipped
        counters.rejected += len(step.entry.rejects)

    def _is_recorded(self, entry: Entry) -> Steps[bool]:
        there = yield from self._step(self._session.recorded, entry)
        yield from self._step(self._session.rollback)
        return there

    def _isolate(self, batch: Batch, fault: DataFault | None) -> Steps[tuple[int, list[Reject]]]:
        """Load what can be loaded around the rows that cannot, inside the open transaction.

        Where the database names the refused row, what is before it, the row itself and what is after it are tried
        apart; otherwise halves are. A row is only rejected when it was refused alone. Where more is bad than a few
        rows, the session is asked to find all of them at once; so it is where there is no ``fault``, for the batch has
        not been loaded yet.
        """
        session = self._session
        accepted, rejects = 0, list[Reject]()
        refusals = 0 if fault is not None else FEW_REFUSALS
        isolate: Isolate | None = getattr(session, "isolate", None)
        # Whoever names a row says two things: the rows before it are good, and it is not. Where either proves wrong,
        # names are not believed again, or a batch could cost a statement a row.
        trusted = True
        todo = _parts(0, len(batch), fault.offset) if fault is not None else [Part(0, len(batch))]
        while todo:
            if refusals == FEW_REFUSALS and isolate is not None:
                refusals += 1  # asked once
                if fault is not None:
                    # Whoever waits for its turn to look for bad rows keeps nobody waiting meanwhile.
                    yield from self._step(session.rollback)
                    yield from self._step(session.begin)
                isolated = yield from self._isolate_at_once(batch, isolate)
                if isolated is not None:
                    refused = [self._reject(batch, row, refusal) for row, refusal in isolated.refused]
                    return isolated.inserted, refused
                accepted, rejects, todo = 0, [], [Part(0, len(batch))]
            part = todo.pop()
            start, stop = part.start, part.stop
            yield from self._step(session.savepoint)
            try:
                accepted += yield from self._step(session.load, batch, start, stop)
            except DataFault as refusal:
                yield from self._step(session.rollback_to_savepoint)
                refusals += 1
                trusted = trusted and part.said is not Said.GOOD
                if stop - start == 1:
                    rejects.append(self._reject(batch, start, refusal))
                else:
                    todo += _parts(start, stop, refusal.offset if trusted else None)
            else:
                yield from self._step(session.release)
                trusted = trusted and part.said is not Said.BAD
        return accepted, rejects

    def _isolate_at_once(self, batch: Batch, isolate: Isolate) -> Steps[IsolatedRows | None]:
        """Have the session find the refused rows; None where it cannot."""
        session = self._session
        yield from self._step(session.savepoint)
        try:
            isolated = yield from self._step(isolate, batch, 0, len(batch))
        except DataFault as fault:
            _log.debug("bad rows from row %d on are found by halves", batch.first_row, exc_info=fault)
            isolated = None
        self._many_bad = isolated is not None and len(isolated.refused) >= FEW_REFUSALS
        yield from self._step(session.rollback_to_savepoint if isolated is None else session.release)
        return isolated

    def _step(self, method: Callable[P, T | Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> Steps[T]:
        """One call of the session, unless the run is being aborted."""
        if self._stop.aborting:
            raise StoppedError(self._stop.reason)
        try:
            value: T = yield method(*args, **kwargs)
        except DatabaseError as error:
            if self._stop.aborting:
                raise StoppedError(self._stop.reason) from error
            raise
        return value

    def _reject(self, batch: Batch, row: int, fault: DataFault) -> Reject:
        return self._mapping.reject(
            batch.rows[row],
            [column.values()[row] for column in batch.origin],
            [self._mapping.database_fault(batch, row, fault)],
        )


class Said(Enum):
    """What the database said of some rows."""

    GOOD = auto()
    BAD = auto()
    NOTHING = auto()


class Part(NamedTuple):
    """Rows ``start`` to ``stop`` (exclusive) of a batch, to be tried together."""

    start: int
    stop: int
    said: Said = Said.NOTHING


def _parts(start: int, stop: int, offset: int | None) -> list[Part]:
    """What to try next, the last one first: in the order of the sheet, so that of two rows with one key the first goes
    in."""
    if offset is not None and 0 <= offset < stop - start:
        bad = start + offset
        parts = [Part(bad + 1, stop), Part(bad, bad + 1, Said.BAD), Part(start, bad, Said.GOOD)]
    else:
        middle = (start + stop) // 2
        parts = [Part(middle, stop), Part(start, middle)]
    return [part for part in parts if part.start < part.stop]


def run(steps: Steps[T]) -> T:
    """Carry out the steps of a plain session: each result is already there."""
    result = None
    try:
        while True:
            result = steps.send(result)
    except StopIteration as end:
        value: T = end.value
        return value


async def run_async(steps: Steps[T]) -> T:
    """Carry out the steps of an asyncio session: each result is awaited."""
    try:
        pending = steps.send(None)
        while True:
            try:
                result = await pending
            except BaseException as error:  # noqa: BLE001  # a cancellation too: the steps decide what is left
                pending = steps.throw(error)
            else:
                pending = steps.send(result)
    except StopIteration as end:
        value: T = end.value
        return value
