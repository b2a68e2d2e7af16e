"""What a user says of the form of values is one value: in a plan file, in a program, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tui_importer.core.model.formats import PLAIN, ColumnFormat, Formats, formats_given, parse_value_of_column
from tui_importer.core.model.plan import ColumnPlan, Plan, Source
from tui_importer.core.model.plan_file import load_plan, save_plan
from tui_importer.errors import PlanError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"date_format": "soon"}, "date_format must be like"),
        ({"decimal_mark": ";"}, "decimal_mark must be a point or a comma, not ';'"),
        ({"null_if": "NA"}, "null_if must be a list of texts, not 'NA'"),
        ({"null_if": [""]}, "null_if must be a list of texts"),
        ({"true_words": ["x"], "false_words": ["X"]}, "'x' cannot be both a true word and a false word"),
        ({"round": 1}, "round must be True or False, not 1"),
    ],
)
def test_invalid_value_is_named_in_the_error(values: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        ColumnFormat(**values)


def test_decimal_mark_may_be_given_as_a_word() -> None:
    assert [ColumnFormat(decimal_mark=word).decimal_mark for word in ("comma", "point", "dot")] == [",", ".", "."]  # type: ignore[arg-type]


def test_merging_formats_adds_words_and_replaces_other_values() -> None:
    general = ColumnFormat(date_format="dmy", null_if=("NA",), decimal_mark=",")
    column = ColumnFormat(date_format="mdy", null_if=("-", "NA"), round=True)
    merged = general.merged(column)
    assert merged == ColumnFormat(date_format="mdy", null_if=("NA", "-"), decimal_mark=",", round=True)
    assert PLAIN.merged(general) == general.merged(PLAIN) == general


def test_command_line_formats_are_merged_into_the_plan() -> None:
    base = Formats(all=ColumnFormat(null_if=("NA",)))
    formats = formats_given(
        base,
        [("null_if", None, "-"), ("date_format", "day", "%d.%m.%Y"), ("null_if", "day", "?"), ("round", None, True)],
    )
    assert formats.all == ColumnFormat(null_if=("NA", "-"), round=True)
    assert formats.columns == {"day": ColumnFormat(date_format="DD.MM.YYYY", null_if=("?",))}


def test_plan_file_round_trips_formats(tmp_path: Path) -> None:
    plan = Plan(
        source=Source(file="a.csv"),
        formats=Formats(all=ColumnFormat(null_if=("NA",)), columns={"A b": ColumnFormat(decimal_mark=",")}),
        columns=(ColumnPlan(source="a", letter="A", target="a", format=ColumnFormat(date_format="dmy")),),
    )
    save_plan(plan, tmp_path / "plan.toml")
    assert load_plan(tmp_path / "plan.toml") == plan
    save_plan(Plan(source=Source(file="a.csv")), tmp_path / "plain.toml")
    assert "format" not in (tmp_path / "plain.toml").read_text()
    column = ColumnPlan(source="a", letter="A", target="a", format=ColumnFormat())
    save_plan(Plan(source=Source(file="a.csv"), formats=Formats(), columns=(column,)), tmp_path / "plain.toml")
    assert "format" not in (tmp_path / "plain.toml").read_text()


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("NA", (None, "NA")),
        ("a=NA", ("a", "NA")),
        ("a b=x=y", ("a b", "x=y")),
        ("=x=y", (None, "x=y")),
        ("-", (None, "-")),
    ],
)
def test_value_may_be_prefixed_with_a_column(text: str, parsed: tuple[str | None, str]) -> None:
    assert parse_value_of_column(text) == parsed


@pytest.mark.parametrize("text", ["", "a=", "="])
def test_format_without_a_value_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="is not"):
        parse_value_of_column(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[formats.all]\nnul_if = ["NA"]', r"unknown key 'nul_if' in \[formats.all\]: did you mean 'null_if'"),
        ('[formats.columns.a]\ndecimal_mark = "x"', "decimal_mark must be a point or a comma"),
        ("[formats]\nall = 3", "all must be a ColumnFormat, not 3"),
        ('[formats]\ndate_format = "dmy"', "unknown key 'date_format' in"),
        (
            '[[columns]]\nsource = "a"\nletter = "A"\ntarget = "a"\nformat = { date = "dmy" }',
            r"unknown key 'date' in \[columns.format\]",
        ),
    ],
)
def test_plan_file_with_invalid_formats_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "plan.toml").write_text(f'{text}\n[source]\nfile = "a.csv"\n')
    with pytest.raises(PlanError, match=message):
        load_plan(tmp_path / "plan.toml")
