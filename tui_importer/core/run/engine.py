"""The engine: one run of one plan, from the file to the report. It returns data and emits events; it never prints."""

from __future__ import annotations

import datetime as dt
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from tui_importer.core.conversion.mapping import ColumnMapping
from tui_importer.core.model.completed_rows import CompletedRows
from tui_importer.core.model.counters import Phase, ReaderCounters, Snapshot, take_snapshot
from tui_importer.core.model.names import table_name
from tui_importer.core.model.plan import WORKERS, Plan
from tui_importer.core.model.report import (
    MAX_REPORTED_REJECTS,
    Outcome,
    ReasonGroup,
    Report,
    Stats,
    TargetReport,
    Verification,
    reconcile,
    reported,
)
from tui_importer.core.model.table import Table
from tui_importer.core.model.times import rfc3339
from tui_importer.core.model.url import DatabaseAddress
from tui_importer.core.planning.resolution import ResolvedPlan, choose_target, resolve
from tui_importer.core.run.dispatcher import EventDispatcher
from tui_importer.core.run.import_history import ImportHistory, RunInfo
from tui_importer.core.run.job import ImportJob, RejectSink
from tui_importer.core.run.reporting import reported_columns, reported_source
from tui_importer.core.scheduling.batch_queue import BatchQueue, RateLimiter
from tui_importer.core.scheduling.failures import INTERRUPTS, several, unexpected
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.scheduling.stalls import Activity, Finding, watching
from tui_importer.core.scheduling.strategy import Strategy
from tui_importer.core.scheduling.worker_count import MAX_WORKERS
from tui_importer.core.source.open_source import OpenSource
from tui_importer.core.source.opening import Opening
from tui_importer.core.source.reader import Reader
from tui_importer.core.writing.access import Access, check_access
from tui_importer.core.writing.backend import Backend, ConnectionSettings, Destination, application_name
from tui_importer.core.writing.defaults import default_places, sentences
from tui_importer.core.writing.encoding import encoded
from tui_importer.core.writing.ledger import Counts, Ledger, PastRun, ResumePoint, RunState
from tui_importer.core.writing.retry import TRANSIENT_ERRORS, retried
from tui_importer.core.writing.sequences import advance
from tui_importer.errors import (
    DatabaseError,
    ExitCode,
    ImporterError,
    ReconciliationError,
    StoppedError,
    TransientFault,
    UsageError,
)
from tui_importer.events import (
    AlreadyImported,
    IndexesCreated,
    Listener,
    LoadingStarted,
    Noticed,
    Paused,
    ReadingStarted,
    Reject,
    Resumed,
    Retrying,
    RowRejected,
    RunFinished,
    RunStarted,
    StatementDelayed,
    Stopping,
    TableCreated,
    Unpaused,
    Verified,
    WorkersChanged,
)

T = TypeVar("T")

_log = logging.getLogger(__name__)

#: The default batch size in rows. Smaller batches need less memory and lose less in an interruption; larger ones save
#: transactions. With many rows, 5,000 take 3 % less time than 2,000, and 10,000 no less than 5,000.
MIN_BATCH_SIZE, MAX_BATCH_SIZE = 2_000, 5_000
#: If the number of rows is known, batches grow beyond the minimum only if each worker still gets this many.
_BATCHES_EACH = 10
#: How long a run that failed or was stopped tries to record its end in the ledger, in seconds.
_FINISH_TIMEOUT, _ABORTED_FINISH_TIMEOUT = 0.5, 0.2
#: A batch has at most the rows that ``--max-rate`` allows in this many seconds, so that the rate is held closely.
_RATE_SECONDS = 1.0


class Rejects(RejectSink, Protocol):
    """Stores the rejects of a run until they are reported."""

    def first(self, number: int) -> list[Reject]:
        """The first ``number`` rejects in sheet order."""

    def by_reason(self) -> Sequence[ReasonGroup]:
        """All rejects, grouped (:mod:`tui_importer.core.model.reject_groups`)."""


@dataclass(frozen=True, slots=True)
class Components:
    """The plugins of a run, each with its name (for events and the report).

    ``open_backend`` is called while the file is being read, so that the driver is imported in parallel with parsing.
    """

    reader_name: str
    reader: Reader
    strategy_name: str
    strategy: Strategy
    backend_name: str
    open_backend: Callable[[ConnectionSettings], Backend]
    address: DatabaseAddress


class Engine:
    """One run. :meth:`execute` is called once; other threads may call the other methods meanwhile."""

    def __init__(
        self,
        plan: Plan,
        components: Components,
        rejects: Rejects,
        listener: Listener,
        opening: Opening | None = None,
        command: str | None = None,
    ) -> None:
        """``command`` is the command line that repeats the run, for the ledger."""
        now = dt.datetime.now(dt.UTC)
        self.run_id = f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03x}{os.urandom(2).hex()}"
        self._plan = plan
        self._components = components
        self._rejects = rejects
        self._opening = opening
        self._command = command
        self._import_history: ImportHistory | None = None
        self._resume_point: ResumePoint | None = None
        self._done: PastRun | None = None
        self._suppressed_late = 0  # rows counted as inserted that were suppressed when a stage was published
        self._retries = 0  # of the engine's own operations; workers count theirs
        self._control = RunControl()
        self._dispatcher = EventDispatcher(listener, lambda why: self._control.stop(why, ExitCode.FAILED))
        self._emit = self._dispatcher.emit
        self._queue = BatchQueue(self._control)
        self._reader = ReaderCounters()
        self._job: ImportJob | None = None
        self._phase: Phase | None = None
        self._notes: list[str] = []
        self._source: OpenSource | None = None
        self._resolved_plan: ResolvedPlan | None = None
        self._reflected: dict[str, Table | None] = {}
        self._ledger: Ledger | None = None
        self._histories: dict[str, Sequence[PastRun]] = {}
        self._created = False
        self._verified: Verification | None = None
        self._complete = False  # recorded as complete in the ledger: too late to stop
        self._workers = 0
        self._max_writers: int | None = None
        self._writer_note = ""
        self._batch_size = plan.options.batch_size or MIN_BATCH_SIZE
        self._sha256: str | None = None
        self._error: ImporterError | None = None
        self._started_at = dt.datetime.now(dt.UTC)
        self._started = time.perf_counter()

    @property
    def headers(self) -> tuple[str, ...]:
        """The sheet's headers; empty until they are known."""
        return self._resolved_plan.mapping.headers if self._resolved_plan else ()

    @property
    def resolved_plan(self) -> Plan | None:
        """The plan with all defaults resolved; None until it is known."""
        return self._resolved_plan.plan if self._resolved_plan else None

    def snapshot(self) -> Snapshot:
        """The current values of all counters."""
        taken = take_snapshot(
            time.monotonic(),
            self._reader,
            self._job.counters if self._job else (),
            queue_depth=self._queue.depth,
            queue_size=self._queue.capacity,
            phase=self._phase,
            paused=self._control.paused,
            workers_wanted=self._job.worker_count.wanted if self._job else self._workers,
        )
        if late := self._suppressed_late:
            return replace(taken, inserted=taken.inserted - late, skipped=taken.skipped + late)
        return taken

    def stop(self, reason: str, exit_code: ExitCode = ExitCode.STOPPED) -> None:
        """Take no further batches, finish those in flight, and report."""
        if self._control.stop(reason, exit_code):
            self._emit(Stopping(reason=reason, aborting=False))

    def abort(self, reason: str, exit_code: ExitCode = ExitCode.STOPPED) -> None:
        """Stop, and cancel the statements in flight at the database: their batches are rolled back."""
        if self._control.abort(reason, exit_code):
            self._emit(Stopping(reason=reason, aborting=True))

    def pause(self, *, paused: bool) -> None:
        """Pause or resume taking batches; no effect if that is already the state."""
        with self._dispatcher.held:  # the last event emitted must match the state
            if self._control.pause(paused=paused):
                self._emit(Paused() if paused else Unpaused())

    def change_workers(self, workers: int) -> None:
        """Set the number of workers. Raises :class:`UsageError` with the reason if that is not possible."""
        job, strategy = self._job, self._components.strategy
        # Only once the first worker has started is it known whether the strategy asks for more.
        if job is None or not job.counters or job.ended or self._control.stopping:
            raise UsageError("the workers can be changed while rows are being written")
        if not job.worker_count.flexible:
            raise UsageError(f"strategy {self._components.strategy_name!r} keeps the workers that it began with")
        limits = (strategy.max_workers, self._max_writers, MAX_WORKERS)
        most = min(limit for limit in limits if limit is not None)
        if not 1 <= workers <= most:
            if self._max_writers == most:
                raise UsageError(self._writer_note)
            takes = "works with one worker" if most == 1 else f"takes 1 to {most} workers"
            raise UsageError(f"strategy {self._components.strategy_name!r} {takes}")
        if workers != job.worker_count.wanted:
            job.worker_count.wanted = workers
            self._emit(WorkersChanged(workers=workers))

    def execute(self) -> Report:
        """Run the import. Always returns a report; no thread, task or connection is left."""
        plan, components = self._plan, self._components
        self._emit(
            RunStarted(
                run_id=self.run_id,
                file=plan.source.file,
                target=components.address.display,
                strategy=components.strategy_name,
                dry_run=plan.options.dry_run,
            )
        )
        with self._deadline(plan.options.timeout):
            try:
                self._import()
            except StoppedError:
                pass
            except ImporterError as error:
                # A statement that was cancelled because the run is being aborted is not a failure.
                if not (self._control.aborting and isinstance(error, DatabaseError)):
                    self._error = error
            except BaseExceptionGroup as group:
                self._error = several(group)
            except INTERRUPTS:
                raise
            except BaseException as error:  # noqa: BLE001  # a third-party strategy or backend, or a defect of ours
                self._error = unexpected(error)
            finally:
                self._control.close()
        self._error = self._error or self._dispatcher.failure
        report = self._report()
        self._phase = Phase.FINISHED
        stats = report.stats
        self._emit(
            RunFinished(
                outcome=report.outcome,
                exit_code=report.exit_code,
                read=stats.total_records,
                inserted=stats.inserted,
                updated=stats.updated,
                skipped=stats.skipped,
                rejected=stats.error_count,
                blank=stats.blank_rows,
                seconds=stats.duration_seconds,
                dry_run=report.dry_run,
            )
        )
        return report

    def _import(self) -> None:
        plan, components = self._plan, self._components
        path = Path(plan.source.file)
        self._reader.phase = Phase.OPENING
        self._emit(ReadingStarted(file=plan.source.file, reader=components.reader_name, bytes=_size(path)))
        opening = self._opening or Opening(components.reader, plan.source)
        try:
            # The driver is imported and the database queried while the file is being parsed.
            backend = self._open_backend()
            with watching(backend, self._control, plan.options.stall_timeout, self._on_stall):
                self._import_into(backend, opening, path)
        finally:
            if self._source is None:
                opening.abandon()

    def _import_into(self, backend: Backend, opening: Opening, path: Path) -> None:
        try:
            try:
                with self._control.cancelling(backend.cancel):
                    # Wait for a database that is busy, but not for one that cannot be reached.
                    self._retried(backend.connect, (TransientFault,))
                    self._retried(lambda: self._reflect_ahead(backend, path))
                    with self._wait_for_source(opening) as source:
                        self._sha256 = opening.sha256()
                        self._load(source, backend)
            except BaseException as error:
                self._close_import_history(error)
                raise
            self._close_import_history(None)
        finally:
            if self._ledger is not None:
                self._ledger.close()
            backend.close()

    def _on_stall(self, worker: int, finding: Finding | None, seconds: float) -> None:
        """Report that a statement takes long, with the server's reason, or (None) that it made progress."""
        locked = finding is not None and finding.activity is Activity.LOCKED
        if worker and self._job is not None:
            self._job.counters[worker - 1].blocked = locked
        if finding is not None:
            self._emit(StatementDelayed(worker=worker, seconds=seconds, locked=locked, detail=finding.detail))

    def _wait_for_source(self, opening: Opening) -> OpenSource:
        try:
            return opening.result()
        except (ImporterError, *INTERRUPTS):
            raise
        except BaseException as error:
            raise ImporterError(f"reader {self._components.reader_name!r} failed: {unexpected(error)}") from error

    def _reflect_ahead(self, backend: Backend, path: Path) -> None:
        """Reflect the table that is most likely the target; if it is another, at least the connection is warm."""
        likely = self._plan.target.table or table_name(path.stem)
        self._reflected[likely] = backend.reflect(likely)
        if not self._plan.options.dry_run or self._reflected[likely] is not None:
            self._ledger = backend.ledger(self._plan.options.ledger_schema)
            self._histories[likely] = self._ledger.history(likely)

    def _open_backend(self) -> Backend:
        options = self._plan.options
        backend = self._components.open_backend(
            ConnectionSettings(
                url=self._components.address.text,
                application_name=application_name(self.run_id),
                connect_timeout=options.connect_timeout,
                stall_timeout=options.stall_timeout,
            )
        )
        if not options.dry_run:
            return backend
        from tui_importer.core.writing.dry_run import DryBackend  # imports asyncio, which few runs need

        return DryBackend(backend)

    def _load(self, source: OpenSource, backend: Backend) -> None:
        self._source = source
        self._emit(source.opened)
        for note in (*self._components.reader.limits(source.path), *source.notes):
            self._notice(note)
        self._reader.source_rows = source.row_hint
        resolved = self._resolve(source, backend)
        mapping = resolved.mapping
        self._workers = self._choose_worker_count(backend)
        self._batch_size = self._choose_batch_size(source.row_hint)
        if self._done is not None or self._control.stopping:
            return
        try:
            stage = self._load_rows(source, resolved, backend)
            if not self._control.stopping:
                # Before the import is recorded as complete.
                now = self.snapshot()
                reconcile(now.read, now.inserted, now.updated, now.skipped, now.rejected)
                self._finish(resolved, stage, backend)
        finally:
            self._note_table_effects(mapping.table)

    def _load_rows(self, source: OpenSource, resolved: ResolvedPlan, backend: Backend) -> Table | None:
        """Read and write all rows; returns the staging table of an atomic import."""
        mapping = resolved.mapping
        claimed: Future[CompletedRows] = Future()
        with ThreadPoolExecutor(1, thread_name_prefix="reading") as pool:
            reading = pool.submit(self._read, source, mapping, backend, claimed)
            try:
                self._check_access(resolved, backend)
                completed = self._claim(resolved)
                stage = self._prepare(resolved, backend)
                claimed.set_result(completed)
                self._write(mapping, stage or mapping.table, backend)
            finally:
                # Unblock the reader, whatever ended the writing.
                claimed.cancel()
                self._queue.abandon()
        reading.result()
        return stage

    def _note_table_effects(self, table: Table) -> None:
        """Add notes about rows that the table suppressed and blanks that took its defaults."""
        if self._job is None:
            return
        if count := self._suppressed():
            self._notice(self._job.suppressed.sentence(count, table.qualified_name))
        for sentence in sentences(self._job.defaults, table):
            self._notice(sentence)

    def _write(self, mapping: ColumnMapping, table: Table, backend: Backend) -> None:
        """Run the strategy, which writes all batches into the table."""
        plan, components = self._plan, self._components
        job = self._job = ImportJob(
            workers=self._workers,
            queue=self._queue,
            control=self._control,
            backend=backend,
            mapping=mapping,
            destination=_destination(mapping, table, self._resume_point),
            rejects=self._rejects,
            max_rejects=plan.options.max_rejects,
            retry_for=plan.options.retry_for,
            emit=self._emit,
        )
        self._emit(
            LoadingStarted(
                table=mapping.table.qualified_name,
                strategy=components.strategy_name,
                workers=self._workers,
                batch_size=self._batch_size,
                max_rate=plan.options.max_rate,
                headers=mapping.headers,
            )
        )
        self._control.on_change(self._queue.wake)
        try:
            self._run_strategy(job)
        finally:
            job.close()

    def _resolve(self, source: OpenSource, backend: Backend) -> ResolvedPlan:
        """Resolve the plan, and find out whether this import is already done."""
        plan = self._plan
        choice = choose_target(plan, source.layout, source)
        if choice.name not in self._reflected:
            self._reflected[choice.name] = self._retried(lambda: backend.reflect(choice.name))
        existing = self._reflected[choice.name]
        import_history, ledger = None, self._ledger
        if ledger is not None:
            if choice.name not in self._histories:
                self._histories[choice.name] = self._retried(lambda: ledger.history(choice.name))
            history = self._histories[choice.name]
            run = RunInfo(self.run_id, self._components.strategy_name, self._command)
            import_history = ImportHistory(ledger, history, run, plan, source, self._sha256 or "", choice.name)
            plan = import_history.plan(existing)
            if not plan.options.dry_run:  # a dry run reads the history but records nothing
                self._import_history = import_history
        resolved = self._resolved_plan = resolve(plan, source, choice, existing)
        for note in resolved.notes:
            self._notice(note)
        if import_history is not None:
            self._done = self._retried(lambda: import_history.done(resolved, existing))
            for note in import_history.notes:
                self._notice(note)
            if plan.options.dry_run and import_history.resumes is not None:
                begun = import_history.resumes.run_id
                self._notice(f"run {begun} has begun this import, and an import would go on where it ended")
        if plan.options.verify and (self._done is not None or plan.options.dry_run):
            self._notice("nothing is written, so nothing is verified")
        if self._done is not None:
            counts = self._done.counts
            self._reader.rows_read, self._reader.rejected = counts.rows, counts.rejected
            self._reader.skipped = counts.rows - counts.rejected
            self._reader.blank_rows = self._done.blank_rows
            self._reader.phase = Phase.READ
            self._emit(
                AlreadyImported(
                    run_id=self._done.run_id,
                    finished_at=self._done.finished_at or "",
                    inserted=counts.inserted,
                    updated=counts.updated,
                    skipped=counts.skipped,
                    rejected=counts.rejected,
                )
            )
        return resolved

    def _check_access(self, resolved: ResolvedPlan, backend: Backend) -> None:
        """Check that the database permits everything that this import will do, before any of it is done."""
        options, mapping = self._plan.options, resolved.mapping
        access = Access(
            table=mapping.table,
            columns=tuple(column.target for column in mapping.columns),
            creates_table=resolved.create,
            stages=options.atomic and not (self._import_history is not None and self._import_history.published),
            reads=options.verify,
        )
        self._retried(lambda: check_access(backend, access))

    def _claim(self, resolved: ResolvedPlan) -> CompletedRows:
        """Claim the import; returns the rows that earlier runs completed."""
        import_history = self._import_history
        if import_history is None:
            self._created = resolved.create
            return CompletedRows()
        resume_point = self._resume_point = self._retried(lambda: import_history.begin(resolved))
        self._created = import_history.made_table
        completed = CompletedRows(resume_point.intervals, resume_point.rejected_rows)
        if completed and import_history.resumes is not None:
            known = list(import_history.rejects())
            self._rejects.add_many(known)
            self._emit(
                Resumed(
                    run_id=import_history.resumes.run_id,
                    rows=resume_point.counts.rows,
                    rejected=resume_point.counts.rejected,
                    next_row=completed.first_gap(completed.intervals[0].first),
                    taken_over=resume_point.taken_over is not None,
                )
            )
            # The recording of this run covers the whole import, as its report does.
            for reject in known:
                self._emit(RowRejected(worker=0, reject=reject))
        return completed

    def _close_import_history(self, error: BaseException | None) -> None:
        """Record in the ledger how the run ended.

        Best effort if it failed: the ledger may be unreachable too, and the next run finds out by itself.
        """
        import_history = self._import_history
        if import_history is None or self._done is not None:
            return
        state = RunState.COMPLETE
        if error is not None or self._control.stopping:
            stopped = error is None or isinstance(error, StoppedError) or self._control.aborting
            state = RunState.STOPPED if stopped else RunState.FAILED
        reason = " ".join(str(error or self._control.reason or "").split()) or None
        counts, blank = self._counts_of_import(whole=state is RunState.COMPLETE), self._reader.blank_rows
        if state is RunState.COMPLETE:
            self._retried(lambda: import_history.finish(state, counts, blank, reason))
            self._complete = True
            return
        if self._plan.options.atomic and not import_history.published:
            self._notice("nothing of this import is to be seen before it is whole (--atomic)")
        try:
            limit = _ABORTED_FINISH_TIMEOUT if self._control.aborting else _FINISH_TIMEOUT
            retried(lambda: import_history.finish(state, counts, blank, reason), limit, _sleep, lambda *_: None)
        except DatabaseError as failure:
            self._notice(f"the ledger does not know how this run ended: {failure}")

    def _suppressed(self) -> int:
        """The number of rows of the import that the database suppressed without an error."""
        before = self._resume_point.counts.skipped if self._resume_point else 0
        workers = self._job.counters if self._job else ()
        return before + sum(worker.skipped for worker in workers) + self._suppressed_late

    def _counts_of_import(self, *, whole: bool) -> Counts:
        """The completed rows of the import, by earlier runs and this one. ``whole``: the import is complete."""
        before = self._resume_point.counts if self._resume_point else Counts()
        workers, late = self.snapshot().workers, self._suppressed_late
        inserted = before.inserted + sum(worker.inserted for worker in workers) - late
        updated = before.updated + sum(worker.updated for worker in workers)
        rejected = before.rejected + sum(worker.rejected for worker in workers)
        skipped = before.skipped + sum(worker.skipped for worker in workers) + late
        if whole:  # include the totals row, which has no ledger entry
            skipped = max(skipped, self._reader.rows_read - inserted - updated - rejected)
        return Counts(inserted, updated, skipped, rejected)

    def _retried(self, action: Callable[[], T], transient: tuple[type[DatabaseError], ...] = TRANSIENT_ERRORS) -> T:
        """The result of one of the engine's own database operations, retried after transient errors."""
        seconds = self._plan.options.retry_for
        try:
            return retried(action, seconds, lambda pause: not self._control.wait(pause), self._on_retry, transient)
        except transient as fault:
            if self._control.stopping:
                raise StoppedError(self._control.reason) from fault
            raise

    def _on_retry(self, attempt: int, seconds: float, fault: DatabaseError) -> None:
        self._retries += 1
        self._emit(
            Retrying(
                worker=0,
                first_row=0,
                last_row=0,
                attempt=attempt,
                seconds=seconds,
                error=str(fault),
                sqlstate=fault.sqlstate,
            )
        )

    def _run_strategy(self, job: ImportJob) -> None:
        try:
            self._components.strategy.run(job)
        except (ImporterError, BaseExceptionGroup, *INTERRUPTS):
            raise
        except BaseException as error:
            raise ImporterError(f"strategy {self._components.strategy_name!r} failed: {unexpected(error)}") from error

    def _read(
        self, source: OpenSource, mapping: ColumnMapping, backend: Backend, claimed: Future[CompletedRows]
    ) -> None:
        """The reading thread: converts blocks to batches and puts them into the queue."""
        limiter = None
        if self._plan.options.max_rate:
            limiter = RateLimiter(self._plan.options.max_rate, self._control.wait)
        try:
            for batch in source.batches(mapping, self._batch_size, self._reader, self._notice, claimed):
                self._reader.phase = Phase.READING
                if limiter is not None and not limiter.acquire(batch.row_count):
                    return
                if not self._queue.put(encoded(batch, backend, self._components.backend_name)):
                    return
            self._reader.phase = Phase.READ
        except BaseException as error:
            if claimed.cancelled():
                return  # the import was not claimed; that error is raised elsewhere
            if claimed.done():
                self._control.stop(str(error), ExitCode.FAILED)
            if isinstance(error, (ImporterError, *INTERRUPTS)):
                raise
            after = f" after row {source.last_row:,}" if source.last_row else ""
            raise ImporterError(
                f"reader {self._components.reader_name!r} failed{after}: {unexpected(error)}"
            ) from error
        finally:
            self._queue.end()

    def _prepare(self, resolved: ResolvedPlan, backend: Backend) -> Table | None:
        """Create the target table, or the staging table of an atomic import; returns the latter."""
        import_history, options = self._import_history, self._plan.options
        mapping = resolved.mapping
        if import_history is not None and options.verify:
            self._retried(lambda: import_history.take_before(mapping, empty=resolved.create))
        if import_history is not None and options.atomic and not import_history.published:
            stage = import_history.stage(mapping)

            def create_stage() -> None:
                if backend.reflect(stage.qualified_name) is None:
                    backend.create_stage(mapping.table, stage, exists=not resolved.create)

            self._retried(create_stage)
            return stage
        if resolved.create and self._retried(lambda: self._create_table(mapping, backend)):
            self._emit(TableCreated(table=mapping.table.qualified_name))
        return None

    def _create_table(self, mapping: ColumnMapping, backend: Backend) -> bool:
        """Create the table; False if another run has created it since it was reflected, and our columns fit."""
        try:
            backend.create_table(mapping.table)
        except TransientFault:
            raise
        except DatabaseError:
            found = backend.reflect(mapping.table.qualified_name)
            ours = [column.target for column in mapping.columns]
            if found is None or self._plan.target.mode == "create" or not all(map(found.column, ours)):
                raise
            self._created = False  # the run that created it creates its indexes
            self._notice(
                f"another run has made table {mapping.table.qualified_name!r} meanwhile: its rows go there too"
            )
            return False
        return True

    def _finish(self, resolved: ResolvedPlan, stage: Table | None, backend: Backend) -> None:
        """Finish after all rows are written: publish the stage, verify, advance sequences and create indexes."""
        import_history, table, indexes = self._import_history, resolved.mapping.table, resolved.indexes
        if import_history is not None and stage is not None:
            self._retried(lambda: import_history.publish(stage, resolved))
            late = self._retried(import_history.counts).skipped - self._suppressed()
            self._suppressed_late = min(late, self.snapshot().inserted)
        if import_history is not None:
            if self._plan.options.verify:
                found = self._verified = self._retried(lambda: import_history.verify(resolved.mapping))
                for column in found.not_compared:
                    defaulted = column in import_history.defaulted
                    why = "its blanks took the table's default" if defaulted else "its values come back in another form"
                    self._notice(f"column {column!r} was not verified: {why}")
                self._emit(Verified(rows=found.rows, columns=found.columns, not_compared=found.not_compared))
            else:
                self._retried(lambda: import_history.check_count(table))
        self._advance_sequences(resolved.mapping, backend)
        if not (self._created and indexes):
            return
        self._phase = Phase.INDEXING
        started = time.perf_counter()
        self._retried(lambda: backend.create_indexes(table, indexes, lambda index: None))
        self._emit(IndexesCreated(count=len(indexes), seconds=time.perf_counter() - started))

    def _advance_sequences(self, mapping: ColumnMapping, backend: Backend) -> None:
        """Advance sequences past the imported numbers. The rows are committed, so a failure is only noted."""
        try:
            notes = self._retried(lambda: advance(backend, mapping))
        except DatabaseError as error:
            notes = [f"{error}: numbers that it gives to new rows may be taken already"]
        for note in notes:
            self._notice(note)

    def _choose_worker_count(self, backend: Backend) -> int:
        self._max_writers, self._writer_note = backend.max_writers, backend.writer_note
        asked, limits = self._plan.options.workers, (self._components.strategy.max_workers, backend.max_writers)
        workers = min([asked or WORKERS, *(limit for limit in limits if limit is not None)])
        if backend.max_writers is not None and (asked or 1) > backend.max_writers:
            self._notice(backend.writer_note)
        return workers

    def _choose_batch_size(self, row_hint: int | None) -> int:
        options = self._plan.options
        share = (row_hint or 0) // (self._workers * _BATCHES_EACH)
        rows = options.batch_size or min(max(share, MIN_BATCH_SIZE), MAX_BATCH_SIZE)
        return max(1, min(rows, int(options.max_rate * _RATE_SECONDS))) if options.max_rate else rows

    @contextmanager
    def _deadline(self, seconds: float | None) -> Iterator[None]:
        if seconds is None:
            yield
            return
        timer = threading.Timer(seconds, self.abort, [f"the time limit of {seconds:g} s has passed (--timeout)"])
        timer.name = "deadline"
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def _notice(self, message: str) -> None:
        self._notes.append(message)
        self._emit(Noticed(message=message))

    def _report(self) -> Report:
        """Build the report, after checking that the counts add up."""
        plan, components, source, resolved = self._plan, self._components, self._source, self._resolved_plan
        counts = self.snapshot()
        seconds = time.perf_counter() - self._started
        # A row that was read but not completed (still queued, or rolled back with its batch) does not count as read:
        # it will be read again when the import is resumed. A run that reached its end has no such rows.
        whole = self._error is None and not self._stopped
        before = self._done.counts if self._done else self._resume_point.counts if self._resume_point else Counts()
        stats = Stats.count(
            read=counts.read if whole else counts.finished,
            inserted=counts.inserted,
            updated=counts.updated,
            skipped=counts.skipped,
            rejected=counts.rejected,
            blank=counts.blank,
            retries=self._retries + sum(worker.retries for worker in counts.workers),
            seconds=seconds,
            earlier=before.rows,
            already_in=before.inserted + before.updated,
            suppressed=self._suppressed(),
        )
        try:
            stats.reconcile()
        except ReconciliationError as error:
            self._error = error
        exit_code, outcome = self._outcome(counts.rejected)
        return Report(
            run_id=self.run_id,
            dry_run=plan.options.dry_run,
            outcome=outcome,
            exit_code=exit_code,
            method=components.strategy_name,
            workers=self._workers,
            batch_size=self._batch_size,
            started_at=rfc3339(self._started_at),
            finished_at=rfc3339(dt.datetime.now(dt.UTC)),
            source=reported_source(plan, components.reader_name, source, counts.read if whole else None, self._sha256),
            target=TargetReport(
                backend=components.backend_name,
                database=components.address.display,
                table=resolved.mapping.table.qualified_name if resolved else plan.target.table or "",
                created=self._created,
            ),
            stats=stats,
            columns=reported_columns(resolved),
            notes=tuple(self._notes),
            error=str(self._error) if self._error else self._control.reason if self._stopped else None,
            verified=self._verified,
            resumes=self._resumes(),
            rejects=tuple(map(reported, self._rejects.first(MAX_REPORTED_REJECTS))),
            rejects_total=counts.rejected,
            reject_groups=tuple(self._rejects.by_reason()),
        )

    @property
    def _stopped(self) -> bool:
        return self._control.stopping and not self._complete

    def _resumes(self) -> str | None:
        if self._done is not None:
            return self._done.run_id
        return self._import_history.resumes.run_id if self._import_history and self._import_history.resumes else None

    def _outcome(self, rejected: int) -> tuple[ExitCode, Outcome]:
        if self._error is not None:
            return self._error.exit_code, "failed"
        if self._stopped:
            return self._control.exit_code, "stopped"
        if self._done is not None:
            return ExitCode.OK, "already_imported"
        if rejected:
            code = ExitCode.OK if self._plan.options.rejects_ok else ExitCode.REJECTS
            return code, "complete_with_rejects"
        if self._suppressed():
            code = ExitCode.OK if self._plan.options.rejects_ok else ExitCode.REJECTS
            return code, "complete_with_suppressed"
        return ExitCode.OK, "complete"


def _destination(mapping: ColumnMapping, table: Table, resume_point: ResumePoint | None) -> Destination:
    columns = tuple(column.target for column in mapping.columns)
    return Destination(
        claim=resume_point.claim if resume_point else None,
        table=table,
        columns=columns,
        # In a stage they stay NULL: the table's defaults apply when the rows are moved into it.
        defaults=default_places(table, columns) if table is mapping.table else (),
        types=tuple(column.conversion.type for column in mapping.columns),
    )


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # opening the file reports the error
