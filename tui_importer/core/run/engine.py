"""The engine: the steps of a run in their order, from the file to the report, and its control.

It returns data and emits events; it never prints.
"""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tui_importer.core.model.counters import Phase, Snapshot
from tui_importer.core.model.plan import Plan
from tui_importer.core.model.report import Report
from tui_importer.core.run.choices import check_worker_count
from tui_importer.core.run.context import Components, Rejects, RunContext
from tui_importer.core.run.counts import sample
from tui_importer.core.run.dispatcher import EventDispatcher
from tui_importer.core.run.finishing import finish, note_table_effects, record_end
from tui_importer.core.run.loading import load
from tui_importer.core.run.preparation import make_ready, wait_for_source
from tui_importer.core.run.reporting import Ending, build_report
from tui_importer.core.run.stages import AlreadyDone, Loading, Opened, Resolved
from tui_importer.core.run.target_database import TargetDatabase
from tui_importer.core.scheduling.batch_queue import BatchQueue
from tui_importer.core.scheduling.failures import INTERRUPTS, several, unexpected
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.scheduling.stalls import Activity, Finding, watching
from tui_importer.core.source.open_source import OpenSource
from tui_importer.core.source.opening import Opening
from tui_importer.errors import DatabaseError, ExitCode, ImporterError, StoppedError, UsageError
from tui_importer.events import (
    Listener,
    Paused,
    ReadingStarted,
    RunFinished,
    RunStarted,
    StatementDelayed,
    Stopping,
    Unpaused,
    WorkersChanged,
)


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
        """``opening`` is the plan's source if it is already being opened. ``command`` is the command line that repeats
        the run, for the ledger."""
        self._started_at = dt.datetime.now(dt.UTC)
        self._started = time.perf_counter()
        self._opening = opening
        self._control = RunControl()
        self._dispatcher = EventDispatcher(listener, lambda why: self._control.stop(why, ExitCode.FAILED))
        self._emit = self._dispatcher.emit
        self._context = RunContext(
            run_id=_new_run_id(self._started_at),
            plan=plan,
            components=components,
            rejects=rejects,
            command=command,
            control=self._control,
            emit=self._emit,
            queue=BatchQueue(self._control),
        )

    @property
    def run_id(self) -> str:
        """The run's id. Ids sort by time."""
        return self._context.run_id

    @property
    def headers(self) -> tuple[str, ...]:
        """The sheet's headers; empty until they are known."""
        stage = self._context.stage
        return stage.resolved.mapping.headers if isinstance(stage, Resolved) else ()

    @property
    def resolved_plan(self) -> Plan | None:
        """The plan with all defaults resolved; None until it is known."""
        stage = self._context.stage
        return stage.resolved.plan if isinstance(stage, Resolved) else None

    def snapshot(self) -> Snapshot:
        """The current values of all counters."""
        return sample(self._context)

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
        stage, components = self._context.stage, self._context.components
        # Only once the first worker has started is it known whether the strategy asks for more.
        if not isinstance(stage, Loading) or not stage.job.counters or stage.job.ended or self._control.stopping:
            raise UsageError("the workers can be changed while rows are being written")
        worker_count = stage.job.worker_count
        if not worker_count.flexible:
            raise UsageError(f"strategy {components.strategy_name!r} keeps the workers that it began with")
        check_worker_count(workers, components.strategy, components.strategy_name, stage.choices)
        if workers != worker_count.wanted:
            worker_count.wanted = workers
            self._emit(WorkersChanged(workers=workers))

    def execute(self) -> Report:
        """Run the import. Always returns a report; no thread, task or connection is left."""
        plan, components = self._context.plan, self._context.components
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
            error = self._import() or self._dispatcher.failure
        report = build_report(self._context, Ending(error, self._started_at, time.perf_counter() - self._started))
        self._context.phase = Phase.FINISHED
        self._emit(_finished(report))
        return report

    def _import(self) -> ImporterError | None:
        """Carry out all steps; returns the error that the run failed with, if any."""
        try:
            self._open_and_import()
        except StoppedError:
            return None
        except ImporterError as error:
            # A statement that was cancelled because the run is being aborted is not a failure.
            return None if self._control.aborting and isinstance(error, DatabaseError) else error
        except BaseExceptionGroup as group:
            return several(group)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  # a third-party strategy or backend, or a defect of ours
            return unexpected(error)
        finally:
            self._control.close()
        return None

    def _open_and_import(self) -> None:
        context, plan, reader = self._context, self._context.plan, self._context.components.reader
        context.reader.phase = Phase.OPENING
        name, size = context.components.reader_name, _size(Path(plan.source.file))
        self._emit(ReadingStarted(file=plan.source.file, reader=name, bytes=size))
        opening = self._opening or Opening(reader, plan.source)
        try:
            # The driver is imported and the database queried while the file is being parsed.
            database = TargetDatabase(context)
            with watching(database.backend, self._control, plan.options.stall_timeout, self._on_stall):
                self._import_into(database, opening)
        finally:
            if not isinstance(context.stage, Opened):
                opening.abandon()

    def _import_into(self, database: TargetDatabase, opening: Opening) -> None:
        try:
            try:
                with self._control.cancelling(database.backend.cancel):
                    database.connect()
                    with wait_for_source(self._context, opening) as source:
                        self._load_and_finish(source, opening.sha256(), database)
            except BaseException as error:
                record_end(self._context, error)
                raise
            record_end(self._context, None)
        finally:
            database.close()

    def _load_and_finish(self, source: OpenSource, sha256: str, database: TargetDatabase) -> None:
        ready = make_ready(self._context, source, sha256, database)
        if isinstance(ready, AlreadyDone) or self._control.stopping:
            return
        try:
            loading = load(self._context, ready, database.backend)
            if not self._control.stopping:
                finish(self._context, loading, database.backend)
        finally:
            note_table_effects(self._context)

    def _on_stall(self, worker: int, finding: Finding | None, seconds: float) -> None:
        """Report that a statement takes long, with the server's reason, or (None) that it made progress."""
        stage = self._context.stage
        locked = finding is not None and finding.activity is Activity.LOCKED
        if worker and isinstance(stage, Loading):
            stage.job.counters[worker - 1].blocked = locked
        if finding is not None:
            self._emit(StatementDelayed(worker=worker, seconds=seconds, locked=locked, detail=finding.detail))

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


def _new_run_id(now: dt.datetime) -> str:
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03x}{os.urandom(2).hex()}"


def _finished(report: Report) -> RunFinished:
    stats = report.stats
    return RunFinished(
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


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # opening the file reports the error
