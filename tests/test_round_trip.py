"""What goes in by a spreadsheet comes out by SELECT, equal: by type, on both databases, into new and given tables."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.once import once
from tests.support.readers import workbook_readers
from tui_importer import Options, Plan, Report, Source, Target, run_import

if TYPE_CHECKING:
    from tests.conftest import Database

FORMATS = {
    "date": "yyyy-mm-dd",
    "timestamp": "yyyy-mm-dd hh:mm:ss",
    "time": "hh:mm:ss",
    "interval": "[h]:mm:ss",
}
#: SQLite's documentation, "Datatypes In SQLite": dates, times and intervals are texts there.
SQL_TYPES = {
    "text": "text",
    "integer": "bigint",
    "numeric": "numeric(12,3)",
    "float": "double precision",
    "boolean": "boolean",
    "date": "date",
    "time": "time",
    "timestamp": "timestamp",
    "interval": "interval",
}


def digits(places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(-(10**8), 10**8, places=places, allow_nan=False, allow_infinity=False)


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=30,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.one_of(
        TEXTS.filter(lambda text: "_x" not in text and text.strip() == text),
        st.sampled_from(
            [
                "00420",
                "+49 030 123",
                "1234567890123456",
                "line\nbreak",
                "tab\tinside",
                'quote "',
                "O'Brien",
                "\\N",
                "\\.",
                ",",
                "=SUM(A1)",
                "NULL",
                "N/A",
                "🎉 emoji",
                "עברית",
                "العربية",
                "日本語",
                "a" * 5000,
                "1e5",
                "TRUE",
                "2024-01-01",
            ]
        ),
    ),
    "integer": st.integers(-(2**53), 2**53),
    "numeric": digits(3),
    "float": st.floats(-1e100, 1e100).map(lambda number: float(f"{number:.15g}")),
    "boolean": st.booleans(),
    "date": st.dates(dt.date(1900, 3, 1), dt.date(9999, 12, 31)),
    "time": st.times().map(lambda moment: moment.replace(microsecond=0)),
    "timestamp": st.datetimes(dt.datetime(1900, 3, 1), dt.datetime(9999, 12, 31)).map(
        lambda m: m.replace(microsecond=0)
    ),
    "interval": st.timedeltas(dt.timedelta(), dt.timedelta(days=400)).map(
        lambda d: dt.timedelta(seconds=d.days * 86400 + d.seconds)
    ),
}


def workbook(path: Path, kind: str, values: list[Any]) -> Path:
    with xlsxwriter.Workbook(path, {"constant_memory": False}) as book:
        sheet = book.add_worksheet("S")
        shown = book.add_format({"num_format": FORMATS[kind]}) if kind in FORMATS else None
        sheet.write_row(0, 0, ["number", "value"])
        for row, value in enumerate(values, start=1):
            sheet.write_number(row, 0, row)
            match value:
                case None:
                    pass
                case bool():
                    sheet.write_boolean(row, 1, value)
                case str():
                    sheet.write_string(row, 1, value)
                case dt.timedelta():
                    sheet.write_number(row, 1, value / dt.timedelta(days=1), shown)
                case dt.date() | dt.time():
                    sheet.write_datetime(row, 1, value, shown)
                case _:
                    sheet.write_number(row, 1, float(value))
    return path


def load(path: Path, database: Database, **options: Any) -> Report:
    plan = Plan(
        source=Source(file=str(path)), target=Target(database=database.url, table="t"), options=Options(**options)
    )
    rejects = path.with_suffix(".rejects.xlsx")
    rejects.unlink(missing_ok=True)
    return run_import(plan, rejects_file=rejects)


def stored(database: Database) -> list[Any]:
    return [value for (value,) in database.fetch("SELECT value FROM t ORDER BY number")]


def as_stored(kind: str, database: Database, value: Any) -> Any:
    """A value as the database's driver gives it back."""
    if value is None or database.kind == "postgresql":
        return value
    if kind == "interval":
        hours, seconds = divmod(int(value.total_seconds()), 3600)
        return f"{hours}:{seconds // 60:02}:{seconds % 60:02}"
    if kind in ("date", "time", "timestamp"):
        return str(value)
    return value


def equal(kind: str, found: Any, expected: Any) -> bool:
    if kind == "numeric" and expected is not None:
        return bool(Decimal(str(found)) == expected)
    return bool(found == expected)


@pytest.mark.parametrize(
    "kind", ["text", "integer", "timestamp", *once(*sorted({*VALUES} - {"text", "integer", "timestamp"}))]
)
@settings(max_examples=examples(4), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_values_of_every_type_round_trip(
    kind: str, data: st.DataObject, tmp_path: Path, sqlite: Database, postgres: Database
) -> None:
    values = data.draw(st.lists(st.one_of(VALUES[kind], st.none()), min_size=1, max_size=60))
    path = workbook(tmp_path / "t.xlsx", kind, values)
    for database in (sqlite, postgres):
        for given_table in (True, False):
            database.execute("DROP TABLE IF EXISTS t")
            if given_table:
                # To SQLite, anything with INT in its name is an integer ("Datatypes In SQLite", 3.1).
                type_ = "text" if kind == "interval" and database.kind == "sqlite" else SQL_TYPES[kind]
                database.execute(f"CREATE TABLE t (number integer, value {type_})")
            report = load(path, database, batch_size=17, workers=2, types={} if given_table else {"value": kind})
            assert (report.outcome, report.stats.inserted) == ("complete", len(values)), report.rejects
            found = stored(database)
            expected = [as_stored(kind, database, value) for value in values]
            assert len(found) == len(expected)
            assert [pair for pair in zip(found, expected, strict=True) if not equal(kind, *pair)] == []


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["007", "042"], "text"),
        (["1", "2"], "text"),
        ([1, 2, 30_000_000_000], "integer"),
        ([1.5, 2, None], "float"),
        ([1, "two", 3], "text"),
        ([True, False], "boolean"),
        ([dt.date(2024, 2, 29), None], "date"),
        ([dt.datetime(2024, 2, 29, 1, 2, 3), dt.datetime(2024, 3, 1)], "timestamp"),
        ([dt.time(1, 2, 3)], "time"),
        ([None, None], "text"),
    ],
)
def test_types_are_inferred_from_the_whole_column_without_loss(
    tmp_path: Path, sqlite: Database, values: list[Any], kind: str
) -> None:
    """Text cells stay text, whatever their content."""
    moments = {dt.datetime: "timestamp", dt.date: "date", dt.time: "time"}
    shown = next((moments[type(value)] for value in values if type(value) in moments), "text")
    report = load(workbook(tmp_path / "t.xlsx", shown, values), sqlite)
    assert report.outcome == "complete"
    assert [column.type for column in report.columns if column.target == "value"] == [kind]
    if kind not in ("date", "time", "timestamp"):
        assert stored(sqlite) == [str(v) if kind == "text" and v is not None else v for v in values]


def test_csv_types_are_inferred_only_without_loss(tmp_path: Path, sqlite: Database) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "number,zip,long,price,day,flag,mixed\n1,007,1234567890123456,1.50,2024-02-29,true,1\n2,10115,1,2,2024-03-01,false,x\n"
    )
    report = load(path, sqlite)
    types = {column.target: column.type for column in report.columns}
    assert types["zip"] == types["long"] == types["mixed"] == "text"
    assert (types["number"], types["day"]) == ("integer", "date")
    assert sqlite.fetch("SELECT zip, long, mixed FROM t ORDER BY number") == [
        ("007", "1234567890123456", "1"),
        ("10115", "1", "x"),
    ]


@pytest.mark.parametrize("seed", [0, *once(1, 2)])
def test_rows_are_the_same_for_every_strategy_reader_and_database(
    tmp_path: Path, sqlite: Database, postgres: Database, generic: Database, seed: int
) -> None:
    """The result must not depend on reader, database, strategy, batch size or worker count."""
    chosen = random.Random(seed)
    drawn: list[Callable[[], Any]] = [
        lambda: chosen.choice(["a", "0042", "x\ny", None, "é", "12"]),
        lambda: chosen.choice([1.5, -2, None, 1e15, "text among numbers"]),
        lambda: chosen.choice([True, False, None]),
    ]
    path = tmp_path / "t.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("S")
        sheet.write_row(0, 0, ["number", "a", "b", "c"])
        for row in range(1, 120):
            for column, value in enumerate([row, *(draw() for draw in drawn)]):
                if value is not None:
                    sheet.write(row, column, value) if not isinstance(value, str) else sheet.write_string(
                        row, column, value
                    )
    results = set()
    for database in (sqlite, postgres, generic):
        for reader in workbook_readers():
            for strategy in ("sequential", "threaded", "batched", "async"):
                database.execute("DROP TABLE IF EXISTS t")
                plan = Plan(
                    source=Source(file=str(path), reader=reader),
                    target=Target(database=database.url, table="t"),
                    options=Options(strategy=strategy, batch_size=chosen.randint(1, 150), workers=chosen.randint(1, 4)),
                )
                report = run_import(plan, rejects_file=tmp_path / "r.xlsx")
                assert (report.outcome, report.stats.inserted) == ("complete", 119)
                rows = database.fetch("SELECT number, a, b, c FROM t ORDER BY number")
                results.add(json.dumps([(number, a, b, None if c is None else bool(c)) for number, a, b, c in rows]))
    assert len(results) == 1
