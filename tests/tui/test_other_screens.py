"""Rejects, report, runs and log; and what is left when the dashboard itself breaks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from openpyxl import load_workbook
from textual.pilot import Pilot
from textual.widgets import DataTable, Input

from tests.support.scenes import COMMAND, HEADERS, RUN_ID, Scene
from tests.tui.conftest import PERIOD, RunScreenSession, page, run, until
from tui_importer import Plan, Source, UsageError
from tui_importer.events import RowRejected
from tui_importer.process.messages import ImportRequest
from tui_importer.tui.app import Dashboard
from tui_importer.tui.importing import Importing
from tui_importer.tui.messages import DashboardResult
from tui_importer.tui.screens.files import FilesScreen
from tui_importer.tui.screens.rejects import RejectsScreen
from tui_importer.tui.screens.run import RunScreen
from tui_importer.tui.terminal import UNICODE

pytestmark = pytest.mark.once


@pytest.fixture
def ended(folder: Path) -> RunScreenSession:
    """A run that ended with 13 rejects."""
    return RunScreenSession(Scene().begin().load().go(5, 13).finish(), folder)


def test_rejects_screen_lists_filters_and_writes_rejects(
    ended: RunScreenSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("r")
        await until(pilot, lambda: "13 rows rejected" in page(pilot.app))
        table = pilot.app.screen.query_one(DataTable)
        assert [str(table.get_cell_at((row, 0))) for row in range(3)] == [  # type: ignore[arg-type]
            "Sheet1!A43",
            "Sheet1!C1040",
            "Sheet1!D2037",
        ]
        await pilot.press("slash", *"EMAIL")
        await until(pilot, lambda: "3 rows of the rejected fit" in page(pilot.app))
        assert "23505" in page(pilot.app)
        await pilot.press("enter", "w")
        await until(pilot, lambda: "13 rows written to" in page(pilot.app))
        await pilot.press("escape")
        await until(pilot, lambda: "13 rows rejected" in page(pilot.app))
        assert pilot.app.screen.query_one(Input).has_class("hidden")

    ended.act(look, (140, 30))
    sheet = load_workbook(tmp_path / "directory.rejects.xlsx").worksheets[0]
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0][: len(HEADERS)] == HEADERS
    assert len(rows) == 14


def test_mended_rejects_are_imported_from_the_rejects_screen(
    ended: RunScreenSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.csv").write_text("a\n1\n")
    (tmp_path / "mend.csv").write_text("a\n1\n")
    begun: list[Sequence[Plan]] = []

    def plan_for(file: str) -> Plan:
        return Plan(source=Source(file=file, mends=RUN_ID if Path(file).name == "mend.csv" else None))

    def request_for(plans: Sequence[Plan]) -> ImportRequest:
        begun.append(plans)
        raise UsageError("no run begins here")

    importing = Importing(["batched"], request_for, lambda plan: (), plan_for)

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("r")
        await until(pilot, lambda: "13 rows rejected" in page(pilot.app))
        assert "Import mended" in page(pilot.app)
        await pilot.press("m")
        await until(pilot, lambda: "which workbook of mended rejects?" in page(pilot.app))
        await pilot.press("tab", *"other.csv", "enter")
        await until(pilot, lambda: "other.csv: is not a workbook of rejected rows" in page(pilot.app))
        await pilot.press("escape")
        await until(pilot, lambda: "13 rows rejected" in page(pilot.app))
        await pilot.press("m")
        await until(pilot, lambda: "which workbook of mended rejects?" in page(pilot.app))
        await pilot.press("tab", *"mend.csv", "enter")
        await until(pilot, lambda: "no run begins here" in page(pilot.app))

    screen = RunScreen(ended.shown, UNICODE, PERIOD, mend=lambda: importing.mend(UNICODE))
    run(Dashboard(lambda found: screen), look, (120, 30))
    [[plan]] = begun
    assert plan.source.mends == RUN_ID


def test_run_without_rejects_writes_no_workbook(folder: Path) -> None:
    async def look(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("r")
        await until(pilot, lambda: "0 rows rejected" in page(pilot.app))
        await pilot.press("w")
        await until(pilot, lambda: "has rejected no row" in page(pilot.app))

    RunScreenSession(Scene().begin().load().go(2).finish(), folder).act(look, (120, 30))


def test_rejects_screen_limits_the_listed_rejects(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_importer.tui.screens.rejects.MAX_LISTED", 10)

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("r")
        await until(pilot, lambda: "30 rows rejected, the first 10 are listed; w writes all" in page(pilot.app))
        assert isinstance(pilot.app.screen, RejectsScreen)
        assert pilot.app.screen.query_one(DataTable).row_count == 10

    RunScreenSession(Scene().begin().load().go(10, 30), folder).act(look)


def test_report_screen_shows_the_complete_report(ended: RunScreenSession) -> None:
    async def look(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: "to repeat it" in page(pilot.app))
        shown = page(pilot.app)
        for words in (
            "DONE WITH REJECTS",
            "read 100,000 = inserted 99,987 + rejected 13",
            "finished: 13 rows rejected, every other row is in",
            "peak memory 143.2 MB",
            "server   ",
            "31 %",
            "value required but blank",
            "worker 4 ✓ done: 25,000 rows",
            str(ended.recording.folder / "report.json")[:40],
            "directory.rejects.xlsx",
            COMMAND,
        ):
            assert words in shown, words

    ended.act(look, (140, 60))


def test_report_screen_of_a_dead_run_shows_how_to_resume(folder: Path) -> None:
    async def look(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("e")
        await until(pilot, lambda: "gone without a report" in page(pilot.app))
        assert "to resume it" in page(pilot.app)
        assert COMMAND in page(pilot.app)

    RunScreenSession(Scene().begin().load().go(4).die(), folder).act(look, (140, 60))


def test_log_screen_follows_until_scrolled(folder: Path) -> None:
    scene = Scene().begin().load().go(30)

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("l")
        await until(pilot, lambda: "committed rows" in page(pilot.app))
        scene.go(1)
        await until(pilot, lambda: page(pilot.app).count(f"{int(scene.written):,}") > 0)
        await pilot.press("g")
        await until(pilot, lambda: "importing directory.xlsx" in page(pilot.app))
        scene.go(1)
        await pilot.pause(0.1)
        assert "importing directory.xlsx" in page(pilot.app)

    RunScreenSession(scene, folder).act(look, (100, 24))


def test_runs_screen_lists_opens_and_replays_runs(ended: RunScreenSession) -> None:
    async def look(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("u")
        await until(pilot, lambda: RUN_ID in page(pilot.app))
        assert "99,987" in page(pilot.app)
        assert "directory.xlsx → postgresql://db.example/shop · businesses" in page(pilot.app)
        before = pilot.app.screen_stack[1]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen) and pilot.app.screen is not before)
        await until(pilot, lambda: "DONE WITH REJECTS" in page(pilot.app))
        await pilot.press("u")
        await until(pilot, lambda: RUN_ID in page(pilot.app))
        await pilot.press("y")

        def replayed() -> bool:  # however soon it is over
            screen = pilot.app.screen
            return isinstance(screen, RunScreen) and screen.shown is not None and not screen.shown.orders

        await until(pilot, replayed)

    ended.act(look, (180, 30))


def test_file_is_selected_or_typed(tmp_path: Path) -> None:
    (tmp_path / "orders.xlsx").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".hidden.xlsx").touch()
    chosen: list[str] = []

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await until(pilot, lambda: "orders.xlsx" in page(pilot.app))
        assert "notes.txt" not in page(pilot.app)
        assert ".hidden" not in page(pilot.app)
        await pilot.press("down", "enter")
        await until(pilot, lambda: bool(chosen))
        pilot.app.screen.query_one(Input).focus()
        await pilot.press(*"nowhere.csv", "enter")
        await until(pilot, lambda: "nowhere.csv: no such file" in page(pilot.app))

    run(Dashboard(lambda glyphs: FilesScreen(tmp_path, chosen.append, glyphs)), look)
    assert chosen == [str(tmp_path / "orders.xlsx")]


def test_screen_error_shows_no_values(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*drawn: object) -> None:
        password = "canary-9c1d"
        raise RuntimeError(f"a defect, {len(password)} long")

    playing = RunScreenSession(Scene().begin().load().go(1), folder)
    app = playing.app()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await until(pilot, lambda: "LOADING" in page(pilot.app))
        monkeypatch.setattr("tui_importer.tui.widgets.top.Heading.draw", broken)
        playing.scene.go(1)
        await until(pilot, lambda: app._exception is not None)

    with pytest.raises(RuntimeError, match="a defect, 11 long"):
        run(app, look)
    app._print_error_renderables()
    said = " ".join(capsys.readouterr().err.split())  # its lines are folded at the terminal's width, not cut off
    assert "Traceback" in said
    assert "in broken" in said
    assert said.endswith("RuntimeError: a defect, 11 long")
    assert "canary" not in said


def test_rejects_of_several_sources_are_written_to_separate_workbooks(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scene = Scene().begin().load().go(4, 6).second_of_three()
    scene.say(RowRejected(source=1, worker=1, reject=scene.rejects[-1]))

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("r")
        await until(pilot, lambda: "7 rows rejected" in page(pilot.app))
        table = pilot.app.screen.query_one(DataTable)
        assert [str(table.get_cell_at((row, 0))) for row in range(7)] == ["1", *["2"] * 6]  # type: ignore[arg-type]
        await pilot.press("w")
        await until(pilot, lambda: "7 rows written to" in page(pilot.app))

    RunScreenSession(scene, folder).act(look, (140, 30))
    rows = {path.name: load_workbook(path).worksheets[0].max_row for path in tmp_path.glob("*.xlsx")}
    assert rows == {"directory.rejects.xlsx": 2, "february.rejects.xlsx": 7}
