"""A live run rests and goes on, and has more workers or fewer: whatever its user does, every row is in once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.scheduling.test_batch_queue_and_run_control import batch, queue_with
from tests.exactly_once.test_fencing import wait_for
from tests.support.once import once
from tests.support.pairs import in_pairs
from tui_importer import Options, Plan, Report, Run, Source, StrategySpec, Target, UsageError
from tui_importer.core.model.counters import WorkerState
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.scheduling.strategy import Job
from tui_importer.core.scheduling.worker_count import MAX_WORKERS, WorkerCount
from tui_importer.events import (
    AnyEvent,
    BatchCommitted,
    LoadingStarted,
    Paused,
    RunFinished,
    RunStarted,
    Stopping,
    Unpaused,
    WorkerFinished,
    WorkersChanged,
    WorkerStarted,
)
from tui_importer.plugins.registry import load_registry
from tui_importer.testing.failpoints import Failpoint, StageFailpoint, Trap, failing, failpoint_url
from tui_importer.testing.oracle import Oracle
from tui_importer.testing.processes import registry_with

if TYPE_CHECKING:
    from tests.conftest import Database

STRATEGIES = load_registry(found=[]).strategy_names()
ROW_BY_ROW = ("sequential", "threaded")
#: What can have several workers.
SIDE_BY_SIDE = ("threaded", "batched", "async")
BATCH = 5

OnEvent = Callable[["BackgroundImport", AnyEvent], None]


class CommitHook(Trap):
    """Counts commits, and does something after one of them, before its worker goes on."""

    def __init__(self, at: int, act: Callable[[], None]) -> None:
        super().__init__(Failpoint.AFTER_COMMIT, act, at)
        self.commits = 0
        self._lock = threading.RLock()

    def __call__(self, failpoint: Failpoint | StageFailpoint) -> None:
        with self._lock:
            self.commits += failpoint is self.failpoint
            super().__call__(failpoint)


class BackgroundImport:
    """An import in a thread. It pauses itself after the commit number ``pause_at``, where one is given."""

    def __init__(
        self,
        oracle: Oracle,
        database: Database,
        *,
        pause_at: int = 0,
        on_event: OnEvent = lambda running, event: None,
        specs: tuple[StrategySpec, ...] = (),
        **options: Any,
    ) -> None:
        self.oracle, self.database = oracle, database
        self.heard: list[AnyEvent] = []
        self.reports: list[Report] = []
        self._on_event = on_event
        self.gate = CommitHook(pause_at, lambda: self.run.pause())
        rejects = oracle.file.with_suffix(".rejects.xlsx")
        rejects.unlink(missing_ok=True)
        self.run = Run(
            oracle.plan(failpoint_url(database.url), **{"batch_size": BATCH, **options}),
            listener=self._hear,
            registry=registry_with(*specs, failing(load_registry(), self.gate)),
            rejects_file=rejects,
        )
        self._thread = threading.Thread(target=self._execute)

    def _execute(self) -> None:
        self.reports.append(self.run.execute())

    def _hear(self, event: AnyEvent) -> None:
        self.heard.append(event)
        self._on_event(self, event)

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> Report:
        """Wait for the end."""
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.reports[0]

    @property
    def stored(self) -> int:
        rows = self.database.scalar(f"SELECT count(*) FROM {self.oracle.table}")
        assert isinstance(rows, int)
        return rows

    def states(self) -> Counter[WorkerState]:
        return Counter(worker.state for worker in self.run.snapshot().workers)

    def resting(self) -> bool:
        """Paused, everybody at rest, and work enough for everybody."""
        snapshot = self.run.snapshot()
        return (
            snapshot.paused
            and snapshot.queue_depth == snapshot.queue_size
            and len(snapshot.workers) >= snapshot.workers_wanted
            and not {worker.state for worker in snapshot.workers}
            - {WorkerState.IDLE, WorkerState.PAUSED, WorkerState.DONE}
        )

    def connections(self) -> int:
        """The run's connections that write rows or wait for some (PostgreSQL)."""
        count = self.database.scalar(
            f"SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'tui_importer/{self.run.run_id}/%'"
        )
        assert isinstance(count, int)
        return count

    def of(self, *kinds: type) -> list[AnyEvent]:
        return [event for event in self.heard if isinstance(event, kinds)]


@contextmanager
def started(running: BackgroundImport) -> Iterator[BackgroundImport]:
    """The run, which has ended afterwards, also where the test fails."""
    running.start()
    try:
        yield running
    finally:
        running.run.abort("the test is over")
        running.finish()


def prepared(folder: Path, database: Database, rows: int = 90) -> Oracle:
    oracle = Oracle(folder, rows=rows, refused_here=(7, 32, 61), refused_there=(3, 20, 59))
    oracle.prepare(database)
    return oracle


@in_pairs
def test_paused_run_commits_nothing_and_unpaused_run_loads_each_row_once(
    database: Database, tmp_path: Path, strategy: str
) -> None:
    running = BackgroundImport(prepared(tmp_path, database), database, pause_at=7, strategy=strategy, workers=1)
    with started(running):
        wait_for(running.resting)
        # Row by row it rests between two rows of a batch: the seventh commit is that of a row within the second.
        by_row = strategy in ROW_BY_ROW
        assert running.states() == {WorkerState.PAUSED if by_row else WorkerState.IDLE: 1}
        assert running.gate.commits == 7
        stored = running.stored
        # (The header counts as a row of the first batch; four rows were refused by then.)
        assert stored == (6 if by_row else 7 * BATCH - 1 - 4)
        # Nothing is open meanwhile that others would have to wait for, and who is woken rests on.
        database.execute(f"CREATE INDEX free ON {running.oracle.table} (n)")
        running.run.pause()
        assert (running.gate.commits, running.stored) == (7, stored)
        running.run.unpause()
        running.oracle.check(database, running.finish())
    assert running.gate.commits > 7
    told = [event for event in running.heard if isinstance(event, (Paused, Unpaused, BatchCommitted))]
    paused = told.index(Paused())
    # What was in flight as a whole is told after the commit at which the run began to rest.
    assert told[paused + 1 if by_row else paused + 2] == Unpaused()
    assert len(running.of(Paused, Unpaused)) == 2


@pytest.mark.parametrize("strategy", SIDE_BY_SIDE)
def test_pause_finishes_batches_in_flight_of_all_workers(postgres: Database, tmp_path: Path, strategy: str) -> None:
    running = BackgroundImport(prepared(tmp_path, postgres, 200), postgres, pause_at=6, strategy=strategy, workers=3)
    with started(running):
        wait_for(running.resting)
        commits, stored = running.gate.commits, running.stored
        assert 6 <= commits <= 8
        for _ in range(3):
            running.run.pause()
            assert running.resting()
        assert (running.gate.commits, running.stored) == (commits, stored)
        running.run.unpause()
        running.oracle.check(postgres, running.finish())


@pytest.mark.once
@pytest.mark.parametrize("ending", ["stop", *once("abort")])
@in_pairs
def test_paused_run_can_be_stopped_and_resumed(database: Database, tmp_path: Path, strategy: str, ending: str) -> None:
    running = BackgroundImport(prepared(tmp_path, database), database, pause_at=7, strategy=strategy, workers=1)
    with started(running):
        wait_for(running.resting)
        stored = running.stored
        {"stop": running.run.stop, "abort": running.run.abort}[ending]()
        report = running.finish()
    assert (report.outcome, report.exit_code, report.stats.inserted) == ("stopped", 4, stored)
    assert running.stored == stored
    assert not running.run.snapshot().paused
    assert not running.of(Unpaused)
    again = BackgroundImport(running.oracle, database, strategy=strategy)
    with started(again):
        assert again.finish().outcome == "complete_with_rejects"
    running.oracle.check(database)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_run_can_be_paused_before_writing_starts(sqlite: Database, tmp_path: Path, strategy: str) -> None:
    def rest(running: BackgroundImport, event: AnyEvent) -> None:
        if isinstance(event, RunStarted):
            running.run.pause()

    running = BackgroundImport(prepared(tmp_path, sqlite), sqlite, on_event=rest, strategy=strategy)
    with started(running):
        wait_for(running.resting)
        assert (running.gate.commits, running.stored) == (0, 0)
        running.run.unpause()
        running.oracle.check(sqlite, running.finish())


@pytest.mark.once
def test_run_can_be_paused_and_unpaused_repeatedly(database: Database, tmp_path: Path) -> None:
    """One thread pauses the run while another unpauses it."""
    running = BackgroundImport(prepared(tmp_path, database), database, strategy="threaded", batch_size=3)
    with started(running), ThreadPoolExecutor(1) as pool:
        over = threading.Event()

        def toggle() -> None:
            while not over.is_set():
                running.run.pause()
                running.run.unpause()

        toggling = pool.submit(toggle)
        try:
            running.oracle.check(database, running.finish())
        finally:
            over.set()
        toggling.result(60)
    assert isinstance(running.heard[-1], RunFinished)
    # What is told is what was done: never the one twice without the other.
    told = running.of(Paused, Unpaused)
    assert all(event == (Unpaused() if number % 2 else Paused()) for number, event in enumerate(told))


def test_no_event_follows_run_finished(sqlite: Database, tmp_path: Path) -> None:
    """An order that arrives too late changes neither the report nor the events."""
    late: list[str] = []

    def too_late(running: BackgroundImport, event: AnyEvent) -> None:
        if isinstance(event, RunFinished):
            for order in (running.run.pause, running.run.unpause, running.run.stop, running.run.abort):
                order()
            with pytest.raises(UsageError, match="while rows are being written"):
                running.run.change_workers(1)
            late.append(event.outcome)

    running = BackgroundImport(prepared(tmp_path, sqlite), sqlite, on_event=too_late)
    with started(running):
        running.oracle.check(sqlite, running.finish())
        running.run.stop()
    assert late == ["complete_with_rejects"]
    assert isinstance(running.heard[-1], RunFinished)
    assert not running.run.snapshot().paused


@pytest.mark.parametrize("strategy", SIDE_BY_SIDE)
def test_changing_workers_keeps_every_row_once(postgres: Database, tmp_path: Path, strategy: str) -> None:
    gone: list[int] = []

    def rest_once_two_are_gone(running: BackgroundImport, event: AnyEvent) -> None:
        if isinstance(event, WorkerFinished):
            gone.append(event.worker)
            if len(gone) == 2:
                running.run.pause()

    running = BackgroundImport(
        prepared(tmp_path, postgres, 600),
        postgres,
        pause_at=3,
        on_event=rest_once_two_are_gone,
        strategy=strategy,
        workers=1,
    )
    with started(running):
        wait_for(running.resting)
        one = running.connections()
        running.run.change_workers(4)
        wait_for(lambda: len(running.of(WorkerStarted)) == 4 and running.resting())
        assert running.connections() == one + 3
        assert running.run.snapshot().workers_wanted == 4
        running.run.change_workers(2)
        running.run.unpause()
        wait_for(lambda: len(gone) == 2 and running.resting())
        assert running.states()[WorkerState.DONE] == 2
        wait_for(lambda: running.connections() == one + 1)
        running.run.change_workers(3)
        wait_for(lambda: len(running.of(WorkerStarted)) == 5 and running.resting())
        assert running.connections() == one + 2
        running.run.unpause()
        report = running.finish()
    running.oracle.check(postgres, report)
    assert running.of(WorkersChanged) == [WorkersChanged(workers=number) for number in (4, 2, 3)]
    # Numbers are not given twice: each worker has its own counters for good.
    assert [worker.worker for worker in running.run.snapshot().workers] == [1, 2, 3, 4, 5]
    assert running.states() == {WorkerState.DONE: 5}


@pytest.mark.once
@pytest.mark.parametrize("strategy", SIDE_BY_SIDE)
def test_worker_count_can_be_changed_repeatedly(postgres: Database, tmp_path: Path, strategy: str) -> None:
    numbers = iter([5, 1, 8, 2, 3, 1, 6, 4] * 50)

    def change(running: BackgroundImport, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            running.run.change_workers(next(numbers))

    running = BackgroundImport(
        prepared(tmp_path, postgres, 300), postgres, on_event=change, strategy=strategy, batch_size=3
    )
    with started(running):
        running.oracle.check(postgres, running.finish())


def refused(running: BackgroundImport, workers: int) -> str:
    with pytest.raises(UsageError) as caught:
        running.run.change_workers(workers)
    return str(caught.value)


@pytest.mark.parametrize("strategy", SIDE_BY_SIDE)
def test_single_writer_database_keeps_one_worker(sqlite: Database, tmp_path: Path, strategy: str) -> None:
    running = BackgroundImport(prepared(tmp_path, sqlite), sqlite, pause_at=3, strategy=strategy)
    with started(running):
        wait_for(running.resting)
        assert "one writer" in refused(running, 2)
        running.run.change_workers(1)  # as it is
        running.run.unpause()
        running.oracle.check(sqlite, running.finish())
    assert not running.of(WorkersChanged)


def test_single_worker_strategy_keeps_one_worker(postgres: Database, tmp_path: Path) -> None:
    running = BackgroundImport(prepared(tmp_path, postgres), postgres, pause_at=3, strategy="sequential")
    with started(running):
        wait_for(running.resting)
        assert refused(running, 2) == "strategy 'sequential' works with one worker"
        running.run.unpause()
        running.oracle.check(postgres, running.finish())


class FixedWorkers:
    """One worker after the other, and never a question."""

    max_workers: int | None = None

    def run(self, job: Job) -> None:
        with job.writer() as writer:
            for each in job.batches():
                writer.write(each)


def test_strategy_without_dynamic_workers_keeps_its_workers(postgres: Database, tmp_path: Path) -> None:
    spec = StrategySpec("rigid", "never asks", FixedWorkers)
    running = BackgroundImport(prepared(tmp_path, postgres), postgres, pause_at=3, specs=(spec,), strategy="rigid")
    with started(running):
        wait_for(lambda: running.run.snapshot().paused)
        assert refused(running, 3) == "strategy 'rigid' keeps the workers that it began with"
        running.run.unpause()
        running.oracle.check(postgres, running.finish())


@pytest.mark.once
@pytest.mark.parametrize("workers", [0, *once(-1, MAX_WORKERS + 1)])
def test_invalid_worker_counts_are_refused(postgres: Database, tmp_path: Path, workers: int) -> None:
    running = BackgroundImport(prepared(tmp_path, postgres), postgres, pause_at=3)
    with started(running):
        wait_for(running.resting)
        assert refused(running, workers) == f"strategy 'batched' takes 1 to {MAX_WORKERS} workers"
        running.run.unpause()
        running.oracle.check(postgres, running.finish())


@pytest.mark.once
@pytest.mark.parametrize("strategy", SIDE_BY_SIDE)
def test_workers_can_be_changed_once_the_first_has_started(postgres: Database, tmp_path: Path, strategy: str) -> None:
    """Before its first worker connects, it is known whether a strategy supports changing the number."""

    def change(running: BackgroundImport, event: AnyEvent) -> None:
        if isinstance(event, WorkerStarted) and event.worker == 1:
            running.run.change_workers(2)

    running = BackgroundImport(prepared(tmp_path, postgres), postgres, on_event=change, strategy=strategy, workers=1)
    with started(running):
        running.oracle.check(postgres, running.finish())
    assert running.of(WorkersChanged) == [WorkersChanged(workers=2)]


@pytest.mark.once
@pytest.mark.parametrize("moment", [LoadingStarted, *once(RunStarted, Stopping, RunFinished)])
def test_workers_can_only_be_changed_while_rows_are_written(
    postgres: Database, tmp_path: Path, moment: type[AnyEvent]
) -> None:
    reasons: list[str] = []

    def change(running: BackgroundImport, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted) and moment is Stopping:
            running.run.stop()
        if isinstance(event, moment):
            reasons.append(refused(running, 2))

    running = BackgroundImport(prepared(tmp_path, postgres), postgres, on_event=change)
    assert "while rows are being written" in refused(running, 2)
    with started(running):
        running.finish()
    assert reasons == ["the workers can be changed while rows are being written"]
    assert not running.of(WorkersChanged)


def test_workers_cannot_be_changed_after_the_last_row(postgres: Database, tmp_path: Path) -> None:
    """Indexes are still to be created then."""
    path = tmp_path / "sample.csv"
    path.write_text("Name,Category,Phone,Email,Address,City,Country,Website,Description\n" + "a,b,c,d,e,f,g,h,i\n" * 20)
    reasons: list[str] = []

    def on_event(event: AnyEvent) -> None:
        if isinstance(event, WorkerFinished):
            finished.append(event)
        if type(event).__name__ == "IndexesCreated":
            with pytest.raises(UsageError) as caught:
                run.change_workers(5)
            reasons.append(str(caught.value))

    finished: list[AnyEvent] = []
    plan = Plan(source=Source(file=str(path)), target=Target(database=postgres.url), options=Options())
    run = Run(plan, listener=on_event)
    assert run.execute().outcome == "complete"
    assert finished
    assert reasons == ["the workers can be changed while rows are being written"]


# The parts by themselves.


def test_end_of_a_pause_wakes_all_waiters() -> None:
    for end in (
        lambda control: control.pause(paused=False),
        lambda control: control.stop("x"),
        lambda control: control.abort("x"),
        RunControl.close,
    ):
        control = RunControl()
        assert control.pause(paused=True)
        with ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(control.wait_while_paused) for _ in range(2)]
            end(control)
            assert [one.result(60) for one in waiting] == [None, None]
        control.close()
        assert not control.paused


def test_repeated_pause_changes_nothing() -> None:
    control, woken = RunControl(), threading.Semaphore(0)
    control.on_change(woken.release)
    assert [control.pause(paused=paused) for paused in (False, True, True, False, False)] == [
        *(False, True, False, True, False)
    ]
    assert control.pause(paused=True)
    assert control.stop("enough")
    assert not control.paused
    assert not control.pause(paused=True)
    for _ in range(8):
        assert woken.acquire(blocking=False)


def test_ended_run_cannot_be_stopped() -> None:
    control = RunControl()
    control.close()
    assert not control.pause(paused=True)
    assert not control.stop("too late")
    assert not control.abort("too late")
    assert (control.paused, control.stopping, control.aborting, control.reason) == (False, False, False, None)


def test_queue_delivers_each_batch_once_after_a_pause() -> None:
    control = RunControl()
    queue = queue_with(control, capacity=4)
    said: list[object] = []

    def consume() -> list[int]:
        taken = []
        while (one := queue.take()) is not None:
            said.append(one.number)
            taken.append(one.number)
        return taken

    control.pause(paused=True)
    with ThreadPoolExecutor(4) as pool:
        consumers = [pool.submit(consume) for _ in range(3)]
        for number in range(4):
            assert queue.put(batch(number))
        feeding = pool.submit(lambda: [queue.put(batch(number)) for number in range(4, 9)])
        queue.wake()
        assert queue.depth == queue.capacity
        said.append("go on")
        control.pause(paused=False)
        assert feeding.result(60) == [True] * 5
        queue.end()
        taken = [number for one in consumers for number in one.result(60)]
    assert said[0] == "go on"
    assert sorted(taken) == list(range(9))


def test_paused_queue_ends_when_empty_or_stopped() -> None:
    control = RunControl()
    queue = queue_with(control)
    control.pause(paused=True)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(queue.take)
        queue.end()
        assert waiting.result(60) is None, "nothing will come: there is nothing to wait for"
    queue = queue_with(control)
    queue.put(batch(1))
    queue.end()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(queue.take)
        control.stop("x")
        assert waiting.result(60) is None
    assert queue.depth == 1


@given(wanted=st.integers(1, 9), changes=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 12), st.integers(0, 12))))
def test_worker_count_converges_to_the_wanted_number(wanted: int, changes: list[tuple[int, int, int]]) -> None:
    """Starts and stops balance, however often and in whichever order workers ask."""
    worker_count = WorkerCount(wanted)
    assert not worker_count.flexible
    present = wanted
    for new, starts, stops in changes:
        worker_count.wanted = new
        begun = sum(worker_count.should_start_worker() for _ in range(starts))
        assert begun == min(starts, max(0, new - present))
        present += begun
        ended = sum(worker_count.should_stop_worker() for _ in range(stops))
        assert ended == min(stops, max(0, present - new))
        present -= ended
        assert present >= 1
    while worker_count.should_start_worker():
        present += 1
    while worker_count.should_stop_worker():
        present -= 1
    assert present == worker_count.wanted
    assert worker_count.flexible


def test_worker_count_is_thread_safe() -> None:
    worker_count = WorkerCount(8)
    worker_count.wanted = 3
    barrier = threading.Barrier(8)

    def ask(question: Callable[[], bool]) -> bool:
        barrier.wait(60)
        return question()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, [worker_count.should_stop_worker] * 8)) == 5
        worker_count.wanted = 7
        assert sum(pool.map(ask, [worker_count.should_start_worker] * 8)) == 4
