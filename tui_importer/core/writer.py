"""The batch writer: one transaction a batch, bad rows isolated inside it.

The algorithm is written once, as generators that never wait: they yield what a session's methods gave back. For a
:class:`Session` that is the result, and :func:`run` hands it straight back in; for an :class:`AsyncSession` it is an
awaitable, which :func:`run_async` awaits first. An error comes up at the ``yield`` either way.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

from tui_importer.core.batch import Batch
from tui_importer.core.counters import WorkerCounters, WorkerState
from tui_importer.core.mapping import Mapping
from tui_importer.core.session import AsyncSession, Session
from tui_importer.core.stop import Stop
from tui_importer.errors import DatabaseError, DataFault, StoppedError, WorkerError
from tui_importer.events import BatchCommitted, Reject

T = TypeVar("T")
P = ParamSpec("P")

#: A computation that yields what a session gave back and is sent the result.
Steps = Generator[Any, Any, T]


class Journal(Protocol):
    """Whoever keeps account of a run: told what a batch came to once it is in, and of workers that fail."""

    def committed(self, event: BatchCommitted, rejects: list[Reject]) -> None: ...

    def worker_failed(self, failure: WorkerError) -> None: ...


@dataclass(slots=True)
class Tally:
    """What has become of a batch so far: ``rows`` of those to be written are settled, ``accepted`` of them are in."""

    rows: int = 0
    accepted: int = 0
    rejects: list[Reject] = field(default_factory=list)


class BatchWriter:
    """One worker's hand on one session. All counters of ``counters`` are written here and nowhere else."""

    def __init__(
        self, session: Session | AsyncSession, mapping: Mapping, counters: WorkerCounters, journal: Journal, stop: Stop
    ) -> None:
        self.worker = counters.worker
        self._session = session
        self._mapping = mapping
        self._counters = counters
        self._journal = journal
        self._stop = stop

    def batch(self, batch: Batch) -> Steps[None]:
        """Write the batch as one transaction."""
        return self._accounted(batch, self._whole)

    def each(self, batch: Batch) -> Steps[None]:
        """Write the batch row by row, one INSERT and one commit a row, until the run is being stopped."""
        return self._accounted(batch, self._row_by_row)

    def _accounted(self, batch: Batch, write: Callable[[Batch, Tally], Steps[None]]) -> Steps[None]:
        counters, tally = self._counters, Tally()
        counters.in_hand_first_row, counters.in_hand_last_row = batch.first_row, batch.last_row
        counters.state = WorkerState.WRITING
        started = time.perf_counter()
        try:
            yield from write(batch, tally)
        except BaseException as error:
            counters.state = WorkerState.FAILED
            if tally.rows:  # what is committed is in, whatever happened to the rest
                self._settle(batch, tally, time.perf_counter() - started)
            if not isinstance(error, Exception) or isinstance(error, StoppedError):
                raise
            failure = WorkerError(self.worker, batch.sheet, batch.first_row, batch.last_row, error)
            self._journal.worker_failed(failure)
            raise failure from error
        if tally.rows or not len(batch):
            self._settle(batch, tally, time.perf_counter() - started)
        counters.state = WorkerState.IDLE

    def _settle(self, batch: Batch, tally: Tally, seconds: float) -> None:
        """Count what is committed, and tell the journal."""
        complete = tally.rows == len(batch)
        last_row = batch.last_row if complete else batch.rows[tally.rows - 1]
        known = [reject for reject in batch.rejects if reject.row <= last_row]
        rejects = sorted([*known, *tally.rejects], key=lambda reject: reject.row)
        # Rows that the database swallowed without an error (a trigger that returns NULL, a rule).
        skipped = tally.rows - tally.accepted - len(tally.rejects)
        counters = self._counters
        counters.inserted += tally.accepted
        counters.skipped += skipped
        counters.rejected += len(rejects)
        counters.batches += 1
        counters.busy_seconds += seconds
        counters.last_batch_seconds = seconds
        counters.in_hand_first_row = counters.in_hand_last_row = None
        self._journal.committed(
            BatchCommitted(
                worker=self.worker,
                first_row=batch.first_row,
                last_row=last_row,
                inserted=tally.accepted,
                skipped=skipped,
                rejected=len(rejects),
                seconds=seconds,
            ),
            rejects,
        )

    def _whole(self, batch: Batch, tally: Tally) -> Steps[None]:
        if not len(batch):
            return
        session = self._session
        accepted, rejects = 0, list[Reject]()
        try:
            # The savepoints of isolation cost round trips, so a batch is first tried without.
            yield from self._step(session.begin)
            accepted = yield from self._step(session.load, batch, 0, len(batch))
            self._counters.state = WorkerState.COMMITTING
            yield from self._step(session.commit)
        except DataFault as fault:
            self._counters.state = WorkerState.ISOLATING
            yield from self._step(session.rollback)
            yield from self._step(session.begin)
            accepted, rejects = yield from self._isolate(batch, fault)
            self._counters.state = WorkerState.COMMITTING
            yield from self._step(session.commit)
        tally.rows, tally.accepted, tally.rejects = len(batch), accepted, rejects

    def _row_by_row(self, batch: Batch, tally: Tally) -> Steps[None]:
        session = self._session
        for row in range(len(batch)):
            if self._stop.draining:
                return
            try:
                yield from self._step(session.begin)
                accepted = yield from self._step(session.insert, batch, row)
                yield from self._step(session.commit)
            except DataFault as fault:
                yield from self._step(session.rollback)
                tally.rejects.append(self._reject(batch, row, fault))
            else:
                tally.accepted += accepted
            tally.rows += 1

    def _isolate(self, batch: Batch, fault: DataFault) -> Steps[tuple[int, list[Reject]]]:
        """Load what can be loaded around the rows that cannot, inside the open transaction.

        Where the database names the refused row, what is before it, the row itself and what is after it are tried
        apart; otherwise halves are. A row is only rejected when it was refused alone.
        """
        session = self._session
        accepted, rejects = 0, list[Reject]()
        # Whoever names a row says two things: the rows before it are good, and it is not. Where either proves wrong,
        # names are not believed again, or a batch could cost a statement a row.
        trusted = True
        todo = _parts(0, len(batch), fault.offset)
        while todo:
            part = todo.pop()
            start, stop = part.start, part.stop
            yield from self._step(session.savepoint)
            try:
                accepted += yield from self._step(session.load, batch, start, stop)
            except DataFault as refusal:
                yield from self._step(session.rollback_to_savepoint)
                trusted = trusted and part.said is not Said.GOOD
                if stop - start == 1:
                    rejects.append(self._reject(batch, start, refusal))
                else:
                    todo += _parts(start, stop, refusal.offset if trusted else None)
            else:
                yield from self._step(session.release)
                trusted = trusted and part.said is not Said.BAD
        return accepted, rejects

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
