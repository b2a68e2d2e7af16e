"""The forms over the setup screen, for the write mode and for columns, and what is asked before rows are changed."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select

from tests.tui.conftest import page, run, until
from tests.tui.test_setup_screen import Setup, begin, found
from tui_importer.core.model.plan import Options, Plan, Source, Target
from tui_importer.core.model.write_mode import OnConflict, WriteKind, WriteMode
from tui_importer.errors import PlanError
from tui_importer.process.messages import InspectRequest, TargetSeen
from tui_importer.tui.forms import FORMS, mode_form, options_form
from tui_importer.tui.messages import DashboardResult
from tui_importer.tui.screens.confirm import ConfirmScreen
from tui_importer.tui.screens.form import FormScreen
from tui_importer.tui.target_status import can_begin, target_status

PLAN = Plan(source=Source(file="orders.xlsx"), target=Target(database="orders.db"))
FULL = Plan(
    source=Source(file="orders.xlsx"),
    target=Target(database="orders.db", mode="upsert", key=("id", "day"), update=("price",)),
    options=Options(
        rename={"Unit price": "price"},
        set={"origin": "{file} 'here'"},
        extra_columns="ignore",
        lineage=True,
        create_schema=True,
        comment="a, b",
        before="b.sql",
        after="a.sql",
        dry_run=True,
    ),
)


@pytest.mark.parametrize("name", list(FORMS))
@pytest.mark.parametrize("plan", [PLAN, FULL], ids=["default", "full"])
def test_form_without_changes_makes_the_same_plan(name: str, plan: Plan) -> None:
    form = FORMS[name](plan, plan.target.mode)
    assert form.apply({field.name: field.value for field in form.fields}) == plan


def test_mode_form_makes_a_write_mode() -> None:
    form = mode_form(PLAN, "append")
    plan = form.apply({"mode": "upsert", "key": " id,day ,", "conflict": "", "update": "price"})
    expected = WriteMode(WriteKind.UPSERT, ("id", "day"), OnConflict.UPDATE, ("price",))
    assert plan.target.write_mode == expected
    assert form.effect(plan) == (
        "a row whose key is in the table updates the row there, every other row is added; others see each batch once "
        "it is committed; if its key is there, the row updates the earlier one"
    )


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("price", "rename: 'price' must be like A=b"),
        ("=price", "rename: '=price' must be like A=b"),
        ("'Unit price=price", "rename: a quote is not closed"),
    ],
)
def test_invalid_pairs_are_refused(typed: str, error: str) -> None:
    form = options_form(PLAN, "append")
    values = {field.name: field.value for field in form.fields}
    with pytest.raises(PlanError, match=error):
        form.apply({**values, "rename": typed})


async def opened(pilot: Pilot[DashboardResult], key: str) -> None:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(pilot.app.screen, FormScreen))


async def closed(pilot: Pilot[DashboardResult], key: str) -> None:
    await pilot.press(key)
    await until(pilot, lambda: not isinstance(pilot.app.screen, FormScreen))


def text_field(pilot: Pilot[DashboardResult], name: str) -> Input:
    return pilot.app.screen.query_one(f"#form-{name}", Input)


def choice(pilot: Pilot[DashboardResult], name: str) -> Select[str]:
    return pilot.app.screen.query_one(f"#form-{name}", Select)


@pytest.mark.parametrize("size", [(80, 24), (40, 24)])
def test_values_of_both_forms_are_in_the_plan(size: tuple[int, int]) -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot, created=size[0] == 80)
        await opened(pilot, "m")
        text_field(pilot, "key").value = "zip"
        choice(pilot, "conflict").value = "skip"
        if size[0] == 80:  # on less, it is below the fields, where the form scrolls to
            await until(pilot, lambda: "the row is skipped" in page(pilot.app))
        await closed(pilot, "enter")
        setup.findings()
        await opened(pilot, "o")
        text_field(pilot, "rename").value = "Amount=price"
        text_field(pilot, "set").value = "'source file={file}'"
        choice(pilot, "lineage").value = "yes"
        await closed(pilot, "enter")
        asked = setup.looks.asked[-1]
        assert isinstance(asked, InspectRequest)
        assert asked.plan.options.rename == {"Amount": "price"}
        setup.findings()
        await begin(setup, pilot)

    run(setup.app(), look, size)
    [plan] = setup.begun
    assert plan.target.write_mode == WriteMode(WriteKind.APPEND, ("zip",), OnConflict.SKIP)
    assert plan.options.set == {"source file": "{file}"}
    assert plan.options.lineage


@pytest.mark.once
def test_invalid_value_is_reported_on_the_form() -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        asked = len(setup.looks.asked)
        await opened(pilot, "m")
        text_field(pilot, "update").value = "amount"
        await until(pilot, lambda: "columns to update have an effect only where rows are updated" in unwrapped(pilot))
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, FormScreen)
        await closed(pilot, "escape")
        assert len(setup.looks.asked) == asked

    run(setup.app(), look)
    assert setup.begun == []


def unwrapped(pilot: Pilot[DashboardResult]) -> str:
    return " ".join(page(pilot.app).replace("│", " ").split())


@pytest.mark.parametrize("key", ["y", "n", "escape"])
def test_removing_rows_is_confirmed(key: str) -> None:
    setup = Setup(Plan(source=Source(file="orders.xlsx"), target=Target(database="orders.db", mode="truncate")))

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot, created=False)
        setup.target(exists=True, rows=5_000)
        await until(pilot, lambda: "others see the old rows, until all new ones are in" in unwrapped(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        assert "Remove 5,000 rows of table orders once the sheet's are loaded?" in page(pilot.app)
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, ConfirmScreen)
        await pilot.press(key)
        await until(pilot, lambda: not isinstance(pilot.app.screen, ConfirmScreen))

    run(setup.app(), look)
    assert [plan.target.mode for plan in setup.begun] == (["truncate"] if key == "y" else [])


def seen(rows: int, *, exists: bool = True) -> TargetSeen:
    return TargetSeen(database="orders.db", table="orders", exists=exists, rows=rows)


def test_upsert_into_a_missing_table_needs_a_key() -> None:
    missing = seen(0, exists=False)
    assert not can_begin(missing, WriteMode(WriteKind.UPSERT))
    assert "is not there yet" in target_status(missing, WriteMode(WriteKind.UPSERT), dry_run=False)[0]
    assert can_begin(missing, WriteMode(WriteKind.UPSERT, ("id",)))


def test_target_of_several_sources_says_so() -> None:
    missing, empty = seen(0, exists=False), seen(0)
    assert target_status(missing, WriteMode(), dry_run=False, others=2)[0] == (
        "table orders will be created in orders.db, for this source and 2 others"
    )
    assert target_status(empty, WriteMode(), dry_run=False, others=1)[0].endswith("empty, for this source and 1 other")
