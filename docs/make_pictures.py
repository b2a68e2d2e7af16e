"""Makes the pictures of the dashboard in ``docs/pictures`` from runs that never were.

``python docs/make_pictures.py [FOLDER]``. Nothing in them changes from one time to the next.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from textual.pilot import Pilot  # noqa: E402
from textual.screen import Screen  # noqa: E402

from tests.support.scenes import Scene, SceneFollower, write  # noqa: E402
from tui_importer.core.model.plan import Plan, Source, Target  # noqa: E402
from tui_importer.process.messages import Answer, InspectRequest, Request, TargetSeen  # noqa: E402
from tui_importer.process.start import InspectionProcess  # noqa: E402
from tui_importer.recording.recordings import recordings_folder  # noqa: E402
from tui_importer.tui.app import Dashboard  # noqa: E402
from tui_importer.tui.messages import DashboardResult, ShownRun  # noqa: E402
from tui_importer.tui.screens.run import RunScreen  # noqa: E402
from tui_importer.tui.screens.setup import SetupScreen  # noqa: E402
from tui_importer.tui.terminal import ASCII, UNICODE, Glyphs  # noqa: E402

FOLDER = Path(__file__).with_name("pictures")

#: Name -> the scene, the terminal's size, the theme, the glyphs, and the keys that lead to the screen.
RUNS: dict[str, tuple[Callable[[], Scene], tuple[int, int], str, Glyphs, Sequence[str]]] = {
    "run": (lambda: Scene().begin().load().go(7, 7), (80, 24), "importer-dark", UNICODE, ()),
    "run-large": (lambda: Scene(workers=8).begin().load().go(9, 9), (140, 42), "importer-dark", UNICODE, ()),
    "run-light": (lambda: Scene().begin().load().go(7, 7), (80, 24), "importer-light", UNICODE, ()),
    "run-small": (lambda: Scene().begin().load().go(7, 7), (40, 12), "importer-dark", UNICODE, ()),
    "run-ascii": (lambda: Scene().begin().load().go(7, 7), (80, 24), "ansi-dark", ASCII, ()),
    "retrying": (lambda: Scene().begin().load().go(6, 3).retry(), (80, 24), "importer-dark", UNICODE, ()),
    "report": (lambda: Scene().begin().load().go(11, 13).finish(), (80, 40), "importer-dark", UNICODE, ("e",)),
    "rejects": (lambda: Scene().begin().load().go(11, 13).finish(), (100, 20), "importer-dark", UNICODE, ("r",)),
}

#: What a picture would load from elsewhere: the reader's own typeface will do.
_FONT_FACE = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)


def main(folder: Path) -> None:
    """Make all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["TZ"] = "UTC"
    time.tzset()
    with tempfile.TemporaryDirectory() as state:
        os.environ["HOME"] = state  # what lies in it is shown as ~
        os.environ.pop("XDG_STATE_HOME", None)
        for name, (make, size, theme, glyphs, keys) in RUNS.items():
            scene = make()
            recording = write(scene, recordings_folder())

            def first(found: Glyphs, scene: Scene = scene, recording: object = recording) -> Screen[None]:
                return RunScreen(lambda: ShownRun(SceneFollower(scene), recording), found, 0.02)  # type: ignore[arg-type]

            picture(folder / f"{name}.svg", Dashboard(first, glyphs, theme), size, _shows(scene), keys)
            shutil.rmtree(recording.folder)
        setup(folder / "setup.svg")


def setup(path: Path) -> None:
    """The setup screen, with the sample in it."""
    plan = Plan(source=Source(file=str(ROOT / "sample_data.xlsx")), target=Target(database="sample_data.db"))

    def look(request: Request, on_answer: Callable[[Answer], None]) -> InspectionProcess:
        if isinstance(request, InspectRequest):
            return InspectionProcess(request, on_answer)
        on_answer(TargetSeen(database="sample_data.db", table="businesses", exists=False))
        return InspectionProcess(InspectRequest(plan=plan), lambda answer: None)

    def first(glyphs: Glyphs) -> Screen[None]:
        return SetupScreen(plan, ["async", "batched", "sequential", "threaded"], look, lambda plan: None, glyphs)

    def shows(app: Dashboard) -> bool:
        screen = app.screen
        return (
            isinstance(screen, SetupScreen) and bool(screen.draft.columns) and "will be created" in screen.target_words
        )

    picture(path, Dashboard(first, UNICODE, "importer-dark"), (100, 30), shows, ())


def picture(
    path: Path, app: Dashboard, size: tuple[int, int], shows: Callable[[Dashboard], bool], keys: Sequence[str]
) -> None:
    """Show the application until it shows what it should, press keys, and keep what is seen."""

    async def act(pilot: Pilot[DashboardResult]) -> None:
        while not shows(app):
            await pilot.pause(0.02)
        for key in keys:
            await pilot.press(key)
        before, now = "", seen(app)
        while before != now:  # until nothing changes any more
            await pilot.pause(0.5)
            before, now = now, seen(app)
        path.write_text(now, encoding="utf-8")

    async def go() -> None:
        async with app.run_test(size=size) as pilot:
            await act(pilot)

    asyncio.run(go())


def seen(app: Dashboard) -> str:
    """What the application shows, as SVG."""
    return _FONT_FACE.sub("", app.export_screenshot(title="tui-importer"))


def _shows(scene: Scene) -> Callable[[Dashboard], bool]:
    def shows(app: Dashboard) -> bool:
        screen = app.screen
        if not isinstance(screen, RunScreen):
            return False
        return screen.view.counters.finished == int(scene.written) and (not scene.ended or screen.view.state.over)

    return shows


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
