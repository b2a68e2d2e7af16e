"""The format of a column on the setup screen: into the plan, shown on some cells, and refused at its field."""

from __future__ import annotations

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select

from tests.tui.conftest import page, run, until
from tests.tui.test_setup_screen import COLUMNS, Setup, begin, found
from tui_importer.core.model.formats import ColumnFormat, Formats
from tui_importer.core.model.plan import Options, Plan, Source, Target
from tui_importer.core.model.types import ColumnType
from tui_importer.process.messages import InspectRequest, Previewed
from tui_importer.tui.column_formats import GivenFormat, effect, format_words, own_format, with_format
from tui_importer.tui.messages import DashboardResult
from tui_importer.tui.screens.format import FormatScreen
from tui_importer.tui.screens.setup import SetupScreen

GIVEN = Formats(
    all=ColumnFormat(null_if=("NA", "a,b"), decimal_mark=","),
    columns={"Paid": ColumnFormat(date_format="mdy", round=True)},
)


def given(formats: Formats = GIVEN, **options: object) -> Plan:
    return Plan(
        source=Source(file="orders.csv"),
        target=Target(database="orders.db"),
        formats=formats,
        options=Options(**options),  # type: ignore[arg-type]
    )


def texts(setup: Setup) -> None:
    rows = (("Zip", "Amount", "Paid"), ("01234", "9,5", "03/04/2024"), ("04567", "NA", "05/06/2024"))
    setup.looks.answer(InspectRequest, Previewed(sheets=("Orders",), sheet="Orders", first_row=1, rows=rows))


async def opened(pilot: Pilot[DashboardResult], column: int) -> None:
    await pilot.press(*["down"] * column, "f")
    await until(pilot, lambda: isinstance(pilot.app.screen, FormatScreen))


async def closed(pilot: Pilot[DashboardResult], key: str) -> None:
    await pilot.press(key)
    await until(pilot, lambda: not isinstance(pilot.app.screen, FormatScreen))


def field(pilot: Pilot[DashboardResult], name: str) -> Input:
    return pilot.app.screen.query_one(f"#format-{name}", Input)


def test_changed_format_is_in_the_plan_and_the_file_is_inspected_again() -> None:
    setup = Setup(given(Formats()))

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        await opened(pilot, 2)
        field(pilot, "date").value = "DD/MM/YYYY"
        field(pilot, "null").value = " NA, -,"
        pilot.app.screen.query_one("#format-mark", Select).value = ","
        await closed(pilot, "enter")
        await until(pilot, lambda: "date not null DD/MM/YYYY" in page(pilot.app))
        assert "NULL: NA, -" in page(pilot.app)
        asked = setup.looks.asked[-1]
        assert isinstance(asked, InspectRequest)
        assert asked.plan.formats.all.null_if == ("NA", "-")
        setup.findings()
        await begin(setup, pilot)

    run(setup.app(), look, (120, 40))
    [plan] = setup.begun
    own = ColumnFormat(date_format="DD/MM/YYYY", decimal_mark=",")
    assert plan.formats == Formats(all=ColumnFormat(null_if=("NA", "-")), columns={"Paid": own})


@pytest.mark.once
def test_invalid_format_is_reported_at_its_field_until_edited() -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        asked = len(setup.looks.asked)
        await opened(pilot, 0)
        await pilot.press("x", "y", "enter")
        await until(pilot, lambda: "date_format must be like" in page(pilot.app))
        lines = page(pilot.app).splitlines()
        place = next(number for number, line in enumerate(lines) if "date format" in line)
        assert "date_format must be like" in lines[place + 2]
        assert isinstance(pilot.app.screen, FormatScreen)
        assert field(pilot, "date").has_focus
        await pilot.press("z")
        await until(pilot, lambda: "date_format must be like" not in page(pilot.app))
        await closed(pilot, "escape")
        assert len(setup.looks.asked) == asked
        await begin(setup, pilot)

    run(setup.app(), look)
    assert setup.begun[0].formats == Formats()


@pytest.mark.once
@pytest.mark.parametrize("key", ["enter", "escape"])
def test_given_formats_are_unchanged_without_edits(key: str) -> None:
    setup = Setup(given())

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        asked = len(setup.looks.asked)
        await opened(pilot, 2)
        assert field(pilot, "date").value == "mdy"
        assert field(pilot, "null").value == "NA, a,b"
        await closed(pilot, key)
        assert len(setup.looks.asked) == asked
        await begin(setup, pilot)

    run(setup.app(), look, (120, 40))
    assert setup.begun[0].formats == GIVEN


@pytest.mark.once
def test_effect_of_a_format_is_previewed_while_typing() -> None:
    setup = Setup(given(Formats()))

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        texts(setup)
        await until(pilot, lambda: "03/04/2024" in page(pilot.app))
        await opened(pilot, 2)
        await pilot.press("d", "m", "y")
        await until(pilot, lambda: "03/04/2024 → 2024-04-03" in page(pilot.app))

    run(setup.app(), look)


@pytest.mark.once
@pytest.mark.parametrize("size", [(80, 24), (40, 12), (200, 50)])
def test_all_fields_are_visible(size: tuple[int, int]) -> None:
    setup = Setup()

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot, created=False)
        await opened(pilot, 0)
        shown = page(pilot.app)
        assert all(words in shown for words in ("format of Zip", "date format", "decimal mark", "NULL words", "esc"))

    run(setup.app(), look, size)


@pytest.mark.once
def test_chosen_type_is_kept_and_inferred_types_follow_the_format() -> None:
    setup = Setup(given(Formats()))

    async def look(pilot: Pilot[DashboardResult]) -> None:
        await found(setup, pilot)
        await pilot.press("t")  # the first column becomes an integer
        await opened(pilot, 1)
        field(pilot, "null").value = "NA"
        await closed(pilot, "enter")
        setup.findings(tuple(msgspec.structs.replace(column, type="float") for column in COLUMNS))
        await until(pilot, lambda: "float" in page(pilot.app))
        screen = pilot.app.screen
        assert isinstance(screen, SetupScreen)
        assert [column.type for column in screen.draft.columns] == ["integer", "float", "float"]

    run(setup.app(), look, (120, 40))


@pytest.mark.parametrize(
    ("cells", "format_", "type_", "expected"),
    [
        (["1,5", "NA", "2"], ColumnFormat(decimal_mark=",", null_if=("NA",)), None, ("float", ["1.5", "NULL", "2"])),
        (["31.12.2024"], ColumnFormat(), None, ("date", ["2024-12-31"])),
        (["1", "x"], ColumnFormat(), "integer", ("integer", ["1", "rejected: an integer is expected"])),
        ([], ColumnFormat(), None, ("text", [])),
    ],
)
def test_effect_shows_the_type_and_converted_cells(
    cells: list[str], format_: ColumnFormat, type_: str | None, expected: tuple[str, list[str]]
) -> None:
    assert effect(cells, format_, None if type_ is None else ColumnType.parse(type_)) == expected


def test_format_replaces_one_given_under_header_or_target_name() -> None:
    formats = Formats(columns={"order_date": ColumnFormat(date_format="mdy"), "other": ColumnFormat(round=True)})
    assert own_format(formats, "Order date", "order_date").date_format == "mdy"
    changed = with_format(
        formats, "Order date", "order_date", GivenFormat(ColumnFormat(date_format="dmy"), null_if=("-",))
    )
    assert changed == Formats(
        all=ColumnFormat(null_if=("-",)),
        columns={"other": ColumnFormat(round=True), "Order date": ColumnFormat(date_format="dmy")},
    )
    assert with_format(changed, "Order date", "order_date", GivenFormat(ColumnFormat(), ())).columns.keys() == {"other"}
    assert format_words(ColumnFormat(date_format="dmy", decimal_mark=",")) == "dmy, decimal comma"
