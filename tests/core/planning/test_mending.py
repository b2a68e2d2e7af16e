"""The plan of an import of mended rejects."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tui_importer import ColumnPlan, Layout, Options, Plan, PlanError, Source, Target
from tui_importer.core.model.mending import RejectKey
from tui_importer.core.planning.mending import plan_of_mended, resolved_by, rows_that_mend


@dataclass(frozen=True)
class RecordedReject:
    file: str = "/in/orders.xlsx"
    sheet: str = "May"
    columns: tuple[ColumnPlan, ...] = (ColumnPlan(source="Number", letter="A", target="n", type="integer"),)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Target(), Target()),
        (Target(mode="create"), Target()),
        (Target(mode="replace"), Target()),
        (Target(mode="truncate"), Target()),
        (Target(mode="create", key=["n"], on_conflict="skip"), Target(key=["n"])),
        (Target(mode="upsert", key=["n"]), Target(mode="upsert", key=["n"])),
        (Target(key=["n"]), Target(key=["n"])),
    ],
)
def test_mended_rows_are_added_to_the_table_as_it_is(given: Target, expected: Target) -> None:
    plan = plan_of_mended(Plan(source=Source(file="a.csv"), target=given), Source(file="m.xlsx", mends="run"))
    assert plan.target.write_mode == expected.write_mode
    assert plan.source == Source(file="m.xlsx", mends="run")


def test_columns_are_found_by_their_headers_and_rows_say_where_they_are_from() -> None:
    layout = Layout(header_row=1, first_row=2, last_row=None, first_column=2, headers=("note", "Number"))
    plan = Plan(source=Source(file="m.xlsx"), options=Options(lineage=True, set={"origin": "{sheet}/{row}"}))
    resolved = resolved_by(RecordedReject(), plan, layout)
    assert resolved.columns is not None
    assert [(column.letter, column.target) for column in resolved.columns] == [("D", "n")]
    assert resolved.options.set_columns == {
        "_file": "orders.xlsx",
        "_sheet": "May",
        "_row": "{row}",
        "_run": "{run}",
        "origin": "May/{row}",
    }


def test_missing_column_is_named() -> None:
    layout = Layout(header_row=1, first_row=2, last_row=None, first_column=0, headers=("Numbers",))
    with pytest.raises(PlanError, match="no column 'Number': did you mean 'Numbers'"):
        resolved_by(RecordedReject(), Plan(source=Source(file="m.xlsx")), layout)


def test_rows_of_one_run_are_taken() -> None:
    keys = {2: RejectKey("run", 7), 3: RejectKey("other", 8)}
    assert rows_that_mend({2: keys[2]}, "run") == {2: 7}
    with pytest.raises(PlanError, match="row 3 is a reject of run other"):
        rows_that_mend(keys, "run")
