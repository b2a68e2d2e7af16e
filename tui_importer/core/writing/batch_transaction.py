"""A batch's transaction: its rows, its ledger entry and its rejects are committed together or not at all.

If a COMMIT is not acknowledged, a new connection asks the ledger. It may ask too early, while the old transaction is
still being committed. The second attempt then finds the entry when it tries to insert it, and is rolled back.

A batch may be given to a second writer if the process of the first one is gone, and nobody knows how far it came. The
second writer finds the first one's entry in the same way, takes over what is completed, and writes the rest.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.completed_rows import Interval
from tui_importer.core.model.counters import WorkerState
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.writing.isolation import BadRowIsolation
from tui_importer.core.writing.ledger import Entry
from tui_importer.core.writing.loaded import NOTHING_LOADED, Loaded
from tui_importer.core.writing.observer import WriteObserver
from tui_importer.core.writing.operation import Operation
from tui_importer.core.writing.worker_session import SessionFactory, WorkerSession
from tui_importer.errors import DataFault, ImporterError, SupersededError
from tui_importer.events import Reject

#: :meth:`tui_importer.core.writing.ledger.Ledger.entry`, for the claim of a writer.
FindEntry = Callable[[int], Entry | None]

#: The number of rows suppressed by the database that are named for each batch.
SKIPPED_ROWS = 3


class BatchProgress(msgspec.Struct):
    """What has been committed of a batch so far.

    ``rows`` of its converted rows are completed: the database took the ``loaded`` ones and refused the others. The
    batch's interval is completed up to sheet row ``last_row``. ``retries`` is the number of further attempts after
    transient errors.
    """

    rows: int = 0
    loaded: Loaded = NOTHING_LOADED
    last_row: int | None = None
    rejects: list[Reject] = msgspec.field(default_factory=list)
    skipped_rows: list[int] = msgspec.field(default_factory=list)
    retries: int = 0


class CommittedPart(msgspec.Struct, frozen=True):
    """What one transaction completes: its ledger entry, and what that adds to the batch's progress.

    ``row`` is the sheet row that it writes, if it writes exactly one.
    """

    entry: Entry
    rows: int
    row: int | None = None

    def add_to(self, progress: BatchProgress) -> None:
        """Add this committed transaction to the progress."""
        progress.rows += self.rows
        progress.loaded += Loaded(self.entry.inserted, self.entry.updated, self.entry.skipped)
        progress.last_row = self.entry.last_row
        progress.rejects += self.entry.rejects
        if self.row is not None and self.entry.skipped and len(progress.skipped_rows) < SKIPPED_ROWS:
            progress.skipped_rows.append(self.row)


class BatchTransactions:
    """Writes batches through a session, in one transaction each or in one per row, each with its ledger entry.

    With ``find_entry``, a batch may have been given to another writer before. Each batch then has an entry of its own,
    so that it can be found by the batch's first row; without, a batch that follows the latest one extends its entry.
    """

    def __init__(
        self,
        session: WorkerSession,
        isolation: BadRowIsolation,
        sessions: SessionFactory,
        control: RunControl,
        observer: WriteObserver,
        find_entry: FindEntry | None = None,
        mended: Mapping[int, int] | None = None,
    ) -> None:
        """``mended`` is the row of the first sheet that each row mends, if the sheet is one of mended rejects."""
        self._session = session
        self._isolation = isolation
        self._sessions = sessions
        self._control = control
        self._observer = observer
        self._find_entry = find_entry
        self._mended = mended or {}
        #: Seconds spent on entries of the ledger so far.
        self.ledger_seconds = 0.0
        # The worker's latest ledger entry, which the next one may extend.
        self._latest: Interval | None = None
        # The transaction whose COMMIT was sent but not acknowledged.
        self._commit_unacknowledged: CommittedPart | None = None
        # The transaction that was not in the ledger when asked for, but may still be committed.
        self._commit_maybe_late: CommittedPart | None = None

    @property
    def commit_unacknowledged(self) -> bool:
        """Whether it is not known if the latest transaction was committed."""
        return self._commit_unacknowledged is not None

    def resolve_lost_commit(self, progress: BatchProgress) -> Operation[None]:
        """Ask the ledger whether a transaction whose COMMIT was not acknowledged is committed."""
        part = self._commit_unacknowledged
        if part is None:
            return
        recorded = yield from self._is_recorded(part.entry)
        self._commit_unacknowledged = None
        if recorded:
            self._completed(part, progress)
        else:
            self._commit_maybe_late = part

    def write_batch(self, batch: Batch, progress: BatchProgress) -> Operation[None]:
        """Write the batch in one transaction, unless the progress says that it is committed.

        If another writer had begun to write it row by row, the other rows are written row by row, too.
        """
        if progress.last_row is None:
            yield from self._write_whole(batch, progress)
        if progress.rows < len(batch):
            yield from self.write_rows(batch, progress)

    def _write_whole(self, batch: Batch, progress: BatchProgress) -> Operation[None]:
        session, call = self._session.current, self._session.call
        loaded, rejects = NOTHING_LOADED, list[Reject]()
        try:
            # The savepoints of isolation cost round trips, so a batch is first tried without them.
            yield from call(session.begin)
            if self._isolation.many_bad and len(batch):
                self._observer.entered(WorkerState.ISOLATING)
                loaded, rejects = yield from self._isolation.isolate(batch, None)
            elif len(batch):
                loaded = yield from call(session.load, batch, 0, len(batch))
            yield from self._commit(batch, self._whole_part(batch, loaded, rejects), progress)
        except DataFault as fault:
            self._commit_unacknowledged = None
            self._observer.entered(WorkerState.ISOLATING)
            yield from call(session.rollback)
            yield from call(session.begin)
            loaded, rejects = yield from self._isolation.isolate(batch, fault)
            yield from self._commit(batch, self._whole_part(batch, loaded, rejects), progress)

    def write_rows(self, batch: Batch, progress: BatchProgress) -> Operation[None]:
        """Write the rows that the progress lacks in one transaction each, until the run begins to stop."""
        session, call = self._session.current, self._session.call
        while progress.rows < len(batch):
            if self._control.paused:
                self._observer.entered(WorkerState.PAUSED)
                yield self._sessions.pause()
                self._observer.entered(WorkerState.WRITING)
            if self._control.stopping:
                return
            row = progress.rows
            # The transaction of the last row includes the rows after it that failed conversion.
            last_row = batch.rows[row] if row < len(batch) - 1 else batch.last_row
            known = [reject for reject in batch.rejects if (progress.last_row or 0) < reject.row <= last_row]
            try:
                yield from call(session.begin)
                loaded = yield from call(session.insert, batch, row)
                written = batch.rows[row : row + 1]
                entry = self._entry(batch, progress.last_row, last_row, loaded, known, written)
                yield from self._commit(batch, CommittedPart(entry, 1, row=batch.rows[row]), progress)
            except DataFault as fault:
                self._commit_unacknowledged = None
                yield from call(session.rollback)
                yield from call(session.begin)
                refused = self._isolation.reject(batch, row, fault)
                entry = self._entry(batch, progress.last_row, last_row, NOTHING_LOADED, [*known, refused])
                yield from self._commit(batch, CommittedPart(entry, 1), progress)
        if progress.last_row is None:  # all rows failed conversion
            yield from call(session.begin)
            entry = self._entry(batch, None, batch.last_row, NOTHING_LOADED, batch.rejects)
            yield from self._commit(batch, CommittedPart(entry, 0), progress)

    def _whole_part(self, batch: Batch, loaded: Loaded, refused: list[Reject]) -> CommittedPart:
        bad = {reject.row for reject in refused}
        written = [row for row in batch.rows if row not in bad] if self._mended else ()
        entry = self._entry(batch, None, batch.last_row, loaded, [*batch.rejects, *refused], written)
        return CommittedPart(entry, len(batch))

    def _entry(
        self,
        batch: Batch,
        completed: int | None,
        last_row: int,
        loaded: Loaded,
        rejects: Sequence[Reject],
        written: Sequence[int] = (),
    ) -> Entry:
        """The ledger entry for the batch's rows after ``completed`` (None: from the first) up to ``last_row``, of which
        the ``written`` ones close the rejects that they mend."""
        first_row, previous = batch.first_row, self._latest
        follows = previous is not None and self._find_entry is None and previous.last + 1 == first_row
        if previous is not None and (completed is not None or follows):
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
            closes=[self._mended[row] for row in written] if self._mended else (),
        )

    def _commit(self, batch: Batch, part: CommittedPart, progress: BatchProgress) -> Operation[None]:
        """Write the ledger entry and commit it with the rows."""
        session, call = self._session.current, self._session.call
        started = time.perf_counter()
        written = yield from call(session.record, part.entry)
        self.ledger_seconds += time.perf_counter() - started
        if not written:
            yield from call(session.rollback)
            yield from self._find_committed(batch, part, progress)
            return
        self._observer.entered(WorkerState.COMMITTING)
        self._commit_unacknowledged = part
        yield from call(session.commit)
        self._completed(part, progress)

    def _find_committed(self, batch: Batch, part: CommittedPart, progress: BatchProgress) -> Operation[None]:
        """Find out why the ledger does not take an entry: its rows are committed already, or the claim has ended."""
        recorded = yield from self._is_recorded(part.entry)
        late = self._commit_maybe_late
        if recorded and late is not None and late.entry.last_row == part.entry.last_row:
            # An earlier attempt was still being committed when the ledger was asked about it.
            self._completed(part, progress)
            return
        found = self._find_entry(batch.first_row) if self._find_entry is not None else None
        if found is not None and (progress.last_row or 0) < found.last_row <= batch.last_row:
            self._take_over(batch, found, progress)
        elif recorded:
            raise ImporterError(
                f"rows up to {part.entry.last_row:,} were handed out to be written a second time: they are in once"
            )
        else:
            raise SupersededError("another run has taken this import over: this one may write no more")

    def _take_over(self, batch: Batch, found: Entry, progress: BatchProgress) -> None:
        """Add to the progress what another writer has committed of the batch; ``found`` is the batch's entry."""
        before = progress.loaded
        part = CommittedPart(
            replace(
                found,
                inserted=found.inserted - before.inserted,
                updated=found.updated - before.updated,
                skipped=found.skipped - before.skipped,
                rejects=found.rejects[len(progress.rejects) :],
            ),
            bisect_right(batch.rows, found.last_row) - progress.rows,
        )
        self._completed(part, progress)

    def _completed(self, part: CommittedPart, progress: BatchProgress) -> None:
        self._commit_unacknowledged = self._commit_maybe_late = None
        self._latest = Interval(part.entry.first_row, part.entry.last_row)
        part.add_to(progress)
        # Told of every transaction, so that a viewer sees rows that are committed one by one.
        self._observer.committed(part.entry)

    def _is_recorded(self, entry: Entry) -> Operation[bool]:
        session, call = self._session.current, self._session.call
        recorded = yield from call(session.recorded, entry)
        yield from call(session.rollback)
        return recorded
