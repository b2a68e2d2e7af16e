"""The dashboard of a dry run says so in a word, and of no row that it went somewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from tests.support.scenes import Scene, SceneFollower, write
from tests.support.terminal import Terminal
from tests.tui.conftest import PERIOD, RunScreenSession, page, run, text, until
from tui_importer.core.model.report import Verification
from tui_importer.errors import ExitCode
from tui_importer.tui.app import Dashboard
from tui_importer.tui.messages import DashboardResult, ShownRun
from tui_importer.tui.screens.report import ReportScreen
from tui_importer.tui.screens.run import RunScreen
from tui_importer.tui.terminal import UNICODE

pytestmark = pytest.mark.once

SIZES = [(40, 12), (80, 24), (200, 50)]
SAMPLE = Path(__file__).parents[2] / "sample_data.xlsx"

STATES: dict[str, Callable[[Scene], Scene]] = {
    "READING": lambda scene: scene.begin(),
    "LOADING": lambda scene: scene.begin().load().go(4, 5),
    "DONE WITH REJECTS": lambda scene: scene.begin().load().go(4, 13).finish(),
    "DIED": lambda scene: scene.begin().load().go(4, 5).die(),
}


@pytest.mark.parametrize(
    ("state", "size"),
    [*((state, SIZES[place % 3]) for place, state in enumerate(STATES)), ("LOADING", SIZES[0]), ("LOADING", SIZES[2])],
)
def test_heading_marks_a_dry_run(folder: Path, state: str, size: tuple[int, int]) -> None:
    async def look(pilot: Pilot[DashboardResult]) -> None:
        assert f"DRY RUN {state}" in text(pilot.app, "heading")
        shown = page(pilot.app)
        assert "would insert" in shown
        assert "= inserted" not in shown
        assert "created table" not in shown
        assert "writing" not in shown.replace("without writing", "")
        assert " is in " not in shown

    RunScreenSession(STATES[state](Scene(dry_run=True)), folder).act(look, size)


@pytest.mark.parametrize("size", SIZES[1:])
def test_report_screen_of_a_dry_run_says_that_nothing_was_written(folder: Path, size: tuple[int, int]) -> None:
    async def look(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, ReportScreen))
        shown = " ".join(page(pilot.app).split())
        assert "DRY RUN DONE WITH REJECTS" in shown
        assert "would be rejected" in shown
        assert "nothing was written" in shown
        assert " is in " not in shown

    RunScreenSession(STATES["DONE WITH REJECTS"](Scene(dry_run=True)), folder).act(look, size)


def test_report_screen_shows_verification_and_empty_imports(folder: Path) -> None:
    scene = Scene().begin().load().go(4).finish()
    assert scene.report is not None
    verified = Verification(rows=36_000, columns=9)
    scene.report = msgspec.structs.replace(scene.report, verified=verified)

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("e")
        await until(pilot, lambda: "verified: the table holds what the sheet does, 36,000 rows" in page(pilot.app))
        assert "finished: every row is in" in page(pilot.app)

    RunScreenSession(scene, folder).act(look, (120, 40))

    empty = Scene(rows=0).begin().load().finish()
    assert empty.report is not None
    assert empty.report.stats.total_records == 0

    async def look_again(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("e")
        await until(pilot, lambda: "finished: no rows below the header" in page(pilot.app))
        assert " is in " not in page(pilot.app)

    RunScreenSession(empty, folder / "empty").act(look_again, (120, 40))


def replayed(scene: Scene, folder: Path, key: str) -> DashboardResult | None:
    """What the dashboard is left with when a replay is left by this key."""
    recording = write(scene, folder)
    app = Dashboard(
        lambda found: RunScreen(lambda: ShownRun(SceneFollower(scene), recording, orders=False), found, PERIOD), UNICODE
    )

    async def leave(pilot: Pilot[DashboardResult]) -> None:
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.shown is not None)
        await pilot.press(key)
        await until(pilot, lambda: app.return_value is not None)

    run(app, leave)
    return app.return_value


@pytest.mark.parametrize(
    ("state", "key"),
    [("LOADING", "q"), ("LOADING", "ctrl+c"), ("DONE WITH REJECTS", "escape"), ("DIED", "escape"), ("DIED", "ctrl+c")],
)
def test_leaving_a_replay_exits_with_0(folder: Path, state: str, key: str) -> None:
    ending = replayed(STATES[state](Scene()), folder, key)
    assert ending is not None
    assert (ending.exit_code, ending.error, ending.live) == (ExitCode.OK, None, False)


def test_escape_does_not_leave_a_live_run(folder: Path) -> None:
    async def press(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, RunScreen)

    assert RunScreenSession(STATES["LOADING"](Scene()), folder).act(press) is None


def test_dry_run_is_marked_from_setup_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with Terminal([str(SAMPLE), "--db", "here.db", "--dry-run"], tmp_path) as terminal:
        terminal.until("DRY RUN")
        terminal.until("table businesses would be created in here.db")
        terminal.type("\r")
        terminal.until("DRY RUN DONE WITH REJECTS")
        assert "read 10,000 = would insert 9,987 + would reject 13" in terminal.text
        terminal.type("q")
        assert terminal.wait() == 3
        left = terminal.text
    assert "dry run: finished: 13 rows would be rejected" in left
    assert not (tmp_path / "here.db").exists()
    assert not list(tmp_path.glob("*.rejects.xlsx"))
