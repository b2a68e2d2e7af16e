"""Which imports of a run share a table, and how it is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.planning.test_resolution import source
from tui_importer import Options, Plan, PlanError, Source, Target
from tui_importer.core.model.names import table_name
from tui_importer.core.model.plan import ColumnPlan
from tui_importer.core.planning.shapes import Shape, in_table, shape_of, tables_note, tables_of

A, B = frozenset({"a", "x"}), frozenset({"b", "x"})


def shape(
    file: str, columns: frozenset[str] = A, sheet: str | None = None, *, matchable: bool = True, **target: Any
) -> Shape:
    """The shape of a sheet, by default the only one of a CSV file."""
    plan = Plan(source=Source(file=file, sheet=sheet), target=Target(**{"database": "d.db", **target}))
    sheet = Path(file).stem if sheet is None else sheet
    return Shape(plan, sheet, table_name(sheet), columns, matchable)


COLUMNS = st.frozensets(st.sampled_from("abc"), min_size=1)
SHAPES = st.lists(
    st.builds(
        shape,
        st.sampled_from(["in/jan.csv", "in/feb.csv", "in/mar.csv", "out/jan.csv", "prices.csv"]),
        COLUMNS,
        st.none() | st.sampled_from(["Data", "Jan", "Feb"]),
        matchable=st.integers(0, 4).map(bool),
    ),
    max_size=7,
)


def groups(shapes: list[Shape]) -> set[frozenset[int]] | None:
    """The imports that go into the same table, each by its identity; None if they are refused."""
    try:
        tables = tables_of(shapes)
    except PlanError:
        return None
    return {
        frozenset(id(each) for each, other in zip(shapes, tables, strict=True) if other == table) for table in tables
    }


@given(SHAPES, st.randoms())
def test_groups_are_those_of_equal_columns_in_any_order(shapes: list[Shape], random: Any) -> None:
    found = groups(shapes)
    shuffled = shapes.copy()
    random.shuffle(shuffled)
    if found is None:
        return
    by_id = {id(each): each for each in shapes}
    for group in found:
        assert len({by_id[each].columns for each in group}) == 1
    matchable = [each for each in shapes if each.matchable]
    for one in matchable:
        group = next(each for each in found if id(one) in each)
        assert {id(other) for other in matchable if other.columns == one.columns} <= group
    if all(each.plan.source.file.startswith("in/") for each in shapes):  # else a name may be that of the first
        assert groups(shuffled) == found


@pytest.mark.parametrize(
    ("shapes", "table"),
    [
        ([shape("jan.csv", sheet="Data"), shape("out/feb.csv", sheet="Data")], "data"),
        ([shape("Months 2026.xlsx", sheet="Jan"), shape("Months 2026.xlsx", sheet="Feb")], "months_2026"),
        ([shape("in-box/jan.csv"), shape("in-box/feb.csv")], "in_box"),
        ([shape("in/a.xlsx", sheet="Jan"), shape("in/a.xlsx", sheet="Feb"), shape("in/b.csv")], "in"),
        ([shape("in/jan.csv"), shape("out/feb.csv")], "jan"),
        ([shape("-", sheet="stdin"), shape("feb.csv")], "stdin"),
        ([shape("/jan.csv"), shape("/feb.csv")], "imported"),
    ],
)
def test_shared_table_is_named_by_what_the_sources_have_in_common(shapes: list[Shape], table: str) -> None:
    assert tables_of(shapes) == [table] * len(shapes)


def test_current_folder_gives_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "Incoming"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (tmp_path / "here").symlink_to(folder)
    for prefix in ("", "./", f"{folder}/", f"{tmp_path}/here/", "../Incoming/"):
        assert tables_of([shape(f"{prefix}jan.csv"), shape("feb.csv")]) == ["incoming"] * 2


def test_further_file_does_not_change_the_table_of_a_folder() -> None:
    months = [shape(f"in/{month}.csv") for month in ("apr", "feb", "jan", "mar")]
    for first in range(3):
        assert set(tables_of(months[first:])) == {"in"}
    assert tables_of([*months, shape("in/prices.csv", B)]) == ["in"] * 4 + ["prices"]


@pytest.mark.parametrize(
    "other",
    [
        shape("in/feb.csv", B),
        shape("in/feb.csv", matchable=False),
        shape("in/feb.csv", database="other.db"),
        shape("in/feb.csv", mode="create"),
        shape("in/feb.csv", mode="replace"),
        shape("in/feb.csv", mode="truncate"),
        shape("in/feb.csv", on_conflict="skip", key=["a"]),
    ],
)
def test_only_imports_that_add_rows_of_the_same_columns_in_the_same_way_share_a_table(other: Shape) -> None:
    alike = msgspec.structs.replace(
        other, plan=msgspec.structs.replace(other.plan, source=Source(file="in/mar.csv")), table="mar"
    )
    tables = ["jan", "feb", "mar"]
    if other.columns == B or other.plan.target.key or other.plan.target.database == "other.db":
        tables[1:] = ["in", "in"]
    assert tables_of([shape("in/jan.csv"), other, alike]) == tables


def test_different_columns_do_not_go_into_one_table_unasked() -> None:
    with pytest.raises(PlanError, match=r"a.xlsx and b.xlsx have different columns, and would both go into table 'dat"):
        tables_of([shape("a.xlsx", A, "Data"), shape("b.xlsx", B, "Data")])
    with pytest.raises(PlanError, match=r"m.xlsx, sheet 'Jan', and sheet 'M' have .* own \(--table '{sheet}'\)"):
        tables_of([shape("m.xlsx", A, "Jan"), shape("m.xlsx", A, "Feb"), shape("m.xlsx", B, "M")])
    with pytest.raises(PlanError, match="into table 'in'"):
        tables_of([shape(f"in/{name}.csv", columns) for name, columns in zip("abcd", (A, B, A, B), strict=True)])
    add = Options(extra_columns="add")
    asked = [
        msgspec.structs.replace(each, plan=msgspec.structs.replace(each.plan, options=add))
        for each in (shape("a.xlsx", A, "Data"), shape("b.xlsx", B, "Data"))
    ]
    assert tables_of(asked) == ["data", "data"]


@pytest.mark.parametrize(
    ("headers", "skip", "columns", "matchable"),
    [
        (("E-Mail", "First Name"), (), {"email", "firstname"}, True),
        (("firstName", "EMail"), (), {"email", "firstname"}, True),
        (("a", None), (), {"a", "columnb"}, False),
        (("a", "A"), (), {"a"}, False),
        (("a", "#"), (), {"a", "#"}, False),
        (("a", "#"), ("#",), {"a"}, True),
        (("oid", "2026", "select"), (), {"oid", "2026", "select"}, True),
        (("a" * 64,), (), {"a" * 64}, False),
        ((None, None), (), {"columna", "columnb"}, False),
    ],
)
def test_columns_are_compared_as_they_are_matched(
    headers: tuple[str | None, ...], skip: tuple[str, ...], columns: set[str], matchable: bool
) -> None:
    found = shape_of(Plan(source=Source(file="x.xlsx"), options=Options(skip=skip)), source(*headers))
    assert (set(found.columns), found.matchable, found.table) == (columns, matchable, "s")


def test_columns_of_a_plan_are_its_own() -> None:
    columns = (ColumnPlan(source="a", letter="A", target="town"),)
    found = shape_of(Plan(source=Source(file="x.xlsx"), columns=columns), source("a", "a"))
    assert (set(found.columns), found.matchable) == ({"town"}, True)


def plans(*tables: str | None) -> list[Plan]:
    named: Callable[[str], Plan] = lambda file: Plan(source=Source(file=file), target=Target(database="d.db"))  # noqa: E731
    return [
        named(f"{number}.csv") if table is None else in_table(named(f"{number}.csv"), table)
        for number, table in enumerate(tables)
    ]


@pytest.mark.parametrize(
    ("tables", "note"),
    [
        (["t"], None),
        ([None, None], None),
        (["{sheet}", "{sheet}"], None),
        (["t", "t"], "2 files go into table 't'"),
        (["t", "u", "t", None], "2 files go into table 't'; 1.csv goes into table 'u'"),
        ([f"t{number}" for number in range(9)], "7.csv goes into table 't7'; 1 more table"),
    ],
)
def test_note_names_tables(tables: list[str | None], note: str | None) -> None:
    found = tables_note(plans(*tables))
    assert found == note if note is None else found is not None and found.endswith(note)
    [sheet] = plans("t")
    assert tables_note([sheet, sheet]) == "2 sheets go into table 't'"
