"""The setup screen: what is found comes bit by bit, what is changed is in the plan, and keys answer meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select
from textual.widgets.select import InvalidSelectValueError

from tests.support.once import once, once_sets
from tests.tui.conftest import page, run, until
from tui_importer.core.model.plan import ColumnPlan, Options, Plan, Source, Target
from tui_importer.core.model.plan_file import load_plan
from tui_importer.core.model.write_mode import WriteKind
from tui_importer.process.messages import (
    Answer,
    Inspected,
    InspectRequest,
    LookAtTargetRequest,
    Previewed,
    Refused,
    Request,
    TargetSeen,
)
from tui_importer.tui.app import Dashboard
from tui_importer.tui.draft import Draft
from tui_importer.tui.inspections import RunningInspection
from tui_importer.tui.messages import DashboardResult
from tui_importer.tui.screens.setup import SetupScreen

COLUMNS = (
    ColumnPlan(source="Zip", letter="A", target="zip", type="text"),
    ColumnPlan(source="Amount", letter="B", target="amount", type="numeric(10,2)"),
    ColumnPlan(source="Paid", letter="C", target="paid", type="date", required=True),
)


@dataclass
class Inspections:
    """Looks that answer when the test says so."""

    asked: list[Request] = field(default_factory=list)
    cancelled: list[Request] = field(default_factory=list)
    on_answer: dict[int, Callable[[Answer], None]] = field(default_factory=dict)

    def __call__(self, request: Request, on_answer: Callable[[Answer], None]) -> RunningInspection:
        self.asked.append(request)
        self.on_answer[len(self.asked) - 1] = on_answer
        return PendingInspection(self, request)

    def answer(self, kind: type[Request], answer: Answer) -> None:
        """Answer the latest look of a kind."""
        number = max(number for number, request in enumerate(self.asked) if isinstance(request, kind))
        self.on_answer[number](answer)


@dataclass
class PendingInspection:
    looks: Inspections
    request: Request

    def cancel(self) -> None:
        self.looks.cancelled.append(self.request)

    def close(self) -> None:
        self.looks.cancelled.append(self.request)


@dataclass
class Setup:
    """A setup screen and what it begins."""

    plan: Plan = field(
        default_factory=lambda: Plan(source=Source(file="orders.xlsx"), target=Target(database="orders.db"))
    )
    looks: Inspections = field(default_factory=Inspections)
    begun: list[Plan] = field(default_factory=list)
    place: tuple[int, int] = (1, 1)

    def app(self) -> Dashboard:
        return Dashboard(
            lambda glyphs: SetupScreen(
                self.plan, ["batched", "sequential"], self.looks, self.begun.append, glyphs, place=self.place
            )
        )

    def preview(self, *, raw: bool = False, sheets: tuple[str, ...] = ("Orders", "Old")) -> None:
        rows = (("Zip", "Amount", "Paid"), ("01234", "9.5", "45000" if raw else "2023-03-15"))
        self.looks.answer(InspectRequest, Previewed(sheets=sheets, sheet=sheets[0], first_row=1, rows=rows, raw=raw))

    def findings(self, columns: tuple[ColumnPlan, ...] = COLUMNS) -> None:
        plan = Plan(source=Source(file="orders.xlsx", sheet="Orders", header_row=1), columns=columns)
        plan = msgspec.structs.replace(plan, target=Target(table="orders"))
        notes = ("column 'Zip': leading zeros, so it stays text", "rows 1 to 2 above the table are left out")
        evidence = {"A": "400 texts", "B": "400 numbers", "C": "400 dates"}
        self.looks.answer(
            InspectRequest, Inspected(plan=plan, reader="calamine", rows=400, evidence=evidence, notes=notes)
        )

    def target(self, *, exists: bool = False, rows: int = 0, obstacle: str | None = None) -> None:
        self.looks.answer(
            LookAtTargetRequest,
            TargetSeen(database="orders.db", table="orders", exists=exists, rows=rows, obstacle=obstacle),
        )


async def found(setup: Setup, pilot: Pilot[DashboardResult], *, created: bool = True) -> None:
    """All that there is to find is found."""
    setup.preview()
    setup.findings()
    await until(pilot, lambda: any(isinstance(asked, LookAtTargetRequest) for asked in setup.looks.asked))
    setup.target()
    if created:
        await until(pilot, lambda: "will be created" in page(pilot.app))


async def begin(setup: Setup, pilot: Pilot[DashboardResult]) -> None:
    """Enter, and nothing is against it."""
    asked = len(setup.looks.asked)
    await pilot.press("enter")
    if not setup.begun:
        await until(pilot, lambda: len(setup.looks.asked) > asked)
        setup.target()
    await until(pilot, lambda: bool(setup.begun))


def test_setup_screen_shows_results_as_they_arrive() -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        assert "findings follow" in page(pilot.app)
        setup.preview(raw=True)
        await until(pilot, lambda: "45000" in page(pilot.app))
        assert "as the file stores them" in page(pilot.app)
        setup.preview()
        await until(pilot, lambda: "2023-03-15" in page(pilot.app))
        assert "as the file stores them" not in page(pilot.app)
        setup.findings()
        await until(pilot, lambda: "400 rows, 3 columns, header in row 1" in page(pilot.app))
        shown = page(pilot.app)
        assert "rows 1 to 2 above the table are left out" in shown
        assert "leading zeros, so it stays text; 400 texts" in shown
        assert "numeric(10,2)" in shown
        assert "date not null" in shown

    run(setup.app(), look, (120, 40))


def test_keys_work_while_a_file_is_being_opened() -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("question_mark")
        assert "what the words mean" in page(pilot.app) or "keys" in page(pilot.app)
        await pilot.press("escape")
        await pilot.press("enter")  # remembered: the run begins once nothing is known against it
        await until(pilot, lambda: "begins once" in page(pilot.app))
        assert setup.begun == []
        await found(setup, pilot, created=False)
        await until(pilot, lambda: bool(setup.begun))
        assert [plan.source.file for plan in setup.begun] == ["orders.xlsx"]

    run(setup.app(), look)
    assert setup.looks.cancelled


@pytest.mark.once
def test_unchanged_file_is_not_inspected_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_importer.tui.screens.setup._TYPING_PAUSE", 0.05)
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        await pilot.pause(0.3)
        assert [type(asked) for asked in setup.looks.asked] == [InspectRequest, LookAtTargetRequest]
        header = pilot.app.screen.query_one("#setup-header", Input)
        header.value = "3"
        await until(pilot, lambda: len(setup.looks.asked) == 3)
        latest = setup.looks.asked[-1]
        assert isinstance(latest, InspectRequest)
        assert latest.plan.source.header_row == 3

    run(setup.app(), look)


@pytest.mark.once
def test_inspection_ends_when_the_run_starts() -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        await pilot.press("enter")
        assert setup.begun
        assert setup.looks.cancelled == setup.looks.asked

    run(setup.app(), look)


@pytest.mark.once
def test_escape_first_leaves_the_focused_field(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = Setup()
    app = setup.app()
    said: list[str] = []  # what is shown for some seconds may be gone before it is looked for
    monkeypatch.setattr(app, "notify", lambda message, **options: said.append(message))

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        pilot.app.screen.query_one("#setup-table", Input).focus()
        await pilot.press("escape")
        assert pilot.app.screen.query_one("#setup-columns").has_focus
        assert app.return_value is None
        await pilot.press("escape", "escape")
        await until(pilot, lambda: any("q quits without importing" in each for each in said))
        assert app.is_running
        await pilot.press("q")

    run(app, look)
    assert app.return_value == DashboardResult()


@pytest.mark.once
@pytest.mark.parametrize(
    "obstacle", ["table 'orders' needs a value in 'vat'", "table 'orders' has no column for 'Amount' (column B)"]
)
def test_plan_incompatible_with_the_table_cannot_be_started(obstacle: str) -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        await pilot.press("space")  # the plan is another one
        for _ in range(2):
            asked = len(setup.looks.asked)
            await pilot.press("enter")
            await until(pilot, lambda asked=asked: len(setup.looks.asked) > asked)  # type: ignore[misc]
            setup.target(exists=True, obstacle=obstacle)
            await until(pilot, lambda: obstacle in page(pilot.app))
            assert pilot.app.screen.query_one("#setup-target").has_class("-error")
        assert setup.begun == []
        await pilot.press("space")
        await begin(setup, pilot)

    run(setup.app(), look, (120, 40))
    assert len(setup.begun) == 1


@pytest.mark.once
def test_enter_retries_an_unreachable_database() -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        setup.preview()
        setup.findings()
        await until(pilot, lambda: isinstance(setup.looks.asked[-1], LookAtTargetRequest))
        setup.looks.answer(LookAtTargetRequest, Refused(error="h:5432: connection refused", exit_code=5))
        await until(pilot, lambda: "connection refused" in page(pilot.app))
        assert setup.begun == []
        await begin(setup, pilot)

    run(setup.app(), look, (120, 40))
    assert len(setup.begun) == 1


@pytest.mark.once
def test_enter_retries_an_unreadable_file() -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        setup.looks.answer(InspectRequest, Refused(error="orders.xlsx: no such file", exit_code=2))
        await until(pilot, lambda: "no such file" in page(pilot.app))
        await pilot.press("enter")
        await until(pilot, lambda: len(setup.looks.asked) == 2)
        assert setup.begun == []
        await found(setup, pilot, created=False)
        await until(pilot, lambda: bool(setup.begun))

    run(setup.app(), look, (120, 40))


@pytest.mark.once
def test_create_mode_with_an_existing_table_cannot_be_started() -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        pilot.app.screen.query_one("#setup-mode", Select).value = "create"
        await until(pilot, lambda: len(setup.looks.asked) == 3)
        setup.target(exists=True, rows=7)
        await until(pilot, lambda: "cannot be created" in page(pilot.app))
        await pilot.press("enter")
        await until(pilot, lambda: len(setup.looks.asked) == 4)
        setup.target(exists=True, rows=7)
        await until(pilot, lambda: "cannot be created" in page(pilot.app))

    run(setup.app(), look, (120, 40))
    assert setup.begun == []


@pytest.mark.once
def test_escape_cancels_a_pending_start() -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await pilot.press("enter", "escape")
        await until(pilot, lambda: "nothing is begun" in page(pilot.app))
        await found(setup, pilot)

    run(setup.app(), look, (120, 40))
    assert setup.begun == []


def test_enter_starts_the_given_plan() -> None:
    setup = Setup(
        Plan(
            source=Source(file="orders.xlsx", header_row=3),
            target=Target(database="postgresql://u:canary@h/d", table="kept"),
            options=Options(workers=3, batch_size=77, max_rejects="5%", skip=("Old",)),
        )
    )

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        assert "canary" not in page(pilot.app)
        await pilot.press("enter")

    run(setup.app(), look)
    [plan] = setup.begun
    assert plan == msgspec.structs.replace(
        setup.plan, source=msgspec.structs.replace(setup.plan.source, sheet="Orders")
    )


def test_changes_are_applied_to_the_plan() -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        await pilot.press("t")
        await until(pilot, lambda: "integer" in page(pilot.app))
        await pilot.press("down", "space")
        await until(pilot, lambda: "left out" in page(pilot.app))
        screen = pilot.app.screen
        screen.query_one("#setup-database", Input).value = "other.db"
        screen.query_one("#setup-table", Input).value = "mine"
        screen.query_one("#setup-strategy", Select).value = "sequential"
        screen.query_one("#setup-mode", Select).value = "create"
        screen.query_one("#setup-workers", Input).value = "2"
        screen.query_one("#setup-batch", Input).value = "500"
        await pilot.pause()
        await begin(setup, pilot)

    run(setup.app(), look, (120, 40))
    [plan] = setup.begun
    assert plan.target == Target(database="other.db", table="mine", mode="create")
    assert (plan.options.strategy, plan.options.workers, plan.options.batch_size) == ("sequential", 2, 500)
    assert (plan.options.types, plan.options.skip) == ({"zip": "integer"}, ("Amount",))


@pytest.mark.once
def test_every_available_write_mode_can_be_selected() -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        mode = pilot.app.screen.query_one("#setup-mode", Select)
        for kind in WriteKind:
            mode.value = kind.value
        with pytest.raises(InvalidSelectValueError):
            mode.value = "merge"

    run(setup.app(), look)


@pytest.mark.once
def test_type_choice_cycles() -> None:
    draft = Draft(Plan(source=Source(file="x"))).inspected(
        Inspected(plan=Plan(source=Source(file="x"), columns=COLUMNS), reader="", rows=1, evidence={}, notes=())
    )
    types = []
    for _ in range(10):
        draft = draft.retyped(1)
        types.append(draft.columns[1].type)
    assert types[-1] == "numeric(10,2)"
    assert len(set(types)) == 10


@pytest.mark.once
@pytest.mark.parametrize(
    ("field_name", "value", "complaint"),
    [
        ("workers", "many", "workers: 'many'"),
        *once_sets(("batch", "0", "batch: '0'"), ("header", "top", "header row: 'top'")),
    ],
)
def test_invalid_setup_is_explained_and_not_started(field_name: str, value: str, complaint: str) -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        pilot.app.screen.query_one(f"#setup-{field_name}", Input).value = value
        await pilot.press("enter")
        await until(pilot, lambda: complaint in page(pilot.app))

    run(setup.app(), look, (120, 40))
    assert setup.begun == []


@pytest.mark.once
def test_plan_without_columns_cannot_be_started() -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        await pilot.press("space", "down", "space", "down", "space", "enter")
        await until(pilot, lambda: "no column is left" in page(pilot.app))

    run(setup.app(), look)
    assert setup.begun == []


@pytest.mark.parametrize(
    ("mode", "exists", "rows", "words", "level"),
    [
        ("append", False, 0, "table orders will be created in orders.db", "-info"),
        *once_sets(
            ("append", True, 0, "exists and is empty", "-info"),
            ("append", True, 9_987, "holds 9,987 rows already: the sheet's rows are added to them", "-warning"),
            ("truncate", True, 9_987, "holds 9,987 rows already: all rows in it are removed", "-warning"),
            ("replace", True, 1, "holds 1 row already: all rows in it are removed", "-warning"),
            ("upsert", True, 9_987, "already: those whose key is in the sheet are updated", "-warning"),
            ("create", True, 9_987, "exists, with 9,987 rows: it cannot be created", "-error"),
        ),
    ],
)
def test_setup_screen_shows_the_effect_on_the_table(mode: str, exists: bool, rows: int, words: str, level: str) -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        pilot.app.screen.query_one("#setup-mode", Select).value = mode
        await pilot.pause()
        setup.target(exists=exists, rows=rows)
        await until(pilot, lambda: words in page(pilot.app))
        assert pilot.app.screen.query_one("#setup-target").has_class(level)

    run(setup.app(), look, (120, 40))


@pytest.mark.once
def test_changing_the_sheet_reinspects_it_and_ignores_old_answers() -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        first = setup.looks.asked[0]
        pilot.app.screen.query_one("#setup-sheet", Select).value = "Old"
        await until(pilot, lambda: isinstance(setup.looks.asked[-1], InspectRequest))
        latest = setup.looks.asked[-1]
        assert isinstance(latest, InspectRequest)
        assert latest.plan.source.sheet == "Old"
        assert first in setup.looks.cancelled
        setup.looks.on_answer[0](Refused(error="too late", exit_code=2))
        await pilot.pause()
        assert "too late" not in page(pilot.app)
        setup.findings()
        await until(pilot, lambda: isinstance(setup.looks.asked[-1], LookAtTargetRequest))
        setup.target()
        await begin(setup, pilot)

    run(setup.app(), look)
    assert setup.begun[0].source.sheet == "Old"


def test_unreadable_file_is_reported_in_one_line() -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        setup.looks.answer(InspectRequest, Refused(error="orders.xlsx: the workbook is encrypted", exit_code=2))
        await until(pilot, lambda: "the workbook is encrypted" in page(pilot.app))

    run(setup.app(), look)


def test_the_plan_is_saved_without_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    url = "postgresql://u:canary@h/d"
    setup = Setup(Plan(source=Source(file="orders.xlsx"), target=Target(database=url)))

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        await pilot.press("s")
        await until(pilot, lambda: Path("orders.plan.toml").exists())

    run(setup.app(), look)
    assert "canary" not in Path("orders.plan.toml").read_text()
    assert load_plan(Path("orders.plan.toml")).source.sheet == "Orders"


@pytest.mark.once
def test_existing_plan_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("orders.plan.toml").write_text("changed by hand")
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        await pilot.press("s")
        await until(pilot, lambda: Path("orders.plan-2.toml").exists())

    run(setup.app(), look)
    assert Path("orders.plan.toml").read_text() == "changed by hand"


@pytest.mark.once
@pytest.mark.parametrize("size", [(80, 24), *once((40, 12), (200, 50))], ids=str)
def test_run_can_be_started_at_any_terminal_size(size: tuple[int, int]) -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        setup.preview()
        setup.findings()
        await until(pilot, lambda: "Zip" in page(pilot.app))
        assert "Start" in page(pilot.app)
        await until(pilot, lambda: isinstance(setup.looks.asked[-1], LookAtTargetRequest))
        setup.target()
        await begin(setup, pilot)

    run(setup.app(), look, size)
    assert len(setup.begun) == 1


def test_sheet_text_is_shown_escaped() -> None:
    setup = Setup()
    evil = "\x1b[2J[bold]x[/]\u202e"

    async def look(pilot: Pilot[DashboardResult]) -> None:
        setup.looks.answer(InspectRequest, Previewed(sheets=(evil,), sheet=evil, first_row=1, rows=((evil,), (evil,))))
        columns = (ColumnPlan(source=evil, letter="A", target="x"),)
        plan = Plan(source=Source(file="orders.xlsx"), target=Target(table="x"), columns=columns)
        setup.looks.answer(
            InspectRequest, Inspected(plan=plan, reader="r", rows=1, evidence={"A": evil}, notes=(evil,))
        )
        await until(pilot, lambda: "1 column" in page(pilot.app))
        shown = page(pilot.app)
        assert r"\x1b[2J[bold]x[/]" in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown

    run(setup.app(), look, (160, 40))


@pytest.mark.parametrize(("place", "key"), [((2, 3), "Next file"), ((3, 3), "Start")])
def test_enter_continues_to_the_next_file_and_starts_at_the_last(place: tuple[int, int], key: str) -> None:
    setup = Setup(place=place)

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        shown = page(pilot.app)
        assert f"{place[0]} of 3: orders.xlsx" in shown
        assert key in shown
        assert ("Next file" in shown) is not ("Start" in shown)
        await begin(setup, pilot)
        assert len(setup.begun) == 1

    run(setup.app(), look)
