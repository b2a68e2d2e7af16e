"""The import set: the imports of one run, from its first event to its last.

There is one run id, one control, one stream of events, one set of counters and one report. Each import claims, resumes
and fails on its own; an executor decides where and when they are carried out.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import msgspec

from tui_importer.core.model.counters import Snapshot, combined
from tui_importer.core.model.plan import Plan
from tui_importer.core.model.report import Report
from tui_importer.core.model.standard_input import STANDARD_INPUT, shown_source
from tui_importer.core.model.table_change import TableChange
from tui_importer.core.planning.shapes import tables_note
from tui_importer.core.run.context import Components, Rejects
from tui_importer.core.run.dispatcher import EventDispatcher
from tui_importer.core.run.elsewhere import EngineElsewhere
from tui_importer.core.run.engine import Engine
from tui_importer.core.run.run_id import import_run_id, new_run_id
from tui_importer.core.run.set_report import label, report_of_set
from tui_importer.core.run.shared_tables import shared_types
from tui_importer.core.scheduling.executor import Executor, ImportElsewhere, ImportSpec, PendingImport
from tui_importer.core.scheduling.failures import INTERRUPTS, as_error, unexpected
from tui_importer.core.source.opening import Opening
from tui_importer.errors import ExitCode, ImporterError
from tui_importer.events import (
    ImportFinished,
    ImportStarted,
    Listener,
    Paused,
    RunFinished,
    RunNoticed,
    RunStarted,
    Stopping,
    Unpaused,
)

EventT = TypeVar("EventT", ImportFinished, RunFinished)

#: How often an import that waits for its turn checks whether the run is being stopped, in seconds.
_TURN_SECONDS = 0.1

_log = logging.getLogger(__name__)


class RejectStore(Rejects, Protocol):
    """Stores the rejects of one import while it is carried out, and then where the user finds them."""

    def open(self) -> None:
        """Begin; raises :class:`~tui_importer.errors.ImporterError` if there is no place for rejects."""

    def save(self, report: Report, headers: tuple[str, ...]) -> Report:
        """Write the rejects of an import that has ended; returns its report with where they are."""

    def close(self) -> None:
        """Release what :meth:`open` took. May be called again."""


class PlannedImport(msgspec.Struct, frozen=True):
    """One import of a run, before it is carried out.

    ``opening`` is the plan's source if it is already being opened. ``command`` is the command line that repeats the
    import, for the ledger. ``shared_types`` are the columns of a new table that other imports fill, too.
    """

    plan: Plan
    components: Components
    rejects: RejectStore
    opening: Opening | None = None
    command: str | None = None
    shared_types: dict[str, str] = {}


class ImportSet:
    """The imports of one run. :meth:`execute` is called once; other threads may call the other methods meanwhile."""

    def __init__(
        self,
        imports: Sequence[PlannedImport],
        executor_name: str,
        executor: Executor,
        listener: Listener,
        approve: Callable[[TableChange], bool] | None = None,
    ) -> None:
        """``approve`` is as for :class:`Engine`. Imports that are carried out elsewhere ask it, too; it is asked from
        several threads, maybe at the same time."""
        self._started_at = dt.datetime.now(dt.UTC)
        self._started = time.perf_counter()
        self.run_id = new_run_id(self._started_at)
        self._imports = tuple(imports)
        self._executor_name = executor_name
        self._executor = executor
        self._approve = approve
        self._dispatcher = EventDispatcher(listener, self._stop_all)
        self._emit = self._dispatcher.emit
        self._reports: dict[int, Report] = {}
        self._notes = list[str]()
        self._ended = threading.Condition()
        self._orders = threading.RLock()
        self._engines: list[Engine | EngineElsewhere] = [
            Engine(
                each.plan,
                each.components,
                each.rejects,
                self._dispatcher,
                run_id=import_run_id(self.run_id, number, len(imports)),
                source=number,
                opening=each.opening,
                command=each.command,
                approve=approve,
            )
            for number, each in enumerate(imports, start=1)
        ]

    @property
    def resolved_plans(self) -> tuple[Plan | None, ...]:
        """The plan of each import with all defaults resolved; None where it is not known yet."""
        return tuple(engine.resolved_plan for engine in self._engines)

    def snapshot(self) -> Snapshot:
        """The current values of all counters."""
        return combined([engine.snapshot() for engine in self._engines])

    def stop(self, reason: str, exit_code: ExitCode = ExitCode.STOPPED) -> None:
        """Take no further batches and begin no further imports, finish the batches in flight, and report."""
        if self._stop_all(reason, exit_code):
            self._emit(Stopping(reason=reason, aborting=False))

    def abort(self, reason: str, exit_code: ExitCode = ExitCode.STOPPED) -> None:
        """Stop, and cancel the statements in flight at the database: their batches are rolled back."""
        with self._orders:
            aborting = sum(engine.abort(reason, exit_code) for engine in self._engines)
        if aborting:
            self._emit(Stopping(reason=reason, aborting=True))

    def pause(self, *, paused: bool) -> None:
        """Pause or unpause taking batches; no effect if that is already the state."""
        with self._dispatcher.held, self._orders:  # the last event emitted must match the state
            if sum(engine.pause(paused=paused) for engine in self._engines):
                self._emit(Paused() if paused else Unpaused())

    def change_workers(self, workers: int) -> None:
        """Set the number of workers of each import that is being loaded.

        Raises :class:`~tui_importer.errors.UsageError` with the reason if that is not possible.
        """
        for engine in [engine for engine in self._engines if engine.loading] or self._engines[:1]:
            engine.change_workers(workers)

    def execute(self) -> Report:
        """Carry out all imports. Always returns a report; no thread, task or connection is left."""
        self._emit(
            RunStarted(
                run_id=self.run_id,
                file=label(shown_source(each.plan.source.file) for each in self._imports),
                target=label(each.components.address.display for each in self._imports),
                strategy=label(each.components.strategy_name for each in self._imports),
                dry_run=self._imports[0].plan.options.dry_run,
                sources=len(self._imports),
            )
        )
        if self._several:
            self._notice(tables_note([each.plan for each in self._imports]))
            self._share_types()
        failure = self._run_executor()
        for number, engine in enumerate(self._engines, start=1):
            if number not in self._reports:
                self._end(number, engine.report_unbegun(failure or self._left_out(engine)))
                self._imports[number - 1].rejects.close()
        report = self._report(failure)
        self._emit(_finished(RunFinished, report, dry_run=report.dry_run))
        return report

    @property
    def stopping(self) -> bool:
        """Implements :attr:`tui_importer.core.scheduling.executor.ImportQueue.stopping`."""
        return all(
            engine.stopping for number, engine in enumerate(self._engines, start=1) if number not in self._reports
        )

    def imports(self) -> Iterator[PendingImport]:
        """Implements :meth:`tui_importer.core.scheduling.executor.ImportQueue.imports`."""
        for number, engine in enumerate(self._engines, start=1):
            if self._left_unbegun(engine):
                return
            yield _Pending(self, number)

    def carry_out(self, number: int) -> None:
        """Carry out one import in this process and keep its report."""
        planned = self._imports[number - 1]
        self._wait_for_turn(number)
        engine = self._engines[number - 1]
        if self._left_unbegun(engine):
            return  # it was taken before the run was stopped
        assert isinstance(engine, Engine)
        self._announce(number)
        self._end(number, self._carried_out(planned, engine))

    def carry_out_elsewhere(self, number: int, begin: Callable[[ImportSpec], ImportElsewhere]) -> None:
        """Have one import carried out elsewhere and keep its report; what is piped into this process stays here."""
        if self._imports[number - 1].plan.source.file == STANDARD_INPUT:
            self.carry_out(number)
            return
        self._wait_for_turn(number)
        engine = self._engines[number - 1]
        if self._left_unbegun(engine):
            return
        assert isinstance(engine, Engine)
        self._announce(number)
        planned = self._imports[number - 1]
        try:
            planned.rejects.open()  # before anything begins elsewhere
            elsewhere = begin(self.spec(number))
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  # third-party code may raise anything
            planned.rejects.close()
            self._end(number, engine.report_unbegun(as_error(error)))
            return
        with self._orders:  # an order reaches either
            replacement = EngineElsewhere(engine, self._emit, elsewhere, planned.rejects, self._approve)
            self._engines[number - 1] = replacement
        self._end(number, self._carried_out(planned, replacement))

    def spec(self, number: int) -> ImportSpec:
        """One import as a value."""
        planned = self._imports[number - 1]
        run_id = import_run_id(self.run_id, number, len(self._imports))
        return ImportSpec(
            plan=planned.plan,
            run_id=run_id,
            source=number,
            command=planned.command,
            asks=self._approve is not None,
            shared_types=planned.shared_types,
        )

    def exists(self, place: int, table: str) -> bool:
        """Implements :meth:`tui_importer.core.run.shared_tables.Tables.exists`."""
        engine = self._engines[place]
        assert isinstance(engine, Engine)
        return engine.table_exists(table)

    def begin(self, places: Sequence[int], table: str) -> bool:
        """Implements :meth:`tui_importer.core.run.shared_tables.Tables.begin`."""
        if self.stopping:
            return False
        self._notice(f"table {table!r} is new: its {len(places)} sources are read first, for the types of its columns")
        return True

    def _share_types(self) -> None:
        """Find the types of new tables that several imports fill, and tell them to these."""
        try:
            found = shared_types([(each.plan, each.components.reader) for each in self._imports], self)
        except INTERRUPTS:
            raise
        except ImporterError:
            return  # the imports have the same trouble, and report it
        except BaseException as error:  # noqa: BLE001  # third-party code may raise anything, and will again
            _log.debug("the types of tables are not known", exc_info=error)
            return
        self._imports = tuple(
            msgspec.structs.replace(each, shared_types=types) for each, types in zip(self._imports, found, strict=True)
        )
        for engine, types in zip(self._engines, found, strict=True):
            assert isinstance(engine, Engine)
            engine.share_types(types)

    def _notice(self, message: str | None) -> None:
        if message is not None:
            self._notes.append(message)
            self._emit(RunNoticed(message=message))

    def _wait_for_turn(self, number: int) -> None:
        """Wait for earlier imports into the same table if what is in it later depends on their order, or if it is
        compared with what it held before."""
        plan = self._imports[number - 1].plan
        target, mode = plan.target, plan.target.write_mode
        compares = plan.options.verify and target.table is not None and "{" not in target.table
        if not (mode.order_matters or mode.empties or compares):
            return
        earlier = [n for n, each in enumerate(self._imports[: number - 1], start=1) if each.plan.target == target]
        engine = self._engines[number - 1]
        with self._ended:
            while not (engine.stopping or self._reports.keys() >= set(earlier)):
                self._ended.wait(_TURN_SECONDS)

    def _announce(self, number: int) -> None:
        planned = self._imports[number - 1]
        if self._several:
            self._emit(
                ImportStarted(
                    source=number,
                    file=shown_source(planned.plan.source.file),
                    target=planned.components.address.display,
                    strategy=planned.components.strategy_name,
                )
            )

    @property
    def _several(self) -> bool:
        return len(self._imports) > 1

    @staticmethod
    def _carried_out(planned: PlannedImport, engine: Engine | EngineElsewhere) -> Report:
        try:
            planned.rejects.open()
        except ImporterError as error:
            return engine.report_unbegun(error)
        try:
            return planned.rejects.save(engine.execute(), engine.headers)
        finally:
            planned.rejects.close()

    def _left_unbegun(self, engine: Engine | EngineElsewhere) -> bool:
        """Whether the run was stopped before this import began. An only import always begins."""
        return self._several and engine.stopping

    def _end(self, number: int, report: Report) -> None:
        with self._ended:
            self._reports[number] = report
            self._ended.notify_all()
        if self._several:
            self._emit(_finished(ImportFinished, report, source=number, error=report.error))

    def _run_executor(self) -> ImporterError | None:
        """Carry out the imports; returns the error of an executor that failed."""
        try:
            self._executor.run(self)
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  # third-party code may raise anything
            return ImporterError(f"executor {self._executor_name!r} failed: {unexpected(error)}")
        return None

    def _left_out(self, engine: Engine | EngineElsewhere) -> ImporterError | None:
        """Why an import was not begun, unless because the run was stopped."""
        return None if engine.stopping else ImporterError(f"executor {self._executor_name!r} did not carry it out")

    def _report(self, failure: ImporterError | None) -> Report:
        reports = [self._reports[number] for number in sorted(self._reports)]
        seconds = time.perf_counter() - self._started
        return report_of_set(self.run_id, reports, failure, self._started_at, seconds, self._notes)

    def _stop_all(self, reason: str, exit_code: ExitCode = ExitCode.FAILED) -> bool:
        with self._orders:
            return sum(engine.stop(reason, exit_code) for engine in self._engines) > 0


class _Pending(msgspec.Struct, frozen=True):
    """Implements :class:`tui_importer.core.scheduling.executor.PendingImport`."""

    owner: ImportSet
    number: int

    def carry_out(self) -> None:
        self.owner.carry_out(self.number)

    def carry_out_elsewhere(self, begin: Callable[[ImportSpec], ImportElsewhere]) -> None:
        self.owner.carry_out_elsewhere(self.number, begin)


def _finished(kind: Callable[..., EventT], report: Report, **more: object) -> EventT:
    """The last event of an import or of the run, with the outcome and the counts of its report."""
    stats = report.stats
    return kind(
        outcome=report.outcome,
        exit_code=report.exit_code,
        read=stats.total_records,
        inserted=stats.inserted,
        updated=stats.updated,
        skipped=stats.skipped,
        rejected=stats.error_count,
        blank=stats.blank_rows,
        seconds=stats.duration_seconds,
        **more,
    )
