"""An import of the run that is carried out elsewhere: in this process there are its control, its rejects and what else
is known of it."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from tui_importer.core.model.counters import Phase, Snapshot
from tui_importer.core.model.report import Report, Stats
from tui_importer.core.model.table_change import TableChange
from tui_importer.core.model.times import rfc3339
from tui_importer.core.run.account import RejectSink
from tui_importer.core.run.engine import Engine
from tui_importer.core.scheduling.executor import ImportElsewhere
from tui_importer.core.scheduling.failures import INTERRUPTS, as_error
from tui_importer.errors import ExitCode, ImporterError
from tui_importer.events import AnyEvent, BatchCommitted, LoadingStarted, ReadingStarted, Reject, RowRejected

#: What both the counters and each batch say.
_COUNTS = ("inserted", "updated", "skipped", "rejected")


class EngineElsewhere:
    """Takes the place of ``engine``, which never begins. :meth:`execute` is called once; other threads may call the
    other methods meanwhile.

    Its rows that are rejected go to ``rejects``: their workbook is the user's, who is where the run is. ``headers`` are
    the sheet's, empty until they are known.
    """

    resolved_plan = None

    def __init__(
        self,
        engine: Engine,
        emit: Callable[[AnyEvent], None],
        elsewhere: ImportElsewhere,
        rejects: RejectSink,
        approve: Callable[[TableChange], bool] | None = None,
    ) -> None:
        """``approve`` is as for :class:`Engine`."""
        self._engine = engine
        self._control = engine.hand_over()
        self._emit = emit
        self._elsewhere = elsewhere
        self._rejects = rejects
        self._approve = approve
        self._asking: list[threading.Thread] = []
        self._rejected: list[Reject] = []
        self.headers: tuple[str, ...] = ()
        self._last = engine.snapshot()
        self._committed = dict.fromkeys(_COUNTS, 0)
        self._started_at, self._started = dt.datetime.now(dt.UTC), time.perf_counter()
        # The run may have been told something before there was anybody to pass it on to.
        if self._control.stopping:
            self._pass_on_stop()
        elif self._control.paused:
            elsewhere.pause(paused=True)

    @property
    def stopping(self) -> bool:
        """Whether the import was stopped."""
        return self._control.stopping

    @property
    def loading(self) -> bool:
        """Whether workers are writing rows."""
        return bool(self._last.workers) and not self._last.all_read

    def snapshot(self) -> Snapshot:
        """The values of all counters as they were told last."""
        return self._last

    def stop(self, reason: str, exit_code: ExitCode = ExitCode.STOPPED) -> bool:
        """Have it stopped; True if this call began it."""
        began = self._control.stop(reason, exit_code)
        if began:
            self._pass_on_stop()
        return began

    def abort(self, reason: str, exit_code: ExitCode = ExitCode.STOPPED) -> bool:
        """Have it aborted; True if this call began it."""
        began = self._control.abort(reason, exit_code)
        if began:
            self._pass_on_stop()
        return began

    def pause(self, *, paused: bool) -> bool:
        """Have it paused or unpaused; True if that changed the state."""
        changed = self._control.pause(paused=paused)
        if changed:
            self._elsewhere.pause(paused=paused)
        return changed

    def change_workers(self, workers: int) -> None:
        """Have the number of workers changed; raises :class:`~tui_importer.errors.UsageError` if it is not."""
        self._elsewhere.change_workers(workers)

    def execute(self) -> Report:
        """Pass on what is told until the import has ended. Always returns a report."""
        try:
            return self._report()
        except INTERRUPTS:
            raise
        except BaseException as error:  # noqa: BLE001  # third-party code may raise anything
            return self._report_without_end(as_error(error))
        finally:
            for thread in self._asking:
                thread.join()
            self._control.close()

    def report_unbegun(self, error: ImporterError | None) -> Report:
        """The report of an import that was begun and given up."""
        return self._engine.report_unbegun(error)

    def _report(self) -> Report:
        report = None
        for told in self._elsewhere.told():  # to its end, where what it holds is released
            if isinstance(told, Report):
                report = told
            elif isinstance(told, Snapshot):
                self._last = replace(told, at=time.monotonic())  # the clock of another machine says nothing here
            elif isinstance(told, TableChange):
                self._ask(told)
            else:
                self._take(told)
        self._keep_rejects()
        if report is None:
            raise ImporterError("the import ended elsewhere without a report")
        file, database = self._engine.names
        return msgspec.structs.replace(
            report,
            source=msgspec.structs.replace(report.source, file=file),
            target=msgspec.structs.replace(report.target, database=database),
        )

    def _ask(self, change: TableChange) -> None:
        """Answer a question once somebody has; meanwhile what else is told is taken."""

        def ask() -> None:
            try:
                approved = self._approve is None or self._approve(change)
            except Exception as error:  # noqa: BLE001  # third-party code may raise anything
                self.stop(str(as_error(error)), ExitCode.FAILED)  # it waits for no answer any more
            else:
                self._elsewhere.answer(approved=approved)

        self._asking.append(threading.Thread(target=ask, name="question"))
        self._asking[-1].start()

    def _take(self, event: AnyEvent) -> None:
        """Pass an event on, after whatever is done with it here."""
        match event:
            case RowRejected(reject=reject):
                self._rejected.append(reject)
            case BatchCommitted():
                self._keep_rejects()
                for name in _COUNTS:
                    self._committed[name] += getattr(event, name)
            case LoadingStarted(headers=headers):
                self.headers = headers
            case ReadingStarted():
                event = msgspec.structs.replace(event, file=self._engine.names[0])
            case _:
                pass
        self._emit(event)

    def _keep_rejects(self) -> None:
        """Store the rejects of the batches that were told; one that cannot be stored stops the import."""
        rejected, self._rejected = self._rejected, []
        try:
            self._rejects.add_many(rejected)
        except ImporterError as error:
            self.stop(str(error), ExitCode.FAILED)

    def _report_without_end(self, error: ImporterError) -> Report:
        """The report of an import that came to no end of its own: with the rows that are known to be completed."""
        self._keep_rejects()
        last = self._counted()
        self._last = replace(last, phase=Phase.FINISHED, workers=())
        report = self._engine.report_unbegun(error)
        stats = Stats.count(
            read=last.finished,
            inserted=last.inserted,
            updated=last.updated,
            skipped=last.skipped,
            rejected=last.rejected,
            blank=last.blank,
            retries=sum(worker.retries for worker in last.workers),
            seconds=time.perf_counter() - self._started,
        )
        started_at = rfc3339(self._started_at)
        return msgspec.structs.replace(report, stats=stats, started_at=started_at, rejects_total=last.rejected)

    def _counted(self) -> Snapshot:
        """The counters as they were told last, or by the batches that were told since."""
        last = self._last
        return replace(last, **{name: max(getattr(last, name), number) for name, number in self._committed.items()})

    def _pass_on_stop(self) -> None:
        control = self._control
        self._elsewhere.stop(control.reason or "", control.exit_code, aborting=control.aborting)
