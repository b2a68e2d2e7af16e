"""A plan is checked where it is made: by a program, and by a plan file."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer import Options, Plan, PlanError, Run, Source, Target, load_plan, run_import

NAN, INF = float("nan"), float("inf")
NO_NUMBER: list[Any] = [True, "2", None.__class__, [], object()]

BAD: list[tuple[type[Any], str, list[Any]]] = [
    (Source, "file", ["", None, 3, b"a.csv", True]),
    (Source, "sheet", ["", 0, -1, True, 1.0, []]),
    (Source, "range", ["nonsense", 3, "A0"]),
    (Source, "header_row", [-1, True, 1.0, "1", 2**70]),
    (Source, "reader", ["", 3]),
    (Source, "encoding", ["", "klingon", 8]),
    (Source, "delimiter", ["", "ab", 1]),
    (Source, "totals", ["", "maybe", 1]),
    (Source, "quote", ["", "ab", "a", 1]),
    (Source, "limit", [0, -1, True, 1.5, "1", 2**70]),
    (Target, "database", ["", 3, ":memory:", "postgresql://u:canary@x@h/d"]),
    (Target, "table", ["", 3]),
    (Target, "mode", ["upsrt", "", None, 1]),
    (Target, "key", [("",), "id", 3, (None,)]),
    (Target, "on_conflict", ["ignore", "", 1, True]),
    (Target, "update", [("",), "id", 3]),
    (Options, "strategy", ["", None, 3]),
    (Options, "workers", [0, -1, 1.0, *NO_NUMBER]),
    (Options, "batch_size", [0, -1, 2.5, *NO_NUMBER]),
    (Options, "schema", ["nosuch", "", None]),
    (Options, "types", [{"a": "intger"}, {"a": 3}, [], {1: "text"}]),
    (Source, "may_be_empty", [1, "yes"]),
    (Source, "mends", ["", 1]),
    (Options, "executor", ["", None, 1]),
    (Options, "skip", ["abc", [3], 3]),
    (Options, "rename", ["abc", {"a": ""}, {"": "a"}, {"a": 1}]),
    (Options, "set", ["abc", {"": "a"}, {"a": 1}]),
    (Options, "extra_columns", ["keep", "", None]),
    (Options, "lineage", ["yes", None, 2]),
    (Options, "create_schema", ["yes", None, 2]),
    (Options, "before", ["", 1]),
    (Options, "after", ["", 1]),
    (Options, "comment", ["", 1]),
    (Options, "error_cells", ["bogus", None]),
    (Options, "uncalculated", ["bogus", None]),
    (Options, "max_rejects", ["many", 5, "101%", "5 %", "-1", "5%\n"]),
    (Options, "rejects_ok", [1, "yes", None]),
    (Options, "max_rate", [0, -1, NAN, INF, *NO_NUMBER]),
    (Options, "timeout", [0, -1.0, NAN, INF, 1e300, *NO_NUMBER]),
    (Options, "connect_timeout", [0, -1, NAN, INF, None, *NO_NUMBER]),
    (Options, "retry_for", [-1, NAN, INF, None, *NO_NUMBER]),
    (Options, "stall_timeout", [-1, NAN, INF, None, *NO_NUMBER]),
    (Options, "ledger_schema", ["", " ", 3]),
    (Options, "plugin_options", [3, [], {"a": 3}, {"a": {"b": []}}, {"a": {"b": None}}, {"": {}}, {"a": {"": 1}}]),
    (Options, "again", [1, "yes", None]),
    (Options, "atomic", [0]),
    (Options, "verify", ["true"]),
    (Options, "dry_run", [2]),
]


@pytest.mark.parametrize(("part", "name", "values"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_invalid_plan_values_are_refused_by_field(part: type[Any], name: str, values: list[Any]) -> None:
    needed = {"file": "a.csv"} if part is Source else {}
    for value in values:
        with pytest.raises(PlanError) as error:
            part(**{**needed, name: value})
        said = str(error.value)
        assert "canary" not in said
        assert "\n" not in said.replace("\\n", "")
        if name not in ("range", "database", "schema", "types"):
            assert said.startswith(f"{name} must be ")


def test_every_plan_field_has_invalid_values_in_this_test() -> None:
    fields = {(part, name) for part in (Source, Target, Options) for name in part.__struct_fields__}
    assert fields == {(part, name) for part, name, _ in BAD}


def test_mistyped_choice_gets_a_suggestion() -> None:
    with pytest.raises(PlanError, match=r"mode must be one of .*, not 'apend': did you mean 'append'\?"):
        Target(mode="apend")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("workers = 0", "workers must be a whole number from 1 or auto, not 0"),
        ("workers = true", "workers must be a whole number from 1 or auto, not True"),
        ('workers = "two"', "workers must be a whole number from 1 or auto, not 'two'"),
        ("timeout = nan", "timeout must be a number of seconds above 0"),
        ("connect_timeout = inf", "connect_timeout must be"),
        ('error_cells = "bogus"', "error_cells must be one of reject, null, text, not 'bogus'"),
        ('types = { a = "intger" }', "'intger'"),
        ("again = 1", "again must be True or False, not 1"),
    ],
)
def test_plan_files_are_checked_like_plans(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(f'[source]\nfile = "a.csv"\n[options]\n{line}\n')
    with pytest.raises(PlanError) as error:
        load_plan(path)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)


@pytest.mark.parametrize("text", ["source = 3", '[source]\nfile = "a"\n[[target]]\ntable = "x"\n', "columns = [1]"])
def test_plan_file_with_an_invalid_structure_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(PlanError, match=r"plan\.toml"):
        load_plan(path)


def test_paths_and_lists_are_accepted(tmp_path: Path) -> None:
    source, target = Source(file=tmp_path / "a.csv"), Target(database=tmp_path / "a.db")
    assert source == Source(file=str(tmp_path / "a.csv"))
    assert target == Target(database=str(tmp_path / "a.db"))
    assert Options(skip=["a", "b"]).skip == ("a", "b")  # type: ignore[arg-type]
    assert Options(timeout=3).timeout == 3.0
    (tmp_path / "a.csv").write_text("n\n1\n")
    report = run_import(Plan(source=source, target=target), rejects_file=str(tmp_path / "r.xlsx"), record=False)
    assert report.stats.inserted == 1


class UnrelatedEnum(enum.IntEnum):
    ONE = 1


@given(
    value=st.one_of(
        st.floats(), st.integers(), st.booleans(), st.text(max_size=3), st.none(), st.just(UnrelatedEnum.ONE)
    )
)
def test_arbitrary_values_are_accepted_unchanged_or_refused(value: Any) -> None:
    for name in ("workers", "timeout", "max_rejects", "retry_for", "strategy", "again", "error_cells"):
        try:
            options = Options(**{name: value})
        except PlanError:
            continue
        assert getattr(options, name) == value


def test_unknown_plugin_names_are_refused_before_the_run(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("n\n1\n")
    good = Target(database=str(tmp_path / "a.db"))
    for plan in (
        Plan(source=Source(file=path), target=good, options=Options(strategy="bathced")),
        Plan(source=Source(file=path, reader="calamime"), target=good),
        Plan(source=Source(file=path), target=Target(database="mysqll://h/d")),
        Plan(source=Source(file=path), target=good, options=Options(ledger_schema="books")),
    ):
        with pytest.raises(PlanError):
            Run(plan)


def test_invalid_arguments_of_run_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("n\n1\n")
    plan = Plan(source=Source(file=path), target=Target(database=tmp_path / "a.db"))
    with pytest.raises(PlanError, match="a Plan is needed, not str"):
        run_import("a.csv")  # type: ignore[arg-type]
    with pytest.raises(PlanError, match="a Plan is needed, and there is none"):
        run_import([])
    with pytest.raises(PlanError, match="a Plan is needed, not int"):
        run_import([plan, 3])  # type: ignore[list-item]
    with pytest.raises(PlanError, match="rejects_file is one file, and there are several imports"):
        run_import([plan, plan], rejects_file=tmp_path / "r.xlsx")
    with pytest.raises(PlanError, match="listener"):
        run_import(plan, listener=3)  # type: ignore[arg-type]
    with pytest.raises(PlanError, match="rejects_file must be a path"):
        run_import(plan, rejects_file=3)  # type: ignore[arg-type]
    assert {entry.name for entry in tmp_path.iterdir()} == {"a.csv"}


def test_mutated_plans_are_checked_again(tmp_path: Path) -> None:
    plan = Plan(source=Source(file="a.csv"))
    plan.options.types["a"] = "intger"
    with pytest.raises(PlanError, match="intger"):
        Run(plan)
