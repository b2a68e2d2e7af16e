"""``--verify``, and the count that is always taken: what the table holds is what the source gave."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from openpyxl import Workbook

from tests.exactly_once.conftest import Importer
from tui_importer import Options, Plan, Run, Source, Target, run_import
from tui_importer.core.model.types import ColumnType
from tui_importer.core.writing.verification import Checksums
from tui_importer.events import AnyEvent, LoadingStarted, Noticed

if TYPE_CHECKING:
    from tests.conftest import Database

UPPER = """
    CREATE FUNCTION upper_note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF new.n = 150 THEN new.note := upper(new.note); END IF; RETURN new; END $$;
    CREATE TRIGGER upper_note BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION upper_note();
"""
UPPER_SQLITE = """
    CREATE TRIGGER upper_note AFTER INSERT ON t WHEN new.n = 150
    BEGIN UPDATE t SET note = upper(note) WHERE n = 150; END;
"""


def test_unchanged_values_of_every_type_verify(database: Database, tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["text", "whole", "exact", "float", "yes", "day", "clock", "moment", "span"])
    for n in range(1, 200):
        sheet.append(
            [
                f"é{n}" if n % 7 else None,
                n,
                n / 8,
                n / 7,
                n % 2 == 0,
                dt.date(2026, 1, 1) + dt.timedelta(n),
                dt.time(n % 24, 30),
                dt.datetime(2026, 1, 1, 2, 3, 4) + dt.timedelta(n),
                dt.timedelta(hours=n),
            ]
        )
    path = tmp_path / "types.xlsx"
    book.save(path)
    types = {"exact": "numeric(10,3)", "span": "interval"}
    for again in (False, True):
        plan = Plan(
            source=Source(file=str(path)),
            target=Target(database=database.url, table="types"),
            options=Options(verify=True, types=types, again=again, batch_size=50),
        )
        report = run_import(plan, rejects_file=tmp_path / "r.xlsx")
        assert (report.outcome, report.stats.inserted) == ("complete", 199), report.error


def test_changed_value_fails_verification(database: Database, importer: Importer) -> None:
    database.execute("CREATE TABLE t (n integer, note text); INSERT INTO t VALUES (-1, 'old')")
    database.execute(UPPER if database.kind == "postgresql" else UPPER_SQLITE)
    report = importer.run(database.url, verify=True)
    assert (report.outcome, report.exit_code) == ("failed", 6)
    assert report.error == "table 't' does not hold what the source does in 'note'"
    assert importer.run(database.url).outcome == "complete"  # nobody asked


@pytest.mark.once
def test_existing_rows_are_excluded_from_verification(database: Database, importer: Importer) -> None:
    database.execute("CREATE TABLE t (n integer, note text); INSERT INTO t VALUES (1, 'old'), (1, 'old'), (2, NULL)")

    def stop(run: Run, event: AnyEvent) -> None:
        if isinstance(event, LoadingStarted):
            run.stop("enough")

    importer.run(database.url, verify=True, on_event=stop)
    assert importer.run(database.url, verify=True).outcome == "complete"


@pytest.mark.once
def test_resumed_import_without_a_baseline_cannot_be_verified(database: Database, importer: Importer) -> None:
    def stop(run: Run, event: AnyEvent) -> None:
        if isinstance(event, LoadingStarted):
            run.stop("enough")

    importer.run(database.url, on_event=stop)
    report = importer.run(database.url, verify=True)
    assert (report.exit_code, "cannot be verified" in (report.error or "")) == (6, True)


def test_rejected_rows_do_not_fail_verification(database: Database, importer: Importer) -> None:
    database.execute("CREATE TABLE t (n integer CHECK (n <> 11), note text)")
    importer.write([(f"x{n}" if n == 7 else n, "") for n in range(40)])
    report = importer.run(database.url, verify=True)
    assert (report.outcome, report.exit_code, report.stats.error_count) == ("complete_with_rejects", 3, 2)


def test_column_stored_in_another_form_is_reported_as_unverified(postgres: Database, importer: Importer) -> None:
    postgres.execute("CREATE TABLE t (n integer, note uuid)")
    importer.write([(n, f"0000000{n}-0000-0000-0000-000000000000") for n in range(9)])
    assert importer.run(postgres.url, verify=True).outcome == "complete"
    assert ["'note' was not verified" in event.message for event in importer.heard(Noticed)] == [True]


@pytest.mark.once
def test_missing_rows_are_detected_without_verify(database: Database, importer: Importer) -> None:
    """The rows of a table written only by this import are counted."""
    taken: list[None] = []

    def take(run: Run, event: AnyEvent) -> None:
        if not isinstance(event, LoadingStarted) or taken:
            return
        taken.append(None)
        database.execute(
            "CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM t WHERE n = 5; RETURN NULL; "
            "END'; CREATE TRIGGER gone AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION gone()"
            if database.kind == "postgresql"
            else "CREATE TRIGGER gone AFTER INSERT ON t BEGIN DELETE FROM t WHERE n = 5; END"
        )

    report = importer.run(database.url, on_event=take)
    assert (report.outcome, report.exit_code) == ("failed", 6)
    assert report.error == "table 't' holds 299 rows, though 300 were written into it"


@pytest.mark.parametrize(
    ("type_", "ours", "theirs"),
    [
        ("numeric", Decimal("1.50"), 1.5),
        ("numeric", Decimal("1e3"), "1000"),
        ("numeric", Decimal("-0.0"), 0),
        ("boolean", True, 1),
        ("date", dt.date(2026, 1, 2), "2026-01-02"),
        ("timestamp", dt.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02 03:04:05"),
        ("interval", dt.timedelta(hours=30), "30:00:00"),
    ],
)
def test_equivalent_forms_of_a_value_have_equal_checksums(type_: str, ours: object, theirs: object) -> None:
    one, other = Checksums([ColumnType.parse(type_)]), Checksums([ColumnType.parse(type_)])
    one.add([[ours, None]])
    other.add([[None]])
    other.add([[theirs]])
    assert (one.rows, one.sums) == (other.rows, other.sums)


def test_long_numbers_that_differ_in_the_last_digit_have_different_checksums() -> None:
    one, other = (Checksums([ColumnType.parse("numeric")]) for _ in range(2))
    one.add([[Decimal("1" * 60 + "1")]])
    other.add([[Decimal("1" * 60 + "2")]])
    assert one.sums != other.sums
