"""Writers elsewhere: a writer that is opened from its spec, by another process or on another machine.

Fences and ledger are in the database, so it does not matter to exactly-once where a writer runs. A process that is gone
may leave a batch committed, half committed or not committed: the same batch is given to another writer of the same
spec, which writes what the ledger lacks, and whose outcome is that of the whole batch.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Protocol, runtime_checkable

from tui_importer.core.model.batch import Batch
from tui_importer.core.model.batch_outcome import BatchOutcome
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.scheduling.stalls import Finding, on_behalf_of, watching
from tui_importer.core.scheduling.strategy import Job
from tui_importer.core.writing.backend import Backend, ConnectionSettings, Session
from tui_importer.core.writing.batch_writer import BatchWriter
from tui_importer.core.writing.ledger import Entry
from tui_importer.core.writing.observer import NoObserver
from tui_importer.core.writing.operation import run
from tui_importer.core.writing.retry import retried
from tui_importer.core.writing.writer_spec import WriterSpec
from tui_importer.errors import DatabaseError, TransientFault

_log = logging.getLogger(__name__)

#: Opens the backend of this name.
OpenBackend = Callable[[str, ConnectionSettings], Backend]

#: Bytes of the random part by which the connections of a process can be told from those of others of the same run.
_NAME_BYTES = 4


class RemoteWorker(Protocol):
    """A worker of a run whose writer is elsewhere."""

    @property
    def worker(self) -> int:
        """Its number, with which its writer is to be opened."""

    @property
    def spec(self) -> WriterSpec:
        """What its writer is made from."""

    def add(self, outcome: BatchOutcome) -> None:
        """Account for a batch that its writer has written, once for each batch; rejects and events follow from it."""


@runtime_checkable
class RemoteJob(Job, Protocol):
    """A job whose batches can also be written elsewhere. Each job that a run gives to a strategy is one.

    The strategy opens the worker's writer in another process, sends it batches, and adds the outcomes that come back.
    If the process is gone without an answer, it sends the same batch, with the same rows, to another one.
    """

    def remote_worker(self) -> AbstractContextManager[RemoteWorker]:
        """A worker whose writer the strategy opens elsewhere, within the context."""


class RemoteWriter:
    """Writes batches for one worker, through a connection of its own. Used by one thread at a time."""

    def __init__(self, writer: BatchWriter, control: RunControl) -> None:
        self._writer = writer
        self._control = control

    @property
    def worker(self) -> int:
        """The worker's number, from 1."""
        return self._writer.worker

    @property
    def outcome(self) -> BatchOutcome | None:
        """The outcome of the latest batch, also if writing it failed; None if there is none."""
        return self._writer.outcome

    def write(self, batch: Batch) -> BatchOutcome:
        """Write a batch as one transaction.

        Raises :class:`~tui_importer.errors.WorkerError` if that fails; its cause is a
        :class:`~tui_importer.errors.SupersededError` if the claim has ended.
        """
        return run(self._writer.write(batch))

    def write_each(self, batch: Batch) -> BatchOutcome:
        """Write a batch row by row, with one INSERT and one commit per row; raises as :meth:`write` does."""
        return run(self._writer.write_each(batch))

    def stop(self, reason: str) -> None:
        """Finish the batch in hand, or the row if it is written row by row. Other threads may call it."""
        self._control.stop(reason)

    def abort(self, reason: str) -> None:
        """Cancel the statement in flight, whose transaction is rolled back. Other threads may call it."""
        self._control.abort(reason)


@contextmanager
def open_remote_writer(
    spec: WriterSpec,
    open_backend: OpenBackend,
    *,
    worker: int = 1,
    database: str | None = None,
) -> Iterator[RemoteWriter]:
    """Connect and open the writer of a spec; it is closed at the end of the context.

    ``database`` replaces the address in the spec, and may contain the password. An address of another database does no
    harm: the claim is not in its ledger. Raises :class:`~tui_importer.errors.DatabaseError` if there is no connection.
    """
    control = RunControl()
    backend = _open_backend(spec, open_backend, database)
    try:
        with on_behalf_of(worker), watching(backend, control, spec.settings.stall_timeout, _log_stall):
            retried(
                backend.connect, spec.retry_for, lambda pause: not control.wait(pause), _log_retry, (TransientFault,)
            )
            sessions = _Sessions(spec, backend, control)
            find_entry = sessions.find_entry if spec.destination.claim is not None else None
            writer = BatchWriter(spec, worker, sessions, control, NoObserver(), find_entry)
            try:
                with control.cancelling(writer.cancel):
                    run(writer.connect())
                    yield RemoteWriter(writer, control)
            finally:
                run(writer.close())
    finally:
        control.close()
        backend.close()


def _open_backend(spec: WriterSpec, open_backend: OpenBackend, database: str | None) -> Backend:
    settings = spec.settings
    backend = open_backend(
        spec.backend,
        replace(
            settings,
            url=settings.url if database is None else database,
            # A lost connection is ended at the server by its name, which must not be that of another process.
            application_name=f"{settings.application_name}/{secrets.token_hex(_NAME_BYTES)}",
        ),
    )
    if not spec.dry_run:
        return backend
    from tui_importer.core.writing.dry_run import DryBackend  # imports asyncio, which few runs need

    return DryBackend(backend)


class _Sessions:
    """Sessions and waits for a writer in a thread of a process that has no other part of the run."""

    def __init__(self, spec: WriterSpec, backend: Backend, control: RunControl) -> None:
        self._spec = spec
        self._backend = backend
        self._control = control

    def open(self) -> Session:
        return self._backend.open_session(self._spec.destination)

    def rest(self, seconds: float) -> bool:
        return not self._control.wait(seconds)

    def pause(self) -> None:
        self._control.wait_while_paused()

    def find_entry(self, first_row: int) -> Entry | None:
        """The entry of the import that begins at this row."""
        claim = self._spec.destination.claim
        assert claim is not None
        ledger = self._backend.ledger(claim.schema)
        try:
            return ledger.entry(claim, first_row)
        finally:
            ledger.close()


def _log_stall(worker: int, finding: Finding | None, seconds: float) -> None:
    if finding is not None:
        _log.info("worker %d: a statement has made no progress for %.0f s: %s", worker, seconds, finding.detail)


def _log_retry(attempt: int, seconds: float, fault: DatabaseError) -> None:
    _log.info("attempt %d to connect failed, the next follows in %.1f s: %s", attempt, seconds, fault)
