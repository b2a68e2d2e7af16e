"""A worker whose statement waits for a lock of others."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from tests.support.scenes import Scene
from tests.tui.conftest import RunScreenSession, text
from tui_importer.core.model.counters import Phase, ReaderCounters, WorkerCounters, WorkerState, take_snapshot
from tui_importer.events import StatementDelayed
from tui_importer.tui.messages import DashboardResult


def test_blocked_worker_shows_what_it_waits_for(folder: Path) -> None:
    states = [WorkerState.BLOCKED, WorkerState.WRITING, WorkerState.WRITING, WorkerState.WRITING]
    scene = Scene().begin().load().go(4)
    scene.say(StatementDelayed(worker=1, seconds=60.0, locked=True, detail="relation, held by process 4711"))
    scene.count(Phase.READING, states)

    async def look(pilot: Pilot[DashboardResult]) -> None:
        pane = text(pilot.app, "worker-1")
        assert "blocked" in pane
        assert "relation" in pane
        assert pilot.app.screen.query_one("#worker-1").has_class("-warning")
        assert "writing" in text(pilot.app, "worker-2")

    RunScreenSession(scene, folder).act(look)


def test_worker_is_blocked_only_while_a_statement_is_in_flight() -> None:
    worker = WorkerCounters(worker=1, state=WorkerState.COMMITTING, blocked=True)
    assert take_snapshot(0.0, ReaderCounters(), [worker]).workers[0].state is WorkerState.BLOCKED
    worker.state = WorkerState.RETRYING
    assert take_snapshot(0.0, ReaderCounters(), [worker]).workers[0].state is WorkerState.RETRYING
