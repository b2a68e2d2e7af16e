"""The columns of a new table that several imports fill."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui_importer import Formats, Options, Plan, PlanError, Source, Target
from tui_importer.core.model.formats import ColumnFormat
from tui_importer.core.planning.resolution import choose_target, resolve
from tui_importer.core.planning.shared_types import SharedTypes
from tui_importer.core.source.open_source import open_source
from tui_importer.readers.delimited.reader import DelimitedReader


def shared(plans: list[Plan]) -> dict[str, str]:
    types = SharedTypes()
    for plan in plans:
        with open_source(Path(plan.source.file), DelimitedReader(), plan.source) as source:
            types.add(plan, source)
    return types.types()


def plan_of(path: Path, text: str, **options: object) -> Plan:
    path.write_text(text)
    return Plan(source=Source(file=path), target=Target(table="t"), options=Options(**options))  # type: ignore[arg-type]


def resolved_columns(plan: Plan, types: dict[str, str]) -> list[tuple[str, str, str]]:
    with open_source(Path(plan.source.file), DelimitedReader(), plan.source) as source:
        found = resolve(plan, source, choose_target(plan, source.layout, source), None, shared_types=types).plan
    return [(column.source, column.target, column.type) for column in found.columns or ()]


def test_names_are_those_of_the_first_source_and_types_those_of_all(tmp_path: Path) -> None:
    one = plan_of(tmp_path / "1.csv", "E-Mail,size,only one\nx,1,1\n")
    other = plan_of(tmp_path / "2.csv", "size,EMail\n1.5,\n")
    types = shared([one, other])
    assert types == {"e_mail": "text", "size": "float", "only_one": "integer"}
    # Whichever creates the table, its columns are called the same.
    assert resolved_columns(other, types) == [("size", "size", "float"), ("EMail", "e_mail", "text")]
    assert resolved_columns(one, types)[1:] == [("size", "size", "float"), ("only one", "only_one", "integer")]


def test_each_source_reads_its_texts_in_its_own_form(tmp_path: Path) -> None:
    one = plan_of(tmp_path / "1.csv", "size\n1.234\n")
    other = plan_of(tmp_path / "2.csv", 'size\n"1.234,50"\n')
    types = shared([one, other])
    assert types == {"size": "float"}
    forms = []
    for plan in (one, other):
        with open_source(Path(plan.source.file), DelimitedReader(), plan.source) as source:
            choice = choose_target(plan, source.layout, source)
            [column] = resolve(plan, source, choice, None, shared_types=types).plan.columns or ()
            forms.append(column.format)
    assert forms == [ColumnFormat(), ColumnFormat(decimal_mark=",")]


def test_given_names_types_and_formats_apply(tmp_path: Path) -> None:
    given = {"rename": {"size": "width"}, "types": {"width": "numeric"}, "skip": ("note",)}
    one = plan_of(tmp_path / "1.csv", "size,note,day\n1,x,?\n", **given)
    other = plan_of(tmp_path / "2.csv", "size,note,day\n1.5,y,2026-01-31\n", **given)
    formats = Formats(all=ColumnFormat(null_if=("?",)))
    plans = [
        Plan(source=each.source, target=each.target, options=each.options, formats=formats) for each in (one, other)
    ]
    types = shared(plans)
    assert types == {"width": "float", "day": "date"}
    assert resolved_columns(plans[0], types) == [("size", "width", "numeric"), ("day", "day", "date")]


def test_option_for_a_column_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="--skip"):
        shared([plan_of(tmp_path / "3.csv", "size\n1\n", skip=("note",))])
