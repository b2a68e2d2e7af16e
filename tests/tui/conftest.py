"""The dashboard on a stage: scenes shown to real screens, keys pressed, texts read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from tests.support.scenes import Scene, SceneFollower, write
from tui_importer.errors import ExitCode, UsageError
from tui_importer.recording.control import ControlServer
from tui_importer.recording.recordings import recordings_folder
from tui_importer.tui.app import Dashboard
from tui_importer.tui.messages import DashboardResult, ShownRun
from tui_importer.tui.screens.run import RunScreen
from tui_importer.tui.terminal import UNICODE, Glyphs
from tui_importer.tui.widgets.picture import Picture

#: Seconds between two pictures: soon, for a test waits for what it wants to see, but with rests between them, since
#: Textual's pilot waits for one after every key, for a second where there is none.
PERIOD = 0.05

Acting = Callable[[Pilot[DashboardResult]], Awaitable[None]]


class RecordedOrders:
    """A run that only notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def unpause(self) -> None:
        self.told.append("unpause")

    def stop(self, reason: str = "", exit_code: ExitCode = ExitCode.STOPPED) -> None:
        self.told.append("stop")

    def abort(self, reason: str = "", exit_code: ExitCode = ExitCode.STOPPED) -> None:
        self.told.append("abort")

    def change_workers(self, workers: int) -> None:
        if workers < 1:
            raise UsageError("strategy 'batched' takes 1 to 64 workers here")
        self.told.append(f"workers {workers}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of recordings."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return recordings_folder()


@pytest.fixture
def controls(folder: Path) -> Iterator[RecordedOrders]:
    """What takes the orders for the scene's run."""
    run = RecordedOrders()
    place = folder / "control"
    place.mkdir(parents=True)
    server = ControlServer(place, run)
    try:
        yield run
    finally:
        server.close()


class RunScreenSession:
    """A scene on the run screen."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.scene = scene
        self.recording = write(scene, folder)

    def shown(self) -> ShownRun:
        """What the screen is given; orders go to the fixture ``controls``, where a test uses it."""
        return ShownRun(SceneFollower(self.scene), self.recording)

    def app(self, glyphs: Glyphs = UNICODE, theme: str = "importer-dark") -> Dashboard:
        """The dashboard with this run on its first screen."""
        return Dashboard(lambda found: RunScreen(self.shown, found, PERIOD), glyphs, theme)

    def act(
        self, acting: Acting, size: tuple[int, int] = (80, 24), glyphs: Glyphs = UNICODE, theme: str = "importer-dark"
    ) -> DashboardResult | None:
        """Show it once its last picture is drawn, and do something; gives what the application was left with."""
        app = self.app(glyphs, theme)

        async def act(pilot: Pilot[DashboardResult]) -> None:
            await until(pilot, lambda: _drawn(app, self.scene))
            await acting(pilot)

        run(app, act, size)
        return app.return_value


def run(app: App[DashboardResult], acting: Acting, size: tuple[int, int] = (80, 24)) -> None:
    """Run the application without a terminal while something is done."""

    async def go() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await acting(pilot)

    asyncio.run(go())


async def until(pilot: Pilot[Any], wanted: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is so; fails where it never is."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not wanted():
        assert loop.time() < end, f"never came true; the screen shows:\n{page(pilot.app)}"
        await pilot.pause(0.01)
    await pilot.pause()


def text(app: App[Any], name: str) -> str:
    """What the picture of that id shows, frame included."""
    picture = app.screen.query_one(f"#{name}", Picture)
    titles = [str(title) for title in (picture.border_title, picture.border_subtitle) if title]
    return "\n".join([picture.text, *titles])


def page(app: App[Any]) -> str:
    """The whole screen as text."""
    height = app.size.height
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips[:height])


def _drawn(app: Dashboard, scene: Scene) -> bool:
    screen = app.screen
    if not isinstance(screen, RunScreen) or screen.shown is None:
        return False
    view = screen.view
    return view.run_id != "" and view.counters.at == max(_sampled(scene)) and (not scene.ended or view.state.over)


def _sampled(scene: Scene) -> list[float]:
    from tui_importer.core.model.counters import Snapshot

    return [line.what.at for line in scene.lines if isinstance(line.what, Snapshot)]
