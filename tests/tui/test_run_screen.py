"""The run screen in every state, at every size, by every key."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from tests.support.scenes import RUN_ID, Scene
from tests.tui.conftest import PERIOD, RecordedOrders, RunScreenSession, page, run, text, until
from tui_importer.core.model.counters import Snapshot
from tui_importer.events import Noticed, Reject, Retrying, RowRejected, RunStarted, SourceOpened
from tui_importer.recording.lines import Line
from tui_importer.tui.app import Dashboard
from tui_importer.tui.messages import DashboardResult, ShownRun
from tui_importer.tui.screens.help import HelpScreen
from tui_importer.tui.screens.log import LogScreen
from tui_importer.tui.screens.rejects import RejectsScreen
from tui_importer.tui.screens.report import ReportScreen
from tui_importer.tui.screens.run import RunScreen
from tui_importer.tui.screens.runs import RunsScreen
from tui_importer.tui.terminal import ASCII
from tui_importer.tui.view import View
from tui_importer.tui.widgets.workers import WorkerPane

pytestmark = pytest.mark.once

#: State -> how a scene comes to it.
STATES: dict[str, Callable[[Scene], Scene]] = {
    "READING": lambda scene: scene.begin(),
    "LOADING": lambda scene: scene.begin().load().go(4, 5),
    "RETRYING": lambda scene: scene.begin().load().go(4, 5).retry(everybody=True),
    "PAUSED": lambda scene: scene.begin().load().go(4, 5).pause(),
    "STOPPING": lambda scene: scene.begin().load().go(4, 5).ask_to_stop(),
    "ABORTING": lambda scene: scene.begin().load().go(4, 5).ask_to_stop(aborting=True),
    "INDEXING": lambda scene: scene.begin().load().go(4, 5).index(),
    "FAILED": lambda scene: scene.begin().load().go(4, 5).fail(),
    "STOPPED": lambda scene: scene.begin().load().go(4, 5).ask_to_stop().stop(),
    "DONE": lambda scene: scene.begin().load().go(4).finish(),
    "DONE WITH REJECTS": lambda scene: scene.begin().load().go(4, 13).finish(),
    "DIED": lambda scene: scene.begin().load().go(4, 5).die(),
}


@pytest.mark.parametrize("state", STATES)
def test_each_state_is_shown_as_a_word_without_truncation(state: str, folder: Path) -> None:
    playing = RunScreenSession(STATES[state](Scene()), folder)

    async def look(pilot: Pilot[DashboardResult]) -> None:
        heading = text(pilot.app, "heading")
        assert "directory.xlsx" in heading
        assert f"{state}  00:" in heading
        counts = playing.scene.lines
        assert counts
        # The footer is drawn after the pictures, and anew where other keys mean something.
        await until(pilot, lambda: page(pilot.app).split("\n")[23].strip().startswith(("p Pause", "r Rejects")))

    playing.act(look)


def test_run_screen_shows_progress_rate_eta_and_rejects(folder: Path) -> None:
    scene = Scene().begin().load().go(6, 7)
    done, rejected = int(scene.written), len(scene.rejects)

    async def look(pilot: Pilot[DashboardResult]) -> None:
        app = pilot.app
        assert text(app, "equation").startswith(f"read {done:,} = inserted {done - rejected:,} + rejected {rejected}")
        assert "in flight 20,000" in text(app, "equation")
        assert f"{done:,}/100,000" in text(app, "progress")
        assert f"{done * 100 // 100_000} %" in text(app, "progress")
        assert "ETA 00:0" in text(app, "progress")
        assert "now 9." in text(app, "chart") or "now 10k" in text(app, "chart")
        assert "mean 9." in text(app, "chart")
        assert "peak " in text(app, "chart")
        assert "0:00" in text(app, "chart")
        assert "database" in text(app, "bound")
        assert "queue 6/8" in text(app, "bound")
        assert "value required" in text(app, "rejects")
        assert "A43" in text(app, "rejects")
        assert f"rejected {rejected}" in text(app, "rejects")
        assert "created table businesses" in text(app, "log")
        assert [pane.id for pane in app.screen.query(WorkerPane)] == [f"worker-{number}" for number in range(1, 5)]
        assert "1 rejected" not in text(app, "worker-2")
        assert f"{rejected} rejected" in text(app, "worker-1")

    RunScreenSession(scene, folder).act(look)


def test_unknown_size_is_shown_as_unknown(folder: Path) -> None:
    async def look(pilot: Pilot[DashboardResult]) -> None:
        assert text(pilot.app, "progress").strip() == "reading, size unknown"

    RunScreenSession(Scene().begin(), folder).act(look)

    unknown = Scene(rows=0)
    unknown.begin().load()
    unknown.rows = 10**9
    unknown.go(3)
    for place, line in enumerate(unknown.lines):
        if isinstance(line.what, Snapshot):
            unknown.lines[place] = _without_hint(line)

    async def look_again(pilot: Pilot[DashboardResult]) -> None:
        assert "of how many is not known" in text(pilot.app, "progress")
        assert "ETA unknown" in text(pilot.app, "progress")

    RunScreenSession(unknown, folder.parent / "other").act(look_again)


def test_unavailable_database_is_shown_in_the_heading(folder: Path) -> None:
    scene = Scene().begin()
    error = "the database system is starting up"
    scene.say(Retrying(worker=0, first_row=0, last_row=0, attempt=1, seconds=4.0, error=error, sqlstate="57P03"))

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await until(pilot, lambda: error in text(pilot.app, "progress"))
        assert "RETRYING" in text(pilot.app, "heading")

    RunScreenSession(scene, folder).act(look)


def test_worker_panes_are_reserved_only_when_workers_are_expected(folder: Path) -> None:
    async def look(pilot: Pilot[DashboardResult]) -> None:
        assert "not at work yet" in text(pilot.app, "worker-1")
        assert len(pilot.app.screen.query(WorkerPane)) == 2

    RunScreenSession(Scene().begin(), folder).act(look)

    async def look_again(pilot: Pilot[DashboardResult]) -> None:
        assert not pilot.app.screen.query(WorkerPane)

    RunScreenSession(Scene().begin().end("failed", 1, "no such table"), folder.parent / "other").act(look_again)


def test_retrying_worker_shows_delay_and_reason(folder: Path) -> None:
    async def look(pilot: Pilot[DashboardResult]) -> None:
        pane = text(pilot.app, "worker-3")
        assert "try 3 in 4 s" in pane
        assert "retrying" in pane
        assert "server closed" in pane
        assert "writing" in text(pilot.app, "worker-1")
        assert pilot.app.screen.query_one("#worker-3").has_class("-warning")

    RunScreenSession(Scene().begin().load().go(4).retry(), folder).act(look)


def test_failed_worker_shows_the_reason(folder: Path) -> None:
    async def look(pilot: Pilot[DashboardResult]) -> None:
        assert "failed" in text(pilot.app, "worker-2")
        assert "permission deni" in text(pilot.app, "worker-2")
        assert "worker 2 failed at rows 40,002 to 42,001" in _log(pilot)

    RunScreenSession(Scene().begin().load().go(4).fail(), folder).act(look, size=(120, 40))


@pytest.mark.parametrize(
    ("workers", "size"), [(1, (80, 24)), (5, (80, 24)), (32, (80, 24)), (32, (200, 50)), (8, (120, 40))], ids=str
)
def test_worker_panes_fit_for_any_number_of_workers(workers: int, size: tuple[int, int], folder: Path) -> None:
    async def look(pilot: Pilot[DashboardResult]) -> None:
        panes = list(pilot.app.screen.query(WorkerPane))
        assert len(panes) == workers
        assert all(pane.size.width >= 14 for pane in panes)
        grid = pilot.app.screen.query_one("#workers")
        assert len({pane.region.y for pane in panes}) >= workers / (size[0] // 19)
        last = panes[-1]
        grid.scroll_end(animate=False)
        await pilot.pause()
        assert grid.region.contains_region(last.region)
        # What is below the workers is still there.
        assert pilot.app.screen.query_one("#log").size.height >= 3

    RunScreenSession(Scene(workers=workers).begin().load().go(4, 2), folder).act(look, size=size)


@pytest.mark.parametrize(
    ("state", "size"),
    [
        *(("DONE WITH REJECTS", size) for size in ((40, 12), (20, 6), (200, 50), (300, 90), (60, 24), (119, 20))),
        ("READING", (20, 6)),
        ("READING", (119, 20)),
    ],
)
def test_any_terminal_size_shows_state_and_rows(size: tuple[int, int], state: str, folder: Path) -> None:
    scene = STATES[state](Scene())

    async def look(pilot: Pilot[DashboardResult]) -> None:
        shown = page(pilot.app)
        assert all(len(line) <= size[0] for line in shown.splitlines())
        assert state[: size[0] - 4] in shown
        if size >= (40, 12) and state != "READING":
            assert f"{int(scene.written):,}" in shown
            assert "workers: " in shown or "worker" in shown or "1 " in shown

    RunScreenSession(scene, folder).act(look, size=size)


def test_repeated_resizes_are_handled(folder: Path) -> None:
    async def storm(pilot: Pilot[DashboardResult]) -> None:
        for number in range(12):
            await pilot.resize_terminal(20 + 37 * number % 181, 5 + 23 * number % 60)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "LOADING" in page(pilot.app))
        assert text(pilot.app, "worker-4")
        await until(pilot, lambda: len(page(pilot.app).splitlines()) == 24)

    RunScreenSession(STATES["LOADING"](Scene()), folder).act(storm)


def test_ascii_is_used_in_a_non_utf8_locale(folder: Path) -> None:
    scene = STATES["LOADING"](Scene())

    async def look(pilot: Pilot[DashboardResult]) -> None:
        for name in ("e", "escape", "l", "escape", "r", "escape", "question_mark"):
            shown = page(pilot.app)
            # How Textual shows the key Enter is the terminal's matter.
            assert shown.replace("⏎", "").isascii(), shown
            await pilot.press(name)
            await pilot.pause()

    RunScreenSession(scene, folder).act(look, glyphs=ASCII)

    async def scroll(pilot: Pilot[DashboardResult]) -> None:
        grid = pilot.app.screen.query_one("#workers")
        for row in range(int(grid.max_scroll_y)):
            grid.scroll_to(y=row, animate=False)
            await pilot.pause()
            shown = page(pilot.app)
            assert shown.replace("⏎", "").isascii(), shown

    RunScreenSession(Scene(workers=32).begin().load().go(2), folder.parent / "other").act(scroll, glyphs=ASCII)


@pytest.mark.parametrize("theme", ["importer-dark", "importer-light", "ansi-dark", "ansi-light", "nord"])
def test_every_theme_can_be_rendered(theme: str, folder: Path) -> None:
    async def look(pilot: Pilot[DashboardResult]) -> None:
        assert "LOADING" in page(pilot.app)
        assert pilot.app.theme == theme

    RunScreenSession(STATES["LOADING"](Scene()), folder).act(look, theme=theme)


def test_states_are_readable_without_colour(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def look(pilot: Pilot[DashboardResult]) -> None:
        assert pilot.app.no_color
        shown = page(pilot.app)
        assert "RETRYING" in shown
        assert "retrying" in shown

    RunScreenSession(STATES["RETRYING"](Scene()), folder).act(look)


@pytest.fixture
def live(folder: Path, controls: RecordedOrders) -> Callable[[str], RunScreenSession]:
    """A live run in some state whose orders ``controls`` takes."""

    def play(state: str) -> RunScreenSession:
        playing = RunScreenSession(STATES[state](Scene()), folder / "runs")
        (playing.recording.folder / "control").symlink_to(folder / "control" / "control")
        return playing

    return play


@pytest.mark.parametrize(
    ("state", "key", "order"),
    [
        ("LOADING", "p", "pause"),
        ("PAUSED", "p", "unpause"),
        ("LOADING", "s", "stop"),
        ("STOPPING", "s", "abort"),
        ("LOADING", "plus", "workers 5"),
        ("LOADING", "equals_sign", "workers 5"),
        ("LOADING", "minus", "workers 3"),
    ],
)
def test_keys_send_orders(
    state: str, key: str, order: str, live: Callable[[str], RunScreenSession], controls: RecordedOrders
) -> None:
    async def press(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press(key)
        await until(pilot, lambda: bool(controls.told))
        assert controls.told == [order]

    live(state).act(press)


def test_refused_order_is_reported(live: Callable[[str], RunScreenSession], controls: RecordedOrders) -> None:
    async def press(pilot: Pilot[DashboardResult]) -> None:
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        screen.action_workers(-4)
        await until(pilot, lambda: "takes 1 to 64 workers" in page(pilot.app))
        assert controls.told == []

    live("LOADING").act(press, size=(120, 40))


def test_unreachable_run_is_reported(folder: Path) -> None:
    async def press(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("p")
        await until(pilot, lambda: "does not answer" in page(pilot.app))

    RunScreenSession(STATES["LOADING"](Scene()), folder).act(press, size=(120, 40))


@pytest.mark.parametrize(
    ("key", "screen"),
    [("r", RejectsScreen), ("l", LogScreen), ("question_mark", HelpScreen), ("u", RunsScreen), ("e", ReportScreen)],
)
def test_keys_open_screens_and_escape_returns(key: str, screen: type, folder: Path) -> None:
    async def press(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press(key)
        await until(pilot, lambda: isinstance(pilot.app.screen, screen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))

    RunScreenSession(STATES["DONE WITH REJECTS"](Scene()), folder).act(press)


@pytest.mark.parametrize("key", ["q", "d", "ctrl+c", "ctrl+q"])
def test_leaving_a_live_run_detaches(key: str, folder: Path) -> None:
    playing = RunScreenSession(STATES["LOADING"](Scene()), folder)

    async def leave(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press(key)

    ending = playing.act(leave)
    assert ending is not None
    assert (ending.live, ending.exit_code, ending.report) == (True, 0, None)
    assert ending.recording is not None
    assert ending.recording.run_id == RUN_ID


def test_leaving_a_run_during_its_start_does_not_stop_it(folder: Path) -> None:
    playing = RunScreenSession(STATES["LOADING"](Scene()), folder)
    asked, may = threading.Event(), threading.Event()

    def opening() -> ShownRun:
        asked.set()
        assert may.wait(60)
        return playing.shown()

    app = Dashboard(lambda glyphs: RunScreen(opening, glyphs, PERIOD), theme="importer-dark")

    async def leave(pilot: Pilot[DashboardResult]) -> None:
        await until(pilot, asked.is_set)
        threading.Timer(0.1, may.set).start()
        await pilot.press("q")

    run(app, leave)
    ending = app.return_value
    assert ending is not None
    assert (ending.live, ending.recording) == (True, playing.recording)


@pytest.mark.parametrize(
    ("state", "code"), [("DONE", 0), ("DONE WITH REJECTS", 3), ("FAILED", 1), ("STOPPED", 4), ("DIED", 4)]
)
def test_leaving_an_ended_run_returns_its_exit_code(state: str, code: int, folder: Path) -> None:
    async def leave(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("q")

    ending = RunScreenSession(STATES[state](Scene()), folder).act(leave)
    assert ending is not None
    assert (ending.live, ending.exit_code) == (False, code)


def test_unavailable_keys_are_hidden(folder: Path) -> None:
    async def look(pilot: Pilot[DashboardResult]) -> None:
        await until(pilot, lambda: "Report" in page(pilot.app).splitlines()[-1])
        footer = page(pilot.app).splitlines()[-1]
        assert "Pause" not in footer
        assert "Detach" not in footer
        assert "Quit" in footer

    RunScreenSession(STATES["DONE"](Scene()), folder).act(look)


def test_footer_is_redrawn_only_if_the_available_keys_change(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    playing, drawn = RunScreenSession(Scene().begin(), folder), list[RunScreen]()
    anew = RunScreen.refresh_bindings

    def draw_anew(screen: RunScreen) -> None:
        drawn.append(screen)
        anew(screen)

    async def look(pilot: Pilot[DashboardResult]) -> None:
        monkeypatch.setattr(RunScreen, "refresh_bindings", draw_anew)
        playing.scene.load().go(4, 5).index()
        await until(pilot, lambda: "INDEXING" in text(pilot.app, "heading"))
        await until(pilot, lambda: "Pause" in page(pilot.app).splitlines()[-1])
        assert drawn == []
        playing.scene.finish()
        await until(pilot, lambda: "DONE" in text(pilot.app, "heading"))
        await until(pilot, lambda: "Pause" not in page(pilot.app).splitlines()[-1])
        assert len(drawn) == 1

    playing.act(look)


def test_cell_text_is_shown_escaped(folder: Path) -> None:
    scene = Scene().begin().load().go(4, 5)
    evil = "\x1b]0;owned\x07[bold red]x[/]\x1b[2J\u202e[link=file:///]"
    for place, line in enumerate(scene.lines):
        scene.lines[place] = _poisoned(line, evil)
    for place, reject in enumerate(scene.rejects):
        scene.rejects[place] = _poisoned_reject(reject, evil)

    async def look(pilot: Pilot[DashboardResult]) -> None:
        for key in ("r", "escape", "l", "escape", "u", "escape"):
            shown = page(pilot.app)
            assert not {character for character in shown if ord(character) < 32 and character != "\n"}
            assert "\u202e" not in shown
            await pilot.press(key)
            await pilot.pause()
        assert r"\x1b]0;owned\x07[bold red]" in text(pilot.app, "rejects")

    RunScreenSession(scene, folder).act(look, size=(200, 50))


def test_command_palette_offers_the_key_commands(folder: Path) -> None:
    async def look(pilot: Pilot[DashboardResult]) -> None:
        names = {command.title for command in pilot.app.get_system_commands(pilot.app.screen)}
        assert {"Pause or go on", "Stop", "One worker more", "One worker less", "Rejects", "Log", "Leave"} <= names
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Pause or go on" in page(pilot.app))
        await pilot.press("escape")

    RunScreenSession(STATES["LOADING"](Scene()), folder).act(look)


def test_unchanged_screen_is_not_redrawn(folder: Path) -> None:
    """Refreshes of the panes are counted."""

    async def look(pilot: Pilot[DashboardResult]) -> None:
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        counted: list[str] = []
        for pane in (*screen.query(WorkerPane), screen.query_one("#chart"), screen.query_one("#log")):
            pane.refresh = lambda *_, name=pane.id, **__: counted.append(str(name))
        while True:  # what the screen has to do to be laid out
            counted.clear()
            await pilot.pause(4 * PERIOD)
            if not counted:
                break
        for _ in range(20):
            screen.view = _later(screen.view)
        await pilot.pause()
        assert counted == []

    RunScreenSession(STATES["PAUSED"](Scene()), folder).act(look)


def _log(pilot: Pilot[DashboardResult]) -> str:
    return text(pilot.app, "log")


def _without_hint(line: Line) -> Line:
    assert isinstance(line.what, Snapshot)
    return replace(line, what=replace(line.what, source_rows=None))


def _poisoned(line: Line, evil: str) -> Line:
    match line.what:
        case RunStarted():
            return replace(line, what=msgspec.structs.replace(line.what, file=f"{evil}.xlsx", target=evil))
        case SourceOpened():
            return replace(line, what=msgspec.structs.replace(line.what, sheet=evil))
        case Noticed():
            return replace(line, what=Noticed(message=evil))
        case RowRejected():
            reject = _poisoned_reject(line.what.reject, evil)
            return replace(line, what=msgspec.structs.replace(line.what, reject=reject))
        case tuple():
            return replace(line, what=tuple(replace(group, column=evil, reason=evil) for group in line.what))
        case _:
            return line


def _poisoned_reject(reject: Reject, evil: str) -> Reject:
    faults = tuple(msgspec.structs.replace(fault, column=evil, value=evil, reason=evil) for fault in reject.faults)
    return msgspec.structs.replace(reject, faults=faults)


def _later(view: View) -> View:
    return replace(view, seconds=view.seconds + 0.25)


def test_current_source_of_several_is_named_and_all_are_counted(folder: Path) -> None:
    scene = Scene(workers=2).begin().load().go(4, 5).second_of_three()
    done = int(scene.written)

    async def look(pilot: Pilot[DashboardResult]) -> None:
        app = pilot.app
        assert "2 of 3: february.xlsx › Sheet1 → " in text(app, "heading")
        assert f"source 2: {done * 100 // 100_000} %  {done:,}/100,000" in text(app, "progress")
        assert f"inserted {done - 5 + 1_000:,} + rejected 5" in text(app, "equation")
        assert ["2.1" in text(app, "worker-1"), "2.2" in text(app, "worker-2")] == [True, True]
        assert "2 #2 Name: value requir…" in text(app, "rejects")
        assert "source 2: " in text(app, "log")

    RunScreenSession(scene, folder).act(look)


def test_size_of_the_next_source_is_unknown_while_it_is_opened(folder: Path) -> None:
    scene = Scene().begin().second_of_three()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        assert text(pilot.app, "progress").strip() == "source 2: reading, size unknown"

    RunScreenSession(scene, folder).act(look)


def test_ended_run_of_several_sources_shows_only_their_number(folder: Path) -> None:
    scene = Scene().begin().load().go(4).second_of_three().die()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        assert text(pilot.app, "heading").lstrip().startswith("3 sources → ")

    RunScreenSession(scene, folder).act(look)
