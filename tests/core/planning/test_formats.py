"""Formats through a whole import: given and proven, into new and existing tables, in notes, plans and identities."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from tui_importer import Options, Plan, Report, Source, Target, run_import
from tui_importer.core.conversion.inference import Inferred
from tui_importer.core.model.formats import PLAIN, ColumnFormat, Formats
from tui_importer.core.model.plan_file import load_plan, save_plan
from tui_importer.core.model.types import DATE, FLOAT, TEXT
from tui_importer.core.planning.formats import effective_format, given_format, notes_on_texts
from tui_importer.errors import PlanError
from tui_importer.inspection import Inspection, inspect_source

COMMA = ColumnFormat(decimal_mark=",")


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def plan_of(text: str, formats: Formats = Formats(), **options: Any) -> Plan:  # noqa: B008  # immutable
    Path("t.csv").write_text(text, encoding="utf-8")
    return Plan(
        source=Source(file="t.csv"), target=Target(database="t.db"), options=Options(**options), formats=formats
    )


def load(plan: Plan) -> Report:
    return run_import(plan, record=False)


def inspect(plan: Plan) -> Inspection:
    return inspect_source(plan, ask_database=True)


def rows(table: str = "t") -> Sequence[tuple[Any, ...]]:
    with sqlite3.connect("t.db") as connection:
        found = connection.execute(f'select * from "{table}"').fetchall()
    connection.close()
    return found


def create(sql: str) -> None:
    with sqlite3.connect("t.db") as connection:
        connection.execute(sql)
    connection.close()


def test_column_format_overrides_the_general_format() -> None:
    formats = Formats(all=ColumnFormat(date_format="dmy"), columns={"Order Date": ColumnFormat(date_format="mdy")})
    assert given_format(formats, "order_date", "x").date_format == "mdy"
    assert given_format(formats, "other").date_format == "dmy"
    assert effective_format(TEXT, ColumnFormat(date_format="dmy", null_if=("NA",)), COMMA) == ColumnFormat(
        null_if=("NA",)
    )
    assert effective_format(FLOAT, ColumnFormat(date_format="dmy"), COMMA) == COMMA


def test_notes_of_one_kind_are_combined() -> None:
    found = Inferred(DATE, 1, 0, False, "", format=ColumnFormat(date_format="dmy"), reading="dates are read as dmy")
    hint = Inferred(TEXT, 1, 0, False, "", hint="could be numbers: --decimal-mark {column=,} reads them")
    new = notes_on_texts([("a", DATE, found), ("b c", DATE, found), ("it's", TEXT, hint)], new=True)
    assert new == [
        "columns 'a' and 'b c': dates are read as dmy (--type COLUMN=text keeps the text)",
        """column "it's": stays text; could be numbers: --decimal-mark 'it'"'"'s=,' reads them""",
    ]
    assert notes_on_texts([("a", DATE, found), ("b", TEXT, found)], new=False) == ["column 'a': dates are read as dmy"]
    many = notes_on_texts([(f"c{number}", DATE, found) for number in range(12)], new=False)
    assert many[0].endswith("'c7' and 4 more: dates are read as dmy")


MIXED = "day;amount;share;ok\n31.12.2024;1.234,50 €;12 %;yes\n01.02.2025;3,00 €;5,5 %;no\n"


def test_inferred_formats_are_applied_noted_and_saved() -> None:
    plan = plan_of(MIXED)
    inspection = inspect(plan)
    assert [str(column.type) for column in inspection.plan.columns or ()] == ["date", "numeric", "float", "boolean"]
    assert [column.format for column in inspection.plan.columns or ()] == [
        ColumnFormat(date_format="DD.MM.YYYY"),
        ColumnFormat(decimal_mark=",", currency="€"),
        ColumnFormat(decimal_mark=",", percent=True),
        PLAIN,
    ]
    notes = "\n".join(inspection.notes)
    assert "column 'day': dates are read as DD.MM.YYYY (--type day=text keeps the text)" in notes
    save_plan(inspection.plan, Path("plan.toml"))
    assert load(plan).exit_code == 0
    assert [tuple(map(str, row)) for row in rows()] == [
        ("2024-12-31", "1234.5", "0.12", "1"),
        ("2025-02-01", "3", "0.055", "0"),
    ]
    # The saved plan repeats the import, so its rows are in already.
    assert load(load_plan(Path("plan.toml"))).outcome == "already_imported"
    assert len(rows()) == 2


def test_saved_format_is_applied_to_ambiguous_files() -> None:
    plan = inspect(plan_of("day\n31.12.2024\n")).plan
    Path("t.csv").write_text("day\n01.02.2025\n")
    assert load(plan).exit_code == 0
    assert rows() == [("2025-02-01",)]


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("date", "31.12.2024", "2024-12-31"),
        ("timestamp", "12/31/2024 1:05 PM", "2024-12-31 13:05:00"),
        ("numeric(10,2)", '"1,50"', 1.5),
        ("double precision", '"1.234,50"', 1234.5),
        ("integer", '"1 234"', 1234),
        ("numeric(10,4)", "12 %", 0.12),
        ("numeric(10,2)", "$5.00", 5),
        ("boolean", "t", 1),
        ("boolean", "No", 0),
    ],
)
def test_inferred_forms_are_converted_for_existing_columns(type_: str, text: str, value: object) -> None:
    create(f"create table t (v {type_})")
    assert load(plan_of(f"v\n{text}\n")).exit_code == 0
    assert rows() == [(value,)]
    assert load(plan_of(f"v\n{text}\n")).outcome == "already_imported"


def test_ambiguous_date_is_rejected_with_a_hint_about_the_option() -> None:
    create("create table t (v date)")
    report = load(plan_of("v\n01/02/2024\n"))
    assert report.exit_code == 3
    assert "--date-format" in report.rejects[0].reason
    assert any("DD/MM/YYYY or MM/DD/YYYY" in note for note in inspect(plan_of("v\n01/02/2024\n")).notes)
    formats = Formats(columns={"v": ColumnFormat(date_format="mdy")})
    assert load(plan_of("v\n01/02/2024\n", formats)).exit_code == 0
    assert rows() == [("2024-01-02",)]


def test_text_column_keeps_texts_unchanged() -> None:
    create("create table t (a text, b text)")
    formats = Formats(all=ColumnFormat(date_format="dmy", decimal_mark=",", null_if=("NA",)))
    assert load(plan_of('a,b\n31.12.2024,"1.234,50"\nNA, x \n', formats)).exit_code == 0
    assert rows() == [("31.12.2024", "1.234,50"), (None, " x ")]


def test_thousands_mark_is_not_read_as_a_decimal_mark() -> None:
    found = inspect(plan_of("a;b\n1.234,5;1.000\n3,00;2.500\n"))
    assert [column.type for column in found.plan.columns or ()] == ["float", "text"]
    assert any("--decimal-mark b=, or b=. says which" in note for note in found.notes)
    alone = inspect(plan_of("b\n1.000\n2.500\n"))
    assert [column.type for column in alone.plan.columns or ()] == ["float"]
    assert any("--decimal-mark b=, reads its points as thousands marks" in note for note in alone.notes)


def test_requested_type_uses_the_inferred_form_of_its_column() -> None:
    assert load(plan_of('v\n"1,50"\n"2,25"\n', types={"v": "numeric(10,2)"})).exit_code == 0
    assert rows() == [(1.5,), (2.25,)]


def test_different_formats_make_a_different_import() -> None:
    text = "id,v\n1,NA\n2,x\n"
    assert load(plan_of(text)).exit_code == 0
    assert load(plan_of(text, Formats())).outcome == "already_imported"
    assert load(plan_of(text, Formats(all=ColumnFormat(null_if=("NA",))))).exit_code == 0
    assert rows() == [(1, "NA"), (2, "x"), (1, None), (2, "x")]


def test_a_format_of_no_column_is_refused() -> None:
    with pytest.raises(PlanError, match="the sheet has no column 'dya': did you mean 'day'"):
        inspect(plan_of("day\n31.12.2024\n", Formats(columns={"dya": COMMA})))


def test_form_in_a_late_row_is_inferred_for_an_existing_column() -> None:
    create("create table t (v numeric)")
    lines = "\n".join(["12"] * 10 + ['"1.234,5"'])
    assert load(plan_of(f"v\n{lines}\n")).exit_code == 0
    assert rows()[-1] == (1234.5,)


def test_workbook_texts_are_converted_for_existing_columns() -> None:
    create("create table t (day date, amount numeric(10,2))")
    with xlsxwriter.Workbook("t.xlsx") as book:
        sheet = book.add_worksheet("t")
        for row, cells in enumerate([("day", "amount"), ("31.12.2024", "1.234,50"), ("01.02.2025", "3,00")]):
            for column, cell in enumerate(cells):
                sheet.write_string(row, column, cell)
    plan = Plan(source=Source(file="t.xlsx"), target=Target(database="t.db", table="t"))
    assert load(plan).exit_code == 0
    assert rows() == [("2024-12-31", 1234.5), ("2025-02-01", 3)]


def test_empty_text_is_not_null_in_a_text_column() -> None:
    assert load(plan_of('n,name,day\n1,"",2024-01-01\n2,,\n3,x,""\n')).exit_code == 0
    assert rows() == [(1, "", "2024-01-01"), (2, None, None), (3, "x", None)]


def test_empty_text_is_inserted_into_a_required_text_column() -> None:
    create("create table t (n integer, name text not null, day date not null)")
    report = load(plan_of('n,name,day\n1,"",2024-01-01\n2,,2024-01-01\n3,"",""\n'))
    assert rows() == [(1, "", "2024-01-01")]
    assert [(each.row, each.column, each.reason) for each in report.rejects] == [
        (3, "name", "value required but blank"),
        (4, "day", "value required but blank"),
    ]


def test_a_row_of_empty_texts_is_blank() -> None:
    report = load(plan_of('n,name\n1,x\n"",""\n,""\n2,""\n'))
    assert report.stats.blank_rows == 2
    assert rows() == [(1, "x"), (2, "")]


def test_empty_text_can_be_configured_as_null() -> None:
    formats = Formats(all=ColumnFormat(null_if=('""',)))
    assert load(plan_of('n,name\n1,""\n2,x\n', formats)).exit_code == 0
    assert rows() == [(1, None), (2, "x")]


def test_numbers_are_rounded_only_on_request() -> None:
    create("create table t (v numeric(10,2), w numeric(10,1))")
    text = "v,w\n1.005,1.25\n"
    assert load(plan_of(text)).exit_code == 3
    assert load(plan_of(text, Formats(columns={"v": ColumnFormat(round=True)}))).exit_code == 3
    assert load(plan_of(text, Formats(all=ColumnFormat(round=True)))).exit_code == 0
    assert rows() == [(1.01, 1.3)]
