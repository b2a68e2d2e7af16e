"""The engine: the steps of one import in their order, from the file to the report, and its control.

It returns data and emits events; it never prints.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tui_importer.core.model.counters import Phase, Snapshot
from tui_importer.core.model.plan import Plan
from tui_importer.core.model.report import Report
from tui_importer.core.model.standard_input import shown_source, source_path
from tui_importer.core.model.table_change import TableChange
from tui_importer.core.run.choices import check_worker_count
from tui_importer.core.run.context import Components, Rejects, RunContext
from tui_importer.core.run.counts import sample
from tui_importer.core.run.dispatcher import EventDispatcher
from tui_importer.core.run.finishing import finish, note_table_effects, record_end
from tui_importer.core.run.loading import load
from tui_importer.core.run.preparation import make_ready, wait_for_source
from tui_importer.core.run.reporting import Ending, build_report
from tui_importer.core.run.stage_clock import LOADING
from tui_importer.core.run.stages import AlreadyDone, Loading, Opened, Resolved
from tui_importer.core.run.target_database import TargetDatabase, table_exists
from tui_importer.core.scheduling.batch_queue import BatchQueue
from tui_importer.core.scheduling.failures import INTERRUPTS, several, unexpected
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.scheduling.stalls import Activity, Finding, watching
from tui_importer.core.source.open_source import OpenSource
from tui_importer.core.source.opening import Opening
from tui_importer.errors import DatabaseError, EmptySheetError, ExitCode, ImporterError, StoppedError, UsageError
from tui_importer.events import AnyEvent, ImportEvent, ReadingStarted, StatementDelayed, Stopping, WorkersChanged


class Engine:
    """One import of a run. :meth:`execute` is called once; other threads may call the other methods meanwhile."""

    def __init__(
        self,
        plan: Plan,
        components: Components,
        rejects: Rejects,
        dispatcher: EventDispatcher,
        *,
        run_id: str,
        source: int = 1,
        opening: Opening | None = None,
        command: str | None = None,
        approve: Callable[[TableChange], bool] | None = None,
        before_completion: Callable[[], None] | None = None,
    ) -> None:
        """``run_id`` is the id under which the ledger records the import, ``source`` the number of its source in the
        run. ``opening`` is the plan's source if it is already being opened. ``command`` is the command line that
        repeats the import, for the ledger. ``approve`` is asked before rows that are in the table are changed or
        doubled: without its approval, the import is stopped. ``before_completion`` is called when all rows are in,
        before the ledger records it; the import may be stopped meanwhile."""
        self._opening = opening
        self._dispatcher = dispatcher
        self._control = RunControl()
        self._emit = _numbered(dispatcher.emit, source)
        self._context = RunContext(
            run_id=run_id,
            source=source,
            plan=plan,
            components=components,
            rejects=rejects,
            command=command,
            control=self._control,
            emit=self._emit,
            queue=BatchQueue(self._control),
            approve=approve,
            before_completion=before_completion,
        )

    @property
    def headers(self) -> tuple[str, ...]:
        """The sheet's headers; empty until they are known."""
        stage = self._context.stage
        return stage.resolved.mapping.headers if isinstance(stage, Resolved) else ()

    @property
    def names(self) -> tuple[str, str]:
        """What the source and the database are called in events and reports."""
        return shown_source(self._context.plan.source.file), self._context.components.address.display

    @property
    def resolved_plan(self) -> Plan | None:
        """The plan with all defaults resolved; None until it is known."""
        stage = self._context.stage
        return stage.resolved.plan if isinstance(stage, Resolved) else None

    def table_exists(self, name: str) -> bool:
        """Whether there is such a table in the import's database; for use before :meth:`execute`.

        Raises the errors of the database."""
        return table_exists(self._context, name)

    def share_types(self, types: Mapping[str, str]) -> None:
        """Tell what the columns of the import's table have to hold for other imports; before :meth:`execute`."""
        self._context.shared_types = types

    def snapshot(self) -> Snapshot:
        """The current values of all counters."""
        return sample(self._context)

    @property
    def stopping(self) -> bool:
        """Whether the import was stopped."""
        return self._control.stopping

    @property
    def loading(self) -> bool:
        """Whether workers are writing rows."""
        stage = self._context.stage
        # Only once the first worker has started is it known whether the strategy asks for more.
        return isinstance(stage, Loading) and bool(stage.job.counters) and not stage.job.ended

    def stop(self, reason: str, exit_code: ExitCode = ExitCode.STOPPED) -> bool:
        """Take no further batches, finish those in flight, and report; True if this call began it."""
        return self._control.stop(reason, exit_code)

    def abort(self, reason: str, exit_code: ExitCode = ExitCode.STOPPED) -> bool:
        """Stop, and cancel the statements in flight at the database; True if this call began it."""
        return self._control.abort(reason, exit_code)

    def pause(self, *, paused: bool) -> bool:
        """Pause or unpause taking batches; True if that changed the state."""
        return self._control.pause(paused=paused)

    def change_workers(self, workers: int) -> None:
        """Set the number of workers. Raises :class:`UsageError` with the reason if that is not possible."""
        stage, components = self._context.stage, self._context.components
        if not isinstance(stage, Loading) or not self.loading or self._control.stopping:
            raise UsageError("the workers can be changed while rows are being written")
        worker_count = stage.job.worker_count
        if not worker_count.flexible:
            raise UsageError(f"strategy {components.strategy_name!r} keeps the workers that it began with")
        check_worker_count(workers, components.strategy, components.strategy_name, stage.choices)
        if workers != worker_count.wanted:
            worker_count.wanted = workers
            self._emit(WorkersChanged(workers=workers))

    def execute(self) -> Report:
        """Carry out the import. Always returns a report; no thread, task or connection is left."""
        started_at, started = dt.datetime.now(dt.UTC), time.perf_counter()
        self._context.clock.start()
        with self._deadline(self._context.plan.options.timeout):
            error = self._import() or self._dispatcher.failure
        return self._end(Ending(error, started_at, time.perf_counter() - started))

    def hand_over(self) -> RunControl:
        """Give the source up, as the import is carried out elsewhere; returns the control, which is then the caller's
        to pass on and to close."""
        if self._opening is not None:
            self._opening.abandon()
            self._opening = None
        return self._control

    def report_unbegun(self, error: ImporterError | None) -> Report:
        """The report of an import that is not carried out: because of an error, or else because it was stopped."""
        self._control.close()
        if self._opening is not None:
            self._opening.abandon()
        return self._end(Ending(error, dt.datetime.now(dt.UTC), 0.0))

    def _end(self, ending: Ending) -> Report:
        report = build_report(self._context, ending)
        self._context.phase = Phase.FINISHED
        return report

    def _import(self) -> ImporterError | None:
        """Carry out all steps; returns the error that the run failed with, if any."""
        try:
            self._open_and_import()
        except StoppedError:
            return None
        except EmptySheetError as error:
            if not self._context.plan.source.may_be_empty:
                return error
            self._context.notice(f"{error}: passed over")
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
        name, size = context.components.reader_name, _size(source_path(plan.source.file))
        self._emit(ReadingStarted(file=shown_source(plan.source.file), reader=name, bytes=size))
        opening = self._opening or Opening(reader, plan.source)
        try:
            # The driver is imported and the database queried while the file is being parsed.
            database = TargetDatabase(context)
            context.clock.lap("open")
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
                        sha256 = opening.sha256()
                        # What connecting took longer than opening is the server's.
                        self._context.clock.lap("open", opening.ended_at)
                        self._context.clock.lap("server")
                        self._load_and_finish(source, sha256, database)
            except BaseException as error:
                record_end(self._context, error)
                raise
            record_end(self._context, None)
            self._context.clock.lap("ledger")
        finally:
            database.close()
            self._context.clock.lap("server")

    def _load_and_finish(self, source: OpenSource, sha256: str, database: TargetDatabase) -> None:
        ready = make_ready(self._context, source, sha256, database)
        if isinstance(ready, AlreadyDone) or self._control.stopping:
            return
        try:
            self._context.clock.lap("ledger")
            try:
                loading = load(self._context, ready, database.backend)
            finally:
                self._context.clock.lap(LOADING)
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

        def abort() -> None:
            reason = f"the time limit of {seconds:g} s has passed (--timeout)"
            if self._control.abort(reason):
                self._emit(Stopping(reason=reason, aborting=True, source=self._context.source))

        timer = threading.Timer(seconds, abort)
        timer.name = "deadline"
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _numbered(emit: Callable[[AnyEvent], None], source: int) -> Callable[[AnyEvent], None]:
    """Emit the events of an import with the number of its source."""
    if source == ImportEvent().source:
        return emit  # as they are made

    def emit_numbered(event: AnyEvent) -> None:
        emit(msgspec.structs.replace(event, source=source))

    return emit_numbered


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # opening the file reports the error
