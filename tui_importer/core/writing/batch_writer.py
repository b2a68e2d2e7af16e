"""The batch writer: writes batches for one worker, and survives transient errors.

Each part of it is in a module of its own: a batch's transaction (:mod:`tui_importer.core.writing.batch_transaction`),
the isolation of bad rows in it (:mod:`tui_importer.core.writing.isolation`), the decision whether and when to try again
(:mod:`tui_importer.core.writing.retry`), and the session (:mod:`tui_importer.core.writing.worker_session`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec.structs import replace

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.batch_outcome import BatchOutcome
from tui_importer.core.model.counters import WorkerState
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.writing.batch_transaction import BatchProgress, BatchTransactions, FindEntry
from tui_importer.core.writing.defaults import blanks_filled, default_places
from tui_importer.core.writing.isolation import BadRowIsolation
from tui_importer.core.writing.observer import WriteObserver
from tui_importer.core.writing.operation import Operation
from tui_importer.core.writing.retry import TRANSIENT_ERRORS, Attempts
from tui_importer.core.writing.worker_session import SessionFactory, WorkerSession
from tui_importer.core.writing.writer_spec import WriterSpec
from tui_importer.errors import StoppedError, WorkerError
from tui_importer.events import Retrying

#: Writes the rows of a batch that are not committed yet.
Write = Callable[[Batch, BatchProgress], Operation[None]]


class BatchWriter:
    """Writes batches for one worker, on one session at a time.

    A transient error is followed by a new session and another attempt, for up to ``spec.retry_for`` seconds after the
    first. ``outcome`` is that of the latest batch, also if writing it failed; None if there is none.
    """

    def __init__(
        self,
        spec: WriterSpec,
        worker: int,
        sessions: SessionFactory,
        control: RunControl,
        observer: WriteObserver,
        find_entry: FindEntry | None = None,
    ) -> None:
        """``find_entry`` is needed if a batch may have been given to another writer before."""
        self.worker = worker
        self.outcome: BatchOutcome | None = None
        self._spec = spec
        self._sessions = sessions
        self._control = control
        self._observer = observer
        columns = spec.destination.columns
        self._defaults = default_places(spec.mapping.table, columns), columns
        self._session = WorkerSession(sessions, control)
        isolation = BadRowIsolation(self._session, spec.mapping)
        self._transactions = BatchTransactions(
            self._session, isolation, sessions, control, observer, find_entry, spec.mapping.mended
        )

    def connect(self) -> Operation[None]:
        """Open the first session. If that fails with a transient error, the first batch tries again."""
        try:
            yield from self._session.open()
        except TRANSIENT_ERRORS as fault:
            if self._control.stopping:
                raise StoppedError(self._control.reason) from fault
            if not self._spec.retry_for:
                raise

    def close(self) -> Operation[None]:
        """Close the session, if one is open."""
        return self._session.close()

    def cancel(self) -> None:
        """Make the statement in progress fail soon. Other threads may call it."""
        self._session.cancel()

    def write(self, batch: Batch) -> Operation[BatchOutcome]:
        """Write the batch as one transaction."""
        self.outcome = None
        return self._write(batch, self._transactions.write_batch)

    def write_each(self, batch: Batch) -> Operation[BatchOutcome]:
        """Write the batch row by row, with one INSERT and one commit per row, until the run begins to stop."""
        self.outcome = None
        return self._write(batch, self._transactions.write_rows)

    def _write(self, batch: Batch, write: Write) -> Operation[BatchOutcome]:
        progress = BatchProgress()
        self._observer.took(batch)
        sent, recorded = self._session.send_seconds, self._transactions.ledger_seconds
        started = time.perf_counter()

        def outcome() -> BatchOutcome:
            seconds = time.perf_counter() - started
            send = max(0.0, self._session.send_seconds - sent)  # a new session begins at 0
            ledger = self._transactions.ledger_seconds - recorded
            return replace(self._outcome(batch, progress, seconds), send_seconds=send, ledger_seconds=ledger)

        try:
            yield from self._with_retries(batch, write, progress)
        except BaseException as error:
            self._observer.entered(WorkerState.FAILED)
            self.outcome = outcome()
            if not isinstance(error, Exception) or isinstance(error, StoppedError):
                raise
            raise WorkerError(self.worker, batch.sheet, batch.first_row, batch.last_row, error) from error
        self.outcome = outcome()
        self._observer.entered(WorkerState.IDLE)
        return self.outcome

    def _with_retries(self, batch: Batch, write: Write, progress: BatchProgress) -> Operation[None]:
        """Write the rows of the batch that are not committed yet, on as many sessions as it takes."""
        attempts, last_chance = Attempts(self._spec.retry_for), True
        while True:
            try:
                if not self._session.is_open:
                    yield from self._session.open()
                yield from self._transactions.resolve_lost_commit(progress)
                self._observer.entered(WorkerState.WRITING)
                yield from write(batch, progress)
            except TRANSIENT_ERRORS as fault:
                yield from self._session.discard()
                pause = attempts.after(fault)
                progress.retries += 1
                self._observer.entered(WorkerState.RETRYING)
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
                    if not self._transactions.commit_unacknowledged or not last_chance:
                        raise StoppedError(self._control.reason) from fault
                    last_chance = False
            else:
                return

    def _outcome(self, batch: Batch, progress: BatchProgress, seconds: float) -> BatchOutcome:
        rejects = tuple(sorted(progress.rejects, key=lambda reject: reject.row))
        return BatchOutcome(
            worker=self.worker,
            first_row=batch.first_row,
            last_row=progress.last_row,
            inserted=progress.loaded.inserted,
            updated=progress.loaded.updated,
            skipped=progress.loaded.skipped,
            rejects=rejects,
            seconds=seconds,
            retries=progress.retries,
            skipped_rows=tuple(progress.skipped_rows),
            defaults=blanks_filled(batch, progress.rows, {reject.row for reject in rejects}, *self._defaults),
        )
