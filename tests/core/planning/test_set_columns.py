"""The columns of ``--set``, against the table that is there or will be."""

from __future__ import annotations

import pytest

from tui_importer.core.model.plan import Options, Plan, Source
from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.model.types import INTEGER, TEXT
from tui_importer.core.planning.set_columns import other_types, resolved_set_columns
from tui_importer.errors import PlanError

TABLE = Table("t", (TableColumn("id", INTEGER), TableColumn("Origin", TEXT, nullable=False)))


def plan(types: dict[str, str] | None = None, **values: str) -> Plan:
    return Plan(source=Source(file="dir/a.csv"), options=Options(set=values, types=types or {}))


@pytest.mark.parametrize(
    ("value", "filled"),
    [("{file}!{sheet}", "a.csv!S"), ("{run}", "run-1"), ("{row}", "{row}"), ("", "")],
)
def test_placeholders_are_filled_with_the_origin_of_the_rows(value: str, filled: str) -> None:
    _, columns = resolved_set_columns(plan(x=value), TABLE, sheet="S", run_id="run-1", exists=False)
    assert [column.value for column in columns] == [filled]


def test_set_columns_match_table_columns_and_take_their_types() -> None:
    table, columns = resolved_set_columns(plan(origin="7"), TABLE, sheet="S", run_id="", exists=True)
    assert table == TABLE
    assert [(column.target, column.conversion.type, column.conversion.required) for column in columns] == [
        ("Origin", TEXT, True)
    ]


@pytest.mark.parametrize(
    ("value", "type_"),
    [("7", INTEGER), ("-7", INTEGER), ("0", INTEGER), ("{row}", INTEGER), ("007", TEXT), ("1.5", TEXT), ("a", TEXT)],
)
def test_new_column_is_an_integer_only_for_a_whole_number(value: str, type_: object) -> None:
    table, _ = resolved_set_columns(plan(year=value), TABLE, sheet="S", run_id="", exists=False)
    assert table.columns[-1] == TableColumn("year", type_)  # type: ignore[arg-type]


def test_type_of_a_new_set_column_can_be_given() -> None:
    given = plan({"Year": "text", "id": "text"}, year="7")
    table, _ = resolved_set_columns(given, TABLE, sheet="S", run_id="", exists=False)
    assert table.columns[-1] == TableColumn("year", TEXT)
    assert other_types(given.options.types, ["year"]) == {"id": "text"}


def test_unknown_columns_and_invalid_values_are_refused() -> None:
    with pytest.raises(PlanError, match="table 't' has no column 'origni': did you mean 'Origin'"):
        resolved_set_columns(plan(origni="a"), TABLE, sheet="S", run_id="", exists=True)
    with pytest.raises(PlanError, match="--set id=a: an integer is expected"):
        resolved_set_columns(plan(id="a"), TABLE, sheet="S", run_id="", exists=True)
