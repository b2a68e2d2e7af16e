"""A plan is resolved column by column, or refused with the column's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.core.source.test_reader import Lines
from tui_importer.core.model.plan import ColumnPlan, Options, Plan, Source, Target
from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.model.types import DATE, INTEGER, TEXT
from tui_importer.core.planning.resolution import ResolvedPlan, choose_target, resolve
from tui_importer.core.source.layout import Layout
from tui_importer.core.source.open_source import OpenSource, open_source
from tui_importer.errors import PlanError
from tui_importer.events import SourceOpened
from tui_importer.readers.delimited.reader import DelimitedReader

OPENED = SourceOpened(sheet="S", header_row=1, columns=3, rows=None, seconds=0.0)
EXISTING = Table("t", (TableColumn("n", INTEGER, nullable=False), TableColumn("Unit Price", TEXT)), schema="s")


class Sheet(Lines):
    """A sheet of that name, whose cells nobody needs to see."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lines = []


def source(*headers: str | None, sheet: str = "S", file: str = "price list.xlsx") -> OpenSource:
    layout = Layout(1, 2, None, 0, headers)
    opened: Any = Sheet(sheet)
    return OpenSource(Path(file), opened, opened, layout, True, None, OPENED)


def plan(table: str | None = None, mode: Any = "append", columns: Any = None, **options: Any) -> Plan:
    target = Target(table=table, mode=mode)
    return Plan(source=Source(file="x.xlsx"), target=target, options=Options(**options), columns=columns)


def resolved(asked: Plan, found: OpenSource, existing: Table | None = None) -> ResolvedPlan:
    return resolve(asked, found, choose_target(asked, found.layout, found), existing)


@pytest.mark.parametrize(
    ("asked", "sheet", "name"),
    [
        (plan("mine"), "Orders", "mine"),
        (plan(), "Orders 2024", "orders_2024"),
        (plan(), "Sheet1", "price_list"),
        (plan(), "Tabelle 2", "price_list"),
    ],
)
def test_table_is_named_by_plan_sheet_or_file(asked: Plan, sheet: str, name: str) -> None:
    found = source("a", sheet=sheet)
    assert choose_target(asked, found.layout, found).name == name


def test_known_schema_is_recognised_by_its_header_and_can_be_disabled() -> None:
    from tui_importer.core.model.schemas import BUSINESSES

    headers = [header for header, _ in BUSINESSES.headers]
    found = source(*headers)
    assert choose_target(plan(), found.layout, found).schema is BUSINESSES
    assert choose_target(plan(schema="infer"), found.layout, found).schema is None
    with pytest.raises(PlanError, match="unknown schema 'buisness'"):
        choose_target(plan(schema="buisness"), found.layout, found)
    result = resolved(plan(), found)
    assert (result.create, result.mapping.table.name) == (True, BUSINESSES.table.name)
    assert len(result.indexes) == len(BUSINESSES.table.indexes)


def test_columns_are_mapped_by_matching_names() -> None:
    result = resolved(plan("s.t"), source("unit_price", "N"), EXISTING)
    ways = [
        (column.header, column.position, column.target, column.conversion.type) for column in result.mapping.columns
    ]
    assert ways == [("unit_price", 0, "Unit Price", TEXT), ("N", 1, "n", INTEGER)]
    assert result.mapping.columns[1].conversion.required
    assert not result.create
    assert result.plan.target.table == "s.t"
    assert [(column.letter, column.target) for column in result.plan.columns or ()] == [
        ("A", "Unit Price"),
        ("B", "n"),
    ]


def column(name: str, letter: str, target: str, type_: str = "text") -> ColumnPlan:
    return ColumnPlan(source=name, letter=letter, target=target, type=type_)


@pytest.mark.parametrize(
    ("asked", "headers", "existing", "said"),
    [
        (plan(), ["n", "colour"], EXISTING, r"table 's\.t' has no column for 'colour' \(column B\)"),
        (plan(), ["unit price"], EXISTING, "needs a value in 'n'"),
        (plan(), ["n", "N"], EXISTING, "'n' and another column of the sheet go into 'n'"),
        (plan(skip=("colur",)), ["n", "colour"], EXISTING, "no column 'colur': did you mean 'colour'?"),
        (plan(mode="create"), ["n"], EXISTING, "exists already, and --mode create"),
        (plan(types={"m": "text"}), ["n"], EXISTING, "--type: the sheet has no column 'm'"),
        (plan("t", columns=(column("n", "A", "nn"),)), ["n"], EXISTING, "has no column 'nn': did you mean 'n'?"),
        (plan("t", columns=(column("gone", "A", "n"),)), ["n"], None, "no column 'gone'"),
        (plan("t", columns=(column("n", "A", "n", "other(uuid)"),)), ["n"], None, "cannot be created here"),
        (plan(skip=("n",)), ["n"], EXISTING, "no column is left to import"),
    ],
)
def test_unresolvable_plans_are_refused(asked: Plan, headers: list[str], existing: Table | None, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        resolved(asked, source(*headers), existing)


def test_generated_columns_cannot_be_imported() -> None:
    table = Table(
        "t", (TableColumn("id", INTEGER, nullable=False, default=True, writable=False), TableColumn("n", TEXT))
    )
    assert [c.target for c in resolved(plan(), source("n"), table).mapping.columns] == ["n"]
    with pytest.raises(PlanError, match="filled by the database itself: leave 'id' out"):
        resolved(plan(), source("id", "n"), table)


def test_plan_columns_with_equal_headers_are_matched_by_letter() -> None:
    columns = (column("a", "B", "second", "date"), column("b", "Z", "third"))
    result = resolved(plan("new", columns=columns), source("a", "a", "b"))
    assert [(c.position, c.target, c.conversion.type) for c in result.mapping.columns] == [
        (1, "second", DATE),
        (2, "third", TEXT),
    ]
    assert result.create
    assert [(c.name, c.type) for c in result.mapping.table.columns] == [("second", DATE), ("third", TEXT)]


def test_type_overridden_by_the_table_is_noted() -> None:
    result = resolved(plan(types={"n": "text"}), source("n"), EXISTING)
    assert result.mapping.columns[0].conversion.type == INTEGER
    assert result.notes == ("--type n=text has no effect: table 's.t' is there already and says integer",)


def test_plan_with_a_joined_header_resolves_again(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("region,2022,,2023,\n,male,female,male,female\nNorth,1,2,3,4\nSouth,5,6,7,8\n")
    plan = Plan(source=Source(file=path), target=Target(table="t"))
    for _ in range(2):
        with open_source(path, DelimitedReader(), plan.source) as source:
            resolved = resolve(plan, source, choose_target(plan, source.layout, source), None)
        plan = resolved.plan
        names = [column.name for column in resolved.mapping.table.columns]
        assert names == ["region", "_2022_male", "_2022_female", "_2023_male", "_2023_female"]
