"""Builds the view of a run from the lines of its recording, live or replayed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from tui_importer.core.model.counters import Phase, Snapshot, WorkerKey, WorkerSnapshot, WorkerState
from tui_importer.core.model.rates import RateWindow, rows_per_second
from tui_importer.core.model.report import ReasonGroup, Report
from tui_importer.events import (
    AnyEvent,
    ImportEvent,
    ImportFinished,
    ImportStarted,
    LoadingStarted,
    ReadingStarted,
    Retrying,
    RunFinished,
    RunStarted,
    SourceOpened,
    StatementDelayed,
    Stopping,
    WorkerFailed,
)
from tui_importer.recording.lines import Line, level
from tui_importer.text.sentences import ROUTINE, narrate
from tui_importer.tui.history import History
from tui_importer.tui.view import Bound, LogLine, State, View, WorkerView

#: Maximum number of kept log lines: more than anybody scrolls; the recording has all.
MAX_LOG = 1_000
#: Steps of a worker's sparkline, a second each.
SPARK_STEPS = 16
#: Mean fill of the queue above which the database is the limit, and below which the reader is.
_DATABASE_BOUND, _READER_BOUND = 0.6, 0.25
_OUTCOMES = {
    "complete": State.DONE,
    "complete_with_rejects": State.REJECTS,
    "complete_with_suppressed": State.SUPPRESSED,
    "already_imported": State.ALREADY,
    "stopped": State.STOPPED,
    "failed": State.FAILED,
}


class _Retry(msgspec.Struct):
    until: float
    attempt: int
    error: str


class _Import(msgspec.Struct):
    """What the events of one import have said."""

    started: ImportStarted | None = None  # only of several
    reading: ReadingStarted | None = None
    opened: SourceOpened | None = None
    loading: LoadingStarted | None = None
    stopping: Stopping | None = None
    ended: bool = False


class ViewBuilder:
    """Builds the :class:`View` of one run from its lines, given in order."""

    def __init__(self) -> None:
        self._started: RunStarted | None = None
        self._began = 0.0
        self._latest = 0.0
        self._imports: dict[int, _Import] = {}  # those that have begun, by the numbers of their sources
        self._stopping: Stopping | None = None
        self._finished: RunFinished | None = None
        self._counters: Snapshot | None = None
        self._rates = RateWindow()
        self._history = History()
        self._sparks: dict[WorkerKey, deque[tuple[float, int]]] = {}
        self._retries: dict[WorkerKey, _Retry] = {}
        self._delays: dict[WorkerKey, str] = {}
        self._failures: dict[WorkerKey, str] = {}
        self._groups: tuple[ReasonGroup, ...] = ()
        self._log: deque[LogLine] = deque(maxlen=MAX_LOG)
        self._logged: tuple[LogLine, ...] | None = None

    def feed(self, line: Line) -> None:
        """Add one line."""
        self._latest = max(self._latest, line.at)
        match line.what:
            case Snapshot():
                self._add_counters(line.what)
            case tuple():
                self._groups = line.what
            case _:
                self._add_event(line.at, line.what)

    def view(self, now: float, *, ended: bool = False, report: Report | None = None) -> View:
        """Return the view at ``now``. ``ended`` means that no more lines will come."""
        counters = self._counters or Snapshot(at=self._began)
        active = self._active(counters)
        source, shown = active[0] if active else self._latest_import()
        leading = next((each for _, each in active if each.loading is not None), shown)
        state = self._state(counters, leading, ended=ended, report=report)
        if self._several and (state.over or len(active) > 1):
            source, shown = 0, _Import()
        until = self._latest if state.over else now
        mean = self._mean(counters, report)
        rates = {} if state.over else self._rates.worker_rates()
        started = shown.started or self._started
        table = report.target.table if report and not self._several else ""
        return View(
            run_id=self._started.run_id if self._started else "",
            dry_run=self._dry_run,
            state=state,
            sources=self._started.sources if self._started else 1,
            source=source,
            source_counters=next((each for each in counters.sources if each.source == source), None),
            file=started.file if started else "",
            sheet=shown.opened.sheet if shown.opened else None,
            target=started.target if started else "",
            table=shown.loading.table if shown.loading else table,
            strategy=self._started.strategy if self._started else "",
            batch_size=shown.loading.batch_size if shown.loading else 0,
            seconds=max(0.0, until - self._began) if self._started else 0.0,
            counters=counters,
            now=0.0 if state.over else self._rates.rate(),
            mean=mean,
            peak=max(self._history.peak, mean),
            seconds_left=None if state.over else self._rates.eta(),
            bound=self._bound(state, leading),
            queue=self._mean_fill(),
            history=self._history.copy(),
            workers=tuple(self._worker(worker, now, rates.get(worker.key, 0.0)) for worker in counters.workers),
            groups=self._groups,
            log=self._lines(),
            trouble=self._trouble(now, report),
            report=report,
        )

    @property
    def _several(self) -> bool:
        return self._started is not None and self._started.sources > 1

    @property
    def _dry_run(self) -> bool:
        return self._started is not None and self._started.dry_run

    def _active(self, counters: Snapshot) -> list[tuple[int, _Import]]:
        """The imports that are being carried out, the latest first, each with the number of its source."""
        # The counters say it, too: a viewer that attaches late does not see every event.
        active = {each.source for each in counters.sources if each.active}
        return [item for item in reversed(self._imports.items()) if item[0] in active and not item[1].ended]

    def _latest_import(self) -> tuple[int, _Import]:
        """The import that was begun last; an empty one if there is none."""
        if not self._imports:
            return 0 if self._several else 1, _Import()
        return next(reversed(self._imports.items()))

    def _add_event(self, at: float, event: AnyEvent) -> None:
        match event:
            case RunStarted():
                self._started, self._began = event, at
            case ImportStarted():
                self._imports[event.source] = _Import(started=event)
            case ReadingStarted():
                self._import(event).reading = event
            case SourceOpened():
                self._import(event).opened = event
            case LoadingStarted():
                self._import(event).loading = event
                self._history.add(at, 0 if self._counters is None else self._counters.by_workers)
            case Retrying():
                key = WorkerKey(event.source, event.worker)
                self._retries[key] = _Retry(at + event.seconds, event.attempt, event.error)
            case StatementDelayed():
                self._delays[WorkerKey(event.source, event.worker)] = event.detail
            case WorkerFailed():
                self._failures[WorkerKey(event.source, event.worker)] = event.error
            case Stopping(source=None):
                self._stopping = event
            case Stopping(source=int(source)) if source in self._imports:
                self._imports[source].stopping = event
            case ImportFinished():
                if event.source in self._imports:  # else it was never begun
                    self._imports[event.source].ended = True
                self._forget_workers(event.source)
            case RunFinished():
                self._finished = event
        text = narrate(event, dry_run=self._dry_run, several=self._several)
        if text is not None:
            self._log.append(LogLine(at, level(event), text, isinstance(event, ROUTINE)))
            self._logged = None

    def _import(self, event: ImportEvent) -> _Import:
        return self._imports.setdefault(event.source, _Import())

    def _forget_workers(self, source: int) -> None:
        """Forget the workers of one of several imports, which has ended."""
        for of_workers in (self._sparks, self._retries, self._delays, self._failures):
            for key in [key for key in of_workers if key.source == source]:
                del of_workers[key]

    def _add_counters(self, counters: Snapshot) -> None:
        self._counters = counters
        for key in [key for key, retry in self._retries.items() if not key.worker and counters.at > retry.until]:
            del self._retries[key]  # the engine is not a worker, so no worker state shows the end of its retry
        self._rates.add(counters)
        if not counters.paused:  # a paused run adds nothing to the chart, and would redraw it all the time
            self._history.add(counters.at, counters.by_workers)
        for worker in counters.workers:
            spark = self._sparks.setdefault(worker.key, deque())
            spark.append((counters.at, worker.finished))
            while len(spark) > 2 and counters.at - spark[1][0] >= SPARK_STEPS:
                spark.popleft()
            if worker.state is not WorkerState.RETRYING:
                self._retries.pop(worker.key, None)

    def _state(self, counters: Snapshot, shown: _Import, *, ended: bool, report: Report | None) -> State:
        if report is not None:
            return _OUTCOMES[report.outcome]
        if ended:
            return _OUTCOMES[self._finished.outcome] if self._finished else State.DIED
        if self._finished is not None:
            return State.FINISHING
        if (stopping := self._stopping or shown.stopping) is not None:
            return State.ABORTING if stopping.aborting else State.STOPPING
        if counters.paused:
            return State.PAUSED
        if counters.phase is Phase.INDEXING:
            return State.INDEXING
        if self._retries and all(
            worker.state in (WorkerState.RETRYING, WorkerState.DONE) for worker in counters.workers
        ):
            return State.RETRYING
        if shown.loading is not None:
            return State.LOADING
        return State.READING if shown.reading is not None else State.STARTING

    def _mean(self, counters: Snapshot, report: Report | None) -> float:
        """Return the mean rate: that of the report; before it, since the first row was written."""
        if report is not None:
            return report.stats.records_per_second
        return rows_per_second(counters.by_workers, self._history.seconds)

    def _mean_fill(self) -> float:
        """Return the mean fill of the queue, 0 to 1."""
        fills = [old.queue_depth / old.queue_size for old in self._rates.recent() if old.queue_size]
        return sum(fills) / len(fills) if fills else 0.0

    def _bound(self, state: State, shown: _Import) -> Bound:
        if state.over or state is State.PAUSED:
            return Bound.NOTHING
        if state not in (State.LOADING, State.RETRYING) or self._counters is None:
            return Bound.UNKNOWN
        fill = self._mean_fill()
        if fill >= _DATABASE_BOUND or state is State.RETRYING or self._counters.all_read:
            return Bound.DATABASE
        if fill > _READER_BOUND:
            return Bound.BALANCED
        return Bound.LIMIT if shown.loading is not None and shown.loading.max_rate else Bound.READER

    def _worker(self, worker: WorkerSnapshot, now: float, rate: float) -> WorkerView:
        spark = self._sparks.get(worker.key, deque())
        retry = self._retries.get(worker.key)
        return WorkerView(
            name=f"{worker.source}.{worker.worker}" if self._several else str(worker.worker),
            state=worker.state,
            first_row=worker.in_hand_first_row,
            last_row=worker.in_hand_last_row,
            done=worker.finished,
            rejected=worker.rejected,
            retries=worker.retries,
            batch_seconds=worker.last_batch_seconds,
            rate=rate,
            spark=_steps(spark),
            attempt=retry.attempt if retry else 0,
            retry_in=max(0.0, retry.until - now) if retry else None,
            trouble=self._failures.get(worker.key) or (retry.error if retry else None) or self._delay(worker),
        )

    def _delay(self, worker: WorkerSnapshot) -> str | None:
        return self._delays.get(worker.key) if worker.state is WorkerState.BLOCKED else None

    def _trouble(self, now: float, report: Report | None) -> str | None:
        """Return what is wrong with the whole run, if anything is."""
        if report is not None:
            return report.error
        for key, retry in self._retries.items():
            if not key.worker and retry.until > now:  # the engine's own
                return retry.error
        return next(iter(self._failures.values()), None)

    def _lines(self) -> tuple[LogLine, ...]:
        if self._logged is None:
            self._logged = tuple(self._log)
        return self._logged


def _steps(samples: Sequence[tuple[float, int]]) -> tuple[float, ...]:
    """Return the rows done in each of the last seconds."""
    if len(samples) < 2:
        return ()
    last = samples[-1][0]
    steps = [0.0] * SPARK_STEPS
    for (_, before), (at, rows) in zip(samples, list(samples)[1:], strict=False):
        age = int(last - at)
        if age < SPARK_STEPS:
            steps[SPARK_STEPS - 1 - age] += max(0, rows - before)
    return tuple(steps)
