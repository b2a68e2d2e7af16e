"""The picture of a run as a pure function of the lines of its recording."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.scenes import BEGAN, Scene
from tui_importer.core.model.counters import Phase, Snapshot, SourceSnapshot, WorkerSnapshot, WorkerState
from tui_importer.events import (
    ImportFinished,
    ImportStarted,
    LoadingStarted,
    Retrying,
    RunStarted,
    SourceOpened,
    Stopping,
    WorkerFailed,
)
from tui_importer.recording.lines import Line
from tui_importer.tui.history import MAX_POINTS, History
from tui_importer.tui.view import Bound, State, View
from tui_importer.tui.view_builder import ViewBuilder


def seen(scene: Scene, now: float | None = None) -> View:
    """The scene as a screen would show it."""
    builder = ViewBuilder()
    for line in scene.lines:
        builder.feed(line)
    return builder.view(scene.at if now is None else now, ended=scene.ended, report=scene.report)


def test_view_of_a_run_without_events() -> None:
    view = ViewBuilder().view(123.0)
    assert (view.state, view.seconds, view.workers, view.bound) == (State.STARTING, 0.0, (), Bound.UNKNOWN)


def test_view_has_current_and_average_rates() -> None:
    scene = Scene(pace=8_000).begin().load().go(8)
    view = seen(scene)
    assert view.state is State.LOADING
    assert abs(view.mean - scene.written / 8) < 100
    assert 0.7 * 8_000 < view.now < 1.3 * 8_000
    assert view.now <= view.peak
    assert view.seconds_left is not None
    left = (scene.rows - scene.written) / 8_000
    assert 0.6 * left < view.seconds_left < 1.6 * left


def test_rows_of_earlier_runs_count_as_progress_but_not_in_the_rate() -> None:
    scene = Scene().begin().load()
    for place, line in enumerate(scene.lines):
        if isinstance(line.what, Snapshot):
            scene.lines[place] = replace(line, what=replace(line.what, skipped=90_000, read=90_000))
    begun = len(scene.lines)
    scene.go(4, pace=1_000)
    for place in range(begun, len(scene.lines)):
        line = scene.lines[place]
        if isinstance(line.what, Snapshot):
            read = 90_000 + line.what.finished
            scene.lines[place] = replace(line, what=replace(line.what, skipped=90_000, read=read))
    view = seen(scene)
    assert view.counters.finished > 90_000
    assert view.mean < 2_000
    assert view.peak < 2_000
    assert view.seconds_left is not None
    assert view.seconds_left > 3


def test_elapsed_time_advances_and_stops_at_the_end() -> None:
    scene = Scene().begin().load().go(4)
    assert seen(scene, BEGAN + 100).seconds == 100
    ended = seen(scene.finish(), BEGAN + 100)
    assert ended.seconds == scene.at - BEGAN


def test_view_names_the_bottleneck() -> None:
    assert seen(Scene().begin().load().go(4, queue=8)).bound is Bound.DATABASE
    assert seen(Scene().begin().load().go(4, queue=0)).bound is Bound.READER
    assert seen(Scene().begin().load().go(4, queue=4)).bound is Bound.BALANCED
    assert seen(Scene().begin().load().go(4).pause()).bound is Bound.NOTHING
    held = Scene().begin().load().go(4, queue=0)
    held.lines = [
        replace(line, what=LoadingStarted(table="t", strategy="batched", workers=4, batch_size=9, max_rate=100.0))
        if isinstance(line.what, LoadingStarted)
        else line
        for line in held.lines
    ]
    assert seen(held).bound is Bound.LIMIT


def test_retry_counts_down_and_ends_when_the_worker_writes_again() -> None:
    scene = Scene().begin().load().go(4).retry()
    worker = seen(scene, scene.at + 1).workers[2]
    assert (worker.state, worker.attempt, worker.retry_in) == (WorkerState.RETRYING, 2, 3.0)
    assert "server closed" in (worker.trouble or "")
    scene.go(1)
    assert all(worker.retry_in is None and worker.trouble is None for worker in seen(scene).workers)


def test_retries_of_the_engine_are_shown() -> None:
    scene = Scene().begin()
    scene.say(
        Retrying(worker=0, first_row=0, last_row=0, attempt=1, seconds=5, error="the server starts", sqlstate="57P03")
    )
    assert seen(scene).trouble == "the server starts"
    assert seen(scene, scene.at + 6).trouble is None


def test_retry_of_the_engine_ends_after_its_delay() -> None:
    scene = Scene().begin()
    scene.say(
        Retrying(worker=0, first_row=0, last_row=0, attempt=1, seconds=0.5, error="the server starts", sqlstate="57P03")
    )
    assert seen(scene).state is State.RETRYING
    scene.load().go(4)
    assert seen(scene).state is State.LOADING
    scene.count(Phase.READ, [WorkerState.DONE] * 4, all_read=True)
    assert seen(scene).state is State.LOADING


def test_paused_run_has_no_eta() -> None:
    view = seen(Scene().begin().load().go(4).pause())
    assert (view.state, view.seconds_left) == (State.PAUSED, None)


def test_vanished_process_is_shown_as_dead() -> None:
    assert seen(Scene().begin().load().go(4).die()).state is State.DIED
    finished = Scene().begin().load().go(4).finish()
    finished.report = None  # it died between its last event and its report
    assert seen(finished).state is State.DONE


def test_each_phase_has_its_state() -> None:
    assert seen(Scene().begin()).state is State.READING
    assert seen(Scene().begin().load().index()).state is State.INDEXING
    scene = Scene().begin().load().go(1).count(Phase.FINISHED, [WorkerState.DONE] * 4)
    assert seen(scene).state is State.LOADING  # until the run says that it is over


def test_log_marks_repeated_lines() -> None:
    view = seen(Scene().begin().load().go(4).finish())
    assert next(line.text for line in view.log if not line.routine).startswith("importing directory.xlsx")
    assert any(line.routine and "committed rows" in line.text for line in view.log)


@given(st.lists(st.tuples(st.floats(0.01, 30), st.integers(0, 50_000)), max_size=2_000), st.integers(1, 200))
def test_history_is_bounded_and_keeps_the_total(steps: list[tuple[float, int]], columns: int) -> None:
    history, at, finished = History(), 1_000.0, 0
    history.add(at, 0)
    for seconds, rows in steps:
        at, finished = at + seconds, finished + rows
        history.add(at, finished)
    assert len(history._points) <= MAX_POINTS + 1
    rates = history.rates(columns)
    assert all(rate >= 0 for rate in rates)
    if finished:
        assert len(rates) == columns
        total = sum(rates) * history.seconds / columns
        assert abs(total - finished) <= 1e-6 * finished + 1e-6


def test_peak_rate_is_measured_over_at_least_one_second() -> None:
    history = History()
    history.add(0.0, 0)
    history.add(0.1, 5_000)  # a burst of one batch
    history.add(1.0, 5_000)
    history.add(2.0, 9_000)
    assert history.peak == 5_000


@given(st.integers(1, 2_000))
def test_view_is_independent_of_chunking(cut: int) -> None:
    scene = Scene().begin().load().go(6, 5).retry().go(2).finish()
    one, two = ViewBuilder(), ViewBuilder()
    lines: list[Line] = scene.lines
    for line in lines:
        one.feed(line)
    for place, line in enumerate(lines):
        two.feed(line)
        if place % cut == 0:
            two.view(line.at)
    first, second = (each.view(scene.at, ended=True, report=scene.report) for each in (one, two))
    assert replace(first, history=second.history) == second
    assert first.history.rates(40) == second.history.rates(40)


def test_view_shows_the_current_of_several_imports() -> None:
    scene = Scene().begin().load().go(4)
    builder = ViewBuilder()
    for line in scene.lines:
        builder.feed(line)
    at = scene.at
    counts = {"read": 0, "inserted": 0, "updated": 0, "skipped": 0, "rejected": 0, "blank": 0}
    ended = ImportFinished(source=1, outcome="failed", exit_code=1, seconds=1.0, error=None, **counts)
    for event in (
        WorkerFailed(worker=1, first_row=1, last_row=2, error="broken"),
        Stopping(reason="too slow", aborting=True, source=1),
        ended,
        ImportStarted(source=2, file="second.csv", target="other.db", strategy="batched"),
    ):
        builder.feed(Line(at, event))
    view = builder.view(at)
    assert (view.file, view.sheet, view.target, view.table, view.trouble) == ("second.csv", None, "other.db", "", None)
    assert view.state is State.STARTING
    assert view.log[-1].text == "source 2: second.csv into other.db"
    assert "source 1 failed" in view.log[-2].text
    builder.feed(Line(at, SourceOpened(source=2, sheet="S", header_row=1, columns=1, rows=5, seconds=0.1)))
    builder.feed(Line(at, Stopping(reason="enough", aborting=False)))
    view = builder.view(at)
    assert (view.sheet, view.state) == ("S", State.STOPPING)


def several(*phases: Phase) -> tuple[SourceSnapshot, ...]:
    return tuple(
        SourceSnapshot(
            source=number,
            read=9,
            blank=0,
            inserted=9,
            updated=0,
            skipped=0,
            rejected=0,
            source_rows=9,
            phase=phase,
            all_read=True,
        )
        for number, phase in enumerate(phases, start=1)
    )


def test_view_shows_the_latest_active_import_and_all_at_the_end() -> None:
    started = RunStarted(run_id="r", file="a.csv, b.csv, c.csv", target="t.db", strategy="batched", sources=3)
    begun = [ImportStarted(source=n, file=f"{n}.csv", target="t.db", strategy="batched") for n in (1, 2, 3)]
    builder = ViewBuilder()
    builder.feed(Line(1.0, started))
    view = builder.view(1.0)
    assert (view.source, view.sources, view.source_counters) == (0, 3, None)
    for event in begun[:2]:
        builder.feed(Line(2.0, event))
    worker = WorkerSnapshot(1, WorkerState.RETRYING, 5, 0, 0, 0, 1, 0, 1.0, 0.1, None, None, source=2)
    builder.feed(Line(3.0, Snapshot(at=3.0, sources=several(Phase.READING, Phase.READING, Phase.WAITING))))
    view = builder.view(3.0)  # both side by side
    assert (view.source, view.file, view.source_counters) == (0, started.file, None)
    phases = several(Phase.FINISHED, Phase.READING, Phase.WAITING)
    builder.feed(Line(3.0, Snapshot(at=3.0, workers=(worker,), sources=phases)))
    error = Retrying(
        source=1, worker=1, first_row=0, last_row=0, attempt=1, seconds=5, error="not of this one", sqlstate=None
    )
    builder.feed(Line(3.0, error))
    view = builder.view(3.0)
    assert (view.source, view.file, view.source_counters) == (2, "2.csv", phases[1])
    assert [(each.name, each.trouble) for each in view.workers] == [("2.1", None)]
    # Only the counters say that the second one has ended.
    phases = several(Phase.READING, Phase.FINISHED, Phase.WAITING)
    builder.feed(Line(4.0, Snapshot(at=4.0, sources=phases)))
    assert builder.view(4.0).file == "1.csv"
    phases = several(Phase.FINISHED, Phase.FINISHED, Phase.WAITING)
    builder.feed(Line(5.0, Snapshot(at=5.0, sources=phases)))
    assert builder.view(5.0).file == "2.csv"  # until the next one begins
    builder.feed(Line(6.0, begun[2]))
    assert builder.view(6.0).file == "3.csv"
    view = builder.view(7.0, ended=True)
    assert (view.state, view.source, view.file, view.sheet) == (State.DIED, 0, started.file, None)


def test_chart_continues_across_several_imports() -> None:
    scene = Scene(workers=1).begin().load().go(4)
    before = seen(scene).history.seconds
    scene.say(LoadingStarted(source=2, table="t", strategy="batched", workers=1, batch_size=9))
    assert seen(scene).history.seconds >= before > 3
