"""Numbers shown as dates and times keep their meaning below one too: in every format, in both date systems."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from tests.readers.binary_workbooks import Xls, Xlsb, rk, rk_double
from tests.readers.test_readers_agree import READERS, cells
from tests.support.examples import examples
from tui_importer import Options, Plan, Reader, Report, Source, Target, run_import
from tui_importer.readers.calamine import CalamineReader
from tui_importer.readers.serials import Serials, Shown, shown_by

if TYPE_CHECKING:
    from tests.conftest import Database

DAY, CLOCK, SPAN, MOMENT = "yyyy-mm-dd", "h:mm", "[h]:mm:ss", "yyyy-mm-dd hh:mm"
FORMATS = ("General", DAY, CLOCK, SPAN, MOMENT)
MINUS_HALF_HOUR = dt.timedelta(minutes=-30)


def column(path: Path, numbers: list[tuple[float, str]], *, date1904: bool = False, formula: bool = False) -> Path:
    """A workbook with one column ``value`` of numbers, each in a format."""
    with xlsxwriter.Workbook(path, {"date_1904": date1904}) as book:
        shown = {code: book.add_format({"num_format": code}) for code in FORMATS}
        sheet = book.add_worksheet("S")
        sheet.write_row(0, 0, ["number", "value"])
        for row, (number, code) in enumerate(numbers, start=1):
            sheet.write_number(row, 0, row)
            if formula:
                sheet.write_formula(row, 1, "=A1-A2", shown[code], number)
            else:
                sheet.write_number(row, 1, number, shown[code])
    return path


def load(path: Path, database: Database, **options: Any) -> Report:
    plan = Plan(
        source=Source(file=str(path)), target=Target(database=database.url, table="t"), options=Options(**options)
    )
    return run_import(plan, rejects_file=path.with_suffix(".rejects.xlsx"))


def types(report: Report) -> dict[str, str]:
    return {column.target: column.type for column in report.columns}


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("General", None),
        ("0.00", None),
        ("#,##0.00\\ [$EUR-407];[Red]-#,##0.00", None),
        ('0.0" days"', None),
        ("0\\d", None),
        ("_d0_m", None),
        ("0*y", None),
        ("@", None),
        ("yyyy-mm-dd", Shown.DATE),
        ("[$-409]yyyy\\-mm\\-dd", Shown.DATE),
        ("[$-409]d-mmm;@", Shown.DATE),
        ("mmmm", Shown.DATE),
        ("h:mm", Shown.TIME),
        ("mm:ss.0", Shown.TIME),
        ("h:mm AM/PM", Shown.TIME),
        ("dd.mm.yyyy hh:mm", Shown.BOTH),
        ("[h]:mm:ss", Shown.SPAN),
        ("[$-409][hh]:mm:ss", Shown.SPAN),
        ("[Red][ss].00", Shown.SPAN),
        ("[Red]0;yyyy", None),
    ],
)
def test_number_format_is_classified(code: str, shown: Shown | None) -> None:
    assert shown_by(code) is shown


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(code=st.text('ymdhsGe0#."[]_*;-/ :AaPp', min_size=1, max_size=12))
def test_number_format_classification_matches_the_library(tmp_path: Path, code: str) -> None:
    """Otherwise a column's dates before the epoch would have another type than those after it."""
    path = tmp_path / "w.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("S").write_number(0, 0, 45352, book.add_format({"num_format": code}))
    ((value,),) = CalamineWorkbook.from_path(str(path)).get_sheet_by_name("S").to_python()
    expected = {dt.date: (Shown.DATE, Shown.TIME, Shown.BOTH), dt.timedelta: (Shown.SPAN,)}.get(type(value), (None,))
    assert shown_by(code) in expected


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("formula", [False, True])
@pytest.mark.parametrize("date1904", [False, True])
def test_serial_numbers_are_read_from_xlsx(tmp_path: Path, reader: Reader, *, date1904: bool, formula: bool) -> None:
    epoch = dt.date(1904, 1, 1) if date1904 else dt.date(1899, 12, 30)
    numbers = [
        (-33193, DAY),
        (-1 / 48, CLOCK),
        (-0.75, SPAN),
        (-1.25, MOMENT),
        (0, DAY),
        (0.25, CLOCK),
        (-5.5, FORMATS[0]),
    ]
    path = column(tmp_path / "w.xlsx", numbers, date1904=date1904, formula=formula)
    found = cells(reader, path, "S")
    assert [found[row, 1] for row in range(2, 9)] == [
        epoch - dt.timedelta(days=33193),
        MINUS_HALF_HOUR,
        dt.timedelta(days=-0.75),
        dt.datetime.combine(epoch, dt.time()) - dt.timedelta(days=1.25),
        epoch,
        dt.time(6),
        -5.5,
    ]


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (' s="1"', " s='1'"),
        ("<v>-", '<v xml:space="preserve">-'),
        ('<c r="B2" s="1">', '<c s="1" r="B2">'),
        ('<c r="B2" s="1">', '<c r="B2" t="n" s="1">'),
        ('<c r="B2" s="1">', '<c\nr="B2"\ns="1">'),
        ('<row r="2"', '<!-- a comment --><row r="2"'),
        ("<v>-33193</v>", "\n  <v>-33193</v>\n"),
        ("<v>-33193</v>", "\n  <f>A1</f>\n  <v>-33193</v>\n"),
    ],
)
def test_serial_numbers_are_read_from_any_equivalent_xml(
    tmp_path: Path, reader: Reader, before: str, after: str
) -> None:
    path = column(tmp_path / "w.xlsx", [(-33193, DAY)])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    assert before in parts[sheet]
    parts[sheet] = parts[sheet].replace(before, after)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    assert cells(reader, path, "S")[2, 1] == dt.date(1809, 2, 12)


@pytest.mark.parametrize("date1904", [False, True])
def test_serial_numbers_are_read_from_xls(tmp_path: Path, *, date1904: bool) -> None:
    epoch = dt.date(1904, 1, 1) if date1904 else dt.date(1899, 12, 30)
    book = Xls(FORMATS[1:], date1904=date1904)
    book.number(0, 0, -33193.0, 1)
    book.rk(1, 0, rk(-2), 1)
    book.rk(2, 0, rk_double(-0.5), 2)
    book.many(3, 0, [rk(-3), rk(45352)], 1)
    book.formula(4, 0, bytes.fromhex("000000000000e8bf"), 2)  # -0.75
    book.number(5, 0, -0.75, 3)
    book.number(6, 0, -0.75, 0)
    book.number(7, 0, -0.25, 4)
    book.rk(8, 0, rk(0), 1)
    found = cells(CalamineReader(), book.write(tmp_path / "w.xls"), "S")
    day = dt.timedelta(days=1)
    assert [found[row, 0] for row in range(1, 10)] == [
        epoch - 33193 * day,
        epoch - 2 * day,
        -day / 2,
        epoch - 3 * day,
        -0.75 * day,
        -0.75 * day,
        -0.75,
        dt.datetime.combine(epoch, dt.time()) - day / 4,
        epoch,
    ]
    assert found[4, 1] == epoch + 45352 * day


@pytest.mark.parametrize("date1904", [False, True])
def test_serial_numbers_are_read_from_xlsb(tmp_path: Path, *, date1904: bool) -> None:
    """Including whole numbers with a date and time format, which python-calamine overlooks in xlsb."""
    epoch = dt.date(1904, 1, 1) if date1904 else dt.date(1899, 12, 30)
    book = Xlsb(FORMATS[1:], date1904=date1904)
    book.number(0, 0, -33193.0, 1)
    book.rk(1, 0, rk(-2), 1)
    book.rk(2, 0, rk(45352), 1)
    book.formula_number(3, 0, -0.75, 2)
    book.rk(4, 0, rk(2), 3)
    book.rk(5, 0, rk(7), 0)
    book.rk(6, 0, rk(0), 2)
    book.number(7, 0, 45352.0, 1)
    found = cells(CalamineReader(), book.write(tmp_path / "w.xlsb"), "S")
    day = dt.timedelta(days=1)
    assert [found[row, 0] for row in range(1, 9)] == [
        epoch - 33193 * day,
        epoch - 2 * day,
        epoch + 45352 * day,
        -0.75 * day,
        2 * day,
        7,
        dt.time(),
        epoch + 45352 * day,
    ]


def test_days_before_march_1900_are_shown_as_in_excel() -> None:
    """Excel has a 29th of February 1900, so python-calamine and we count the earlier days from one day later."""
    serials = Serials({1: Shown.DATE})
    assert [serials.meaning(1, number) for number in (1, 59, 61)] == [
        dt.date(1900, 1, 1),
        dt.date(1900, 2, 28),
        dt.date(1900, 3, 1),
    ]


def test_dates_become_a_verified_date_column_with_a_note(tmp_path: Path, sqlite: Database, postgres: Database) -> None:
    path = column(tmp_path / "w.xlsx", [(-33193, DAY), (-30701, DAY), (19355, DAY)])
    for database in (sqlite, postgres):
        report = load(path, database, verify=True)
        assert (report.outcome, types(report)["value"]) == ("complete", "date")
        found = [str(value) for (value,) in database.fetch("SELECT value FROM t ORDER BY number")]
        assert found == ["1809-02-12", "1815-12-10", "1952-12-27"]
        (said,) = [note for note in report.notes if "negative" in note]
        assert said == (
            "column B: negative numbers shown as dates are read as days before 1899-12-30: "
            "2 cells, the first S!B2 (1809-02-12)"
        )


def test_negative_times_become_intervals_with_a_note(tmp_path: Path, sqlite: Database, postgres: Database) -> None:
    path = column(tmp_path / "w.xlsx", [(-1 / 48, CLOCK), (0.25, CLOCK)])
    for database, stored in ((sqlite, ["-0:30:00", "6:00:00"]), (postgres, [MINUS_HALF_HOUR, dt.timedelta(hours=6)])):
        report = load(path, database, verify=True)
        assert (report.outcome, types(report)["value"]) == ("complete", "interval")
        assert [value for (value,) in database.fetch("SELECT value FROM t ORDER BY number")] == stored
        assert any(
            "negative times of day are read as spans of time: 1 cell, the first S!B2 (-0:30:00)" in note
            for note in report.notes
        )


#: Numbers that a format without a date shows as a time of day, and what they are.
CLOCKS: list[tuple[float, dt.time | dt.timedelta | dt.datetime]] = [
    (0.25, dt.time(6)),
    (1.0, dt.timedelta(days=1)),
    (1.25, dt.timedelta(hours=30)),
    (2.0, dt.timedelta(days=2)),
    (1023.5, dt.timedelta(days=1023, hours=12)),
    (1024.5, dt.datetime(1902, 10, 20, 12)),
    (45352.5, dt.datetime(2024, 3, 1, 12)),
]


@pytest.mark.parametrize("formula", [False, True])
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_long_durations_with_a_clock_format_are_read_from_xlsx(
    tmp_path: Path, reader: Reader, *, formula: bool
) -> None:
    path = column(tmp_path / "w.xlsx", [(number, CLOCK) for number, _ in CLOCKS], formula=formula)
    found = cells(reader, path, "S")
    assert [found[row, 1] for row in range(2, len(CLOCKS) + 2)] == [value for _, value in CLOCKS]


@pytest.mark.parametrize("form", ["xls", "xlsb"])
def test_long_durations_with_a_clock_format_are_read_from_xls_and_xlsb(tmp_path: Path, form: str) -> None:
    book = Xls(FORMATS[1:]) if form == "xls" else Xlsb(FORMATS[1:])
    for row, (number, _) in enumerate(CLOCKS):
        book.number(row, 0, number, 2)
    found = cells(CalamineReader(), book.write(tmp_path / f"w.{form}"), "S")
    assert [found[row, 0] for row in range(1, len(CLOCKS) + 1)] == [value for _, value in CLOCKS]


@pytest.mark.parametrize("others", [SPAN, CLOCK])
def test_column_with_long_durations_is_inferred_as_interval(tmp_path: Path, postgres: Database, others: str) -> None:
    path = column(tmp_path / "w.xlsx", [(0.25, others), (25 / 24, CLOCK), (0.5, others), (30 / 24, CLOCK)])
    report = load(path, postgres, verify=True)
    assert (report.outcome, types(report)["value"]) == ("complete", "interval")
    hours = [value / dt.timedelta(hours=1) for (value,) in postgres.fetch("SELECT value FROM t ORDER BY number")]
    assert hours == [6, 25, 12, 30]


def test_negative_time_is_rejected_by_a_time_column(tmp_path: Path, postgres: Database) -> None:
    postgres.execute("CREATE TABLE t (number integer, value time)")
    report = load(column(tmp_path / "w.xlsx", [(-1 / 48, CLOCK), (0.25, CLOCK)]), postgres)
    assert [(reject.cell, reject.value) for reject in report.rejects] == [("S!B2", "-0:30:00")]
    assert postgres.fetch("SELECT value FROM t") == [(dt.time(6),)]


def test_dates_and_negative_times_stay_text(tmp_path: Path, sqlite: Database) -> None:
    report = load(column(tmp_path / "w.xlsx", [(45352, DAY), (-1 / 48, CLOCK)]), sqlite)
    assert types(report)["value"] == "text"
    assert sqlite.fetch("SELECT value FROM t ORDER BY number") == [("2024-03-01",), ("-0:30:00",)]


def test_dates_before_year_1_stay_numbers(tmp_path: Path, sqlite: Database) -> None:
    report = load(column(tmp_path / "w.xlsx", [(-700_000, DAY)]), sqlite, verify=True)
    assert (report.outcome, types(report)["value"]) == ("complete", "integer")
    assert sqlite.fetch("SELECT value FROM t") == [(-700_000,)]
    assert any("before the year 1, stay numbers: 1 cell, the first S!B2 (-700000)" in note for note in report.notes)


def test_cells_outside_the_table_are_not_noted(tmp_path: Path, sqlite: Database) -> None:
    path = column(tmp_path / "w.xlsx", [(45352, DAY), (-5, DAY)])
    plan = Plan(source=Source(file=str(path), range="A1:B2"), target=Target(database=sqlite.url, table="t"))
    report = run_import(plan, rejects_file=tmp_path / "r.xlsx")
    assert sqlite.fetch("SELECT value FROM t") == [("2024-03-01",)]
    assert not [note for note in report.notes if "negative" in note]


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.lists(st.integers(-693_000, 100_000), min_size=1, max_size=20), date1904=st.booleans())
def test_every_file_format_gives_the_same_days(tmp_path: Path, days: list[int], *, date1904: bool) -> None:
    xls, xlsb = Xls([DAY], date1904=date1904), Xlsb([DAY], date1904=date1904)
    for row, day in enumerate(days):
        xls.rk(row, 0, rk(day), 1)
        xlsb.number(row, 0, float(day), 1)
    paths = [
        xls.write(tmp_path / "w.xls"),
        xlsb.write(tmp_path / "w.xlsb"),
        column(tmp_path / "w.xlsx", [(day, DAY) for day in days], date1904=date1904),
    ]
    first, second, third = (
        [value for _, value in sorted(cells(CalamineReader(), path, "S").items())] for path in paths
    )
    assert first == second == [value for value in third if not isinstance(value, str | float | int)]
    epoch = dt.date(1904, 1, 1) if date1904 else dt.date(1899, 12, 30)
    for value, day in zip(first, days, strict=True):
        if date1904 or not 0 < day < 61:
            assert value == epoch + dt.timedelta(days=day)
