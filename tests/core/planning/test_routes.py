"""Where columns go: by a plan, by the names of a table, or into a new table."""

from __future__ import annotations

import pytest

from tui_importer.core.model.plan import ColumnPlan
from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.model.types import INTEGER, TEXT
from tui_importer.core.planning.routes import (
    ColumnRoute,
    check_targets,
    matched_routes,
    planned_routes,
    renamed_headers,
    shown_headers,
    skipped_headers,
    with_given_types,
    with_renamed,
)
from tui_importer.core.source.layout import Layout
from tui_importer.errors import PlanError

LAYOUT = Layout(header_row=1, first_row=2, last_row=None, first_column=1, headers=("Name", None, "N"))
TABLE = Table("t", (TableColumn("name", TEXT, nullable=False), TableColumn("n", INTEGER)))


def test_a_blank_header_is_shown_by_its_letter() -> None:
    assert shown_headers(LAYOUT) == ("Name", "column C", "N")


def test_columns_are_matched_by_name_in_any_order() -> None:
    routes = matched_routes(["N", "NAME"], 1, frozenset(), TABLE, None, {}, "fail", [])
    assert [(route.target, route.position, route.type, route.required) for route in routes] == [
        ("n", 1, INTEGER, False),
        ("name", 2, TEXT, True),
    ]


def test_column_missing_in_the_table_is_named_in_the_error() -> None:
    with pytest.raises(PlanError, match=r"no column for 'City' \(column C\): say where it goes \(--rename\)"):
        matched_routes(["name", "City"], 1, frozenset(), TABLE, None, {}, "fail", [])


def test_ignored_columns_are_noted() -> None:
    notes = list[str]()
    routes = matched_routes(["name", "City"], 1, frozenset(), TABLE, None, {}, "ignore", notes)
    assert [route.target for route in routes] == ["name"]
    assert notes == ["table 't' has no column for 'City' (column C): it is left out"]


def test_columns_to_add_are_not_routed() -> None:
    notes = list[str]()
    routes = matched_routes(["name", "City"], 1, frozenset(), TABLE, None, {"city": "town"}, "add", notes)
    assert [route.target for route in routes] == ["name"]
    assert notes == []


def test_renamed_column_is_mapped_to_its_new_name() -> None:
    renamed = renamed_headers({"who": "name"}, ["Who", "n"])
    routes = matched_routes(["Who", "n"], 0, frozenset(), TABLE, None, renamed, "fail", [])
    assert [(route.header, route.target) for route in routes] == [("Who", "name"), ("n", "n")]
    assert [route.target for route in with_renamed(routes, {"who": "Other Name"})] == ["Other Name", "n"]


def test_rename_with_an_unknown_header_or_target_is_refused() -> None:
    with pytest.raises(PlanError, match="--rename: the sheet has no column 'Nam': did you mean 'Name'"):
        renamed_headers({"Nam": "x"}, ["Name"])
    with pytest.raises(PlanError, match="table 't' has no column 'nam': did you mean 'name'"):
        matched_routes(["Who"], 0, frozenset(), TABLE, None, {"who": "nam"}, "ignore", [])


def test_letter_selects_among_equal_headers() -> None:
    column = ColumnPlan(source="a", letter="C", target="second", type="text")
    headers = ("a", "a", "b")
    (route,) = planned_routes([column], LAYOUT, headers)
    assert (route.position, route.target) == (2, "second")


def test_unknown_column_to_skip_is_refused() -> None:
    assert skipped_headers(["NAME"], ["Name", "N"]) == {"name"}
    with pytest.raises(PlanError, match="--skip: the sheet has no column 'Nam': did you mean 'Name'"):
        skipped_headers(["Nam"], ["Name", "N"])


def test_two_columns_for_one_target_column_are_refused() -> None:
    routes = [ColumnRoute("a", place, "name", TEXT, required=False) for place in (0, 1)]
    with pytest.raises(PlanError, match="'a' and another column of the sheet go into 'name': leave one out"):
        check_targets(routes, TABLE)
    with pytest.raises(PlanError, match="'a' and --set go into 'name': leave one out"):
        check_targets(routes[:1], TABLE, ["name"])


def test_set_satisfies_a_required_column() -> None:
    check_targets([], TABLE, ["name"])
    with pytest.raises(PlanError, match="needs a value in 'name'"):
        check_targets([], TABLE, ["n"])


def test_type_for_an_existing_table_is_ignored_with_a_note() -> None:
    notes = list[str]()
    routes = with_given_types([ColumnRoute("n", 0, "n", INTEGER, required=False)], {"N": "text"}, notes, TABLE, {})
    assert routes[0].type == INTEGER
    assert notes == ["--type N=text has no effect: table 't' is there already and says integer"]
