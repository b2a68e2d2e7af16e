"""Options of plugins on the setup screen: fields built from what the plugins declare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select

from tests.support.once import once
from tests.tui.conftest import page, run, until
from tests.tui.test_setup_screen import Setup, begin, found
from tui_importer.core.model.plan import Options, Plan, Source, Target
from tui_importer.core.model.plan_file import load_plan
from tui_importer.core.model.plugin_values import PluginValue
from tui_importer.errors import UsageError
from tui_importer.plugins.options import OptionSet, declared
from tui_importer.process.messages import InspectRequest, LookAtTargetRequest
from tui_importer.tui.app import Dashboard
from tui_importer.tui.messages import DashboardResult
from tui_importer.tui.screens.setup import SetupScreen


class SlowOptions(msgspec.Struct, frozen=True):
    """Options of a strategy: a number, a choice, a boolean, a text, and a choice without a default."""

    pause: Annotated[float, msgspec.Meta(ge=0, description="Seconds to rest after each batch.")] = 0.5
    order: Literal["first", "last"] = "first"
    careful: bool = False
    note: str | None = None
    side: Literal["left", "right"] | None = None


class LinesOptions(msgspec.Struct, frozen=True):
    """Options of a reader."""

    upper: bool = False


class FarOptions(msgspec.Struct, frozen=True):
    """Options of a backend."""

    depth: int = 3


SLOW = declared("strategy", ("slow",), SlowOptions)
LINES = declared("reader", ("lines",), LinesOptions)
FAR = declared("backend", ("far",), FarOptions)


def options_for(plan: Plan) -> Sequence[OptionSet]:
    """As if "slow" were a strategy with options, and "far" a backend."""
    database = plan.target.database or ""
    if database.startswith("nowhere"):
        raise UsageError("no backend knows nowhere:// URLs")
    by_strategy = (SLOW,) if plan.options.strategy == "slow" else ()
    return (LINES, *by_strategy, *((FAR,) if database.startswith("far") else ()))


class SetupWithOptions(Setup):
    """A setup screen with plugins that have options."""

    def app(self) -> Dashboard:
        strategies = ["batched", "slow"]
        return Dashboard(
            lambda glyphs: SetupScreen(self.plan, strategies, self.looks, self.begun.append, glyphs, options_for)
        )


def given(strategy: str = "batched", **plugin_options: dict[str, PluginValue]) -> Plan:
    return Plan(
        source=Source(file="orders.xlsx"),
        target=Target(database="orders.db"),
        options=Options(strategy=strategy, plugin_options=plugin_options),
    )


def field(pilot: Pilot[DashboardResult], name: str) -> Input | Select[str]:
    """The field of an option."""
    [shown] = [each for each in pilot.app.screen.query("Input, Select") if each.name == name]
    assert isinstance(shown, (Input, Select))
    return shown


@pytest.mark.parametrize("size", [(80, 24), *once((40, 30), (200, 50))], ids=str)
def test_options_of_the_selected_plugins_have_fields(size: tuple[int, int]) -> None:
    setup = SetupWithOptions()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot, created=False)
        assert "lines.upper" in page(pilot.app)
        assert "slow.pause" not in page(pilot.app)
        pilot.app.screen.query_one("#setup-strategy", Select).value = "slow"
        await until(pilot, lambda: "slow.pause" in page(pilot.app))
        pause = field(pilot, "slow.pause")
        assert isinstance(pause, Input)
        assert (pause.value, pause.placeholder) == ("", "0.5")
        if size[0] > 40:
            assert "Seconds to rest after each batch" in page(pilot.app)
        assert "Start" in page(pilot.app)
        pilot.app.screen.query_one("#setup-strategy", Select).value = "batched"
        await until(pilot, lambda: "slow.pause" not in page(pilot.app))

    run(setup.app(), look, size)


@pytest.mark.once
def test_plugin_options_take_no_space_if_there_are_none() -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        assert pilot.app.screen.query_one("#setup-options").size.height == 0

    run(setup.app(), look)


def test_only_changed_plugin_options_are_in_the_plan() -> None:
    setup = SetupWithOptions(given("slow", slow={"careful": True, "note": "x", "pause": 2.0}, other={"a": 1}))

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        await until(pilot, lambda: "slow.pause" in page(pilot.app))
        shown = {name: field(pilot, f"slow.{name}").value for name in ("pause", "order", "careful", "note", "side")}
        assert shown == {"pause": "2", "order": "first", "careful": "true", "note": "x", "side": Select.NULL}
        field(pilot, "slow.pause").value = "1.5"
        field(pilot, "slow.order").value = "last"
        field(pilot, "slow.side").value = "left"
        field(pilot, "slow.note").value = ""
        await pilot.pause()
        await begin(setup, pilot)

    run(setup.app(), look, (120, 40))
    assert setup.begun[0].options.plugin_options == {
        "slow": {"pause": 1.5, "order": "last", "careful": True, "side": "left"},
        "other": {"a": 1},
    }


@pytest.mark.once
def test_unchanged_plugin_options_are_not_in_the_plan() -> None:
    setup = SetupWithOptions(given("slow"))

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        await pilot.press("enter")

    run(setup.app(), look, (120, 40))
    assert setup.begun[0].options.plugin_options == {}


@pytest.mark.once
def test_invalid_option_value_is_reported_and_the_run_is_not_started() -> None:
    setup = SetupWithOptions(given("slow"))

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        field(pilot, "slow.pause").value = "-1"
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: "slow.pause must be a number from 0, not '-1'" in page(pilot.app))

    run(setup.app(), look, (120, 40))
    assert setup.begun == []


@pytest.mark.once
def test_reader_option_reinspects_the_file_and_other_options_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui_importer.tui.screens.setup._TYPING_PAUSE", 0.05)
    setup = SetupWithOptions(given("slow"))

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        field(pilot, "slow.pause").value = "3"
        await until(pilot, lambda: len(setup.looks.asked) == 3)
        assert isinstance(setup.looks.asked[-1], LookAtTargetRequest)
        field(pilot, "lines.upper").value = "true"
        await until(pilot, lambda: len(setup.looks.asked) == 4)
        assert isinstance(setup.looks.asked[-1], InspectRequest)
        assert setup.looks.asked[-1].plan.options.plugin_options == {"lines": {"upper": True}, "slow": {"pause": 3.0}}

    run(setup.app(), look, (120, 40))


@pytest.mark.once
def test_option_fields_follow_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_importer.tui.screens.setup._TYPING_PAUSE", 0.05)
    setup = SetupWithOptions()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        database = pilot.app.screen.query_one("#setup-database", Input)
        database.value = "far.db"
        await until(pilot, lambda: "far.depth" in page(pilot.app))
        field(pilot, "far.depth").value = "5"
        database.value = "nowhere"  # as long as there is no such backend, the fields stay
        await pilot.pause(0.3)
        assert "far.depth" in page(pilot.app)
        database.value = "near.db"
        await until(pilot, lambda: "far.depth" not in page(pilot.app))
        database.value = "far.db"
        await until(pilot, lambda: "far.depth" in page(pilot.app))
        assert field(pilot, "far.depth").value == "5"

    run(setup.app(), look, (120, 40))


@pytest.mark.once
def test_plugin_options_are_saved_with_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    setup = SetupWithOptions(given("slow", slow={"pause": 2.0}))

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        await pilot.press("s")
        await until(pilot, lambda: Path("orders.plan.toml").exists())

    run(setup.app(), look)
    assert load_plan(Path("orders.plan.toml")).options.plugin_options == {"slow": {"pause": 2.0}}
