"""The same command line again: it goes on, or says that there is nothing left to do."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import openpyxl
import pytest

from tests.exactly_once.conftest import Importer
from tests.support.once import once
from tui_importer import Run
from tui_importer.errors import PlanError
from tui_importer.events import AlreadyImported, AnyEvent, BatchCommitted, Noticed, Resumed, Retrying, RowRejected

if TYPE_CHECKING:
    from tests.conftest import Database

STRATEGIES = ("sequential", "threaded", "batched", "async")


def stop_after(batches: int) -> object:
    seen = 0

    def stop(run: Run, event: AnyEvent) -> None:
        nonlocal seen
        seen += isinstance(event, BatchCommitted)
        if seen == batches:
            run.stop("enough")

    return stop


def numbers(database: Database) -> Counter[int]:
    return Counter(number for (number,) in database.fetch("SELECT n FROM t"))


def notices(importer: Importer) -> str:
    return "\n".join(event.message for event in importer.heard(Noticed))


@pytest.mark.parametrize(
    ("database", "first", "then"),
    # Each two strategies in each order, spread over the kinds of database.
    [
        (database, first, STRATEGIES[(place + step) % len(STRATEGIES)])
        for step, database in enumerate(("postgresql", "sqlite", "generic"), start=1)
        for place, first in enumerate(STRATEGIES)
    ],
    indirect=["database"],
)
def test_import_is_resumed_by_any_other_strategy(database: Database, importer: Importer, first: str, then: str) -> None:
    stopped = importer.run(database.url, on_event=stop_after(2), strategy=first, batch_size=17, workers=2)  # type: ignore[arg-type]
    assert (stopped.outcome, stopped.exit_code) == ("stopped", 4)
    assert numbers(database).total() == stopped.stats.inserted > 0
    report = importer.run(database.url, strategy=then, batch_size=40, workers=3)
    [resumed] = importer.heard(Resumed)
    assert (resumed.run_id, resumed.rows, resumed.taken_over) == (stopped.run_id, stopped.stats.inserted, False)
    assert report.resumes == stopped.run_id
    assert (report.outcome, report.exit_code) == ("complete", 0)
    assert report.stats.skipped == stopped.stats.inserted
    assert report.stats.inserted + report.stats.skipped == report.stats.total_records == 300
    assert numbers(database) == Counter(range(300))
    # Row by row or not: what touches is one entry in the end.
    assert database.fetch("SELECT first_row, last_row, inserted FROM tui_importer_batch") == [(2, 301, 300)]


def test_rejects_of_earlier_runs_are_in_the_report_and_workbook_of_the_last(
    database: Database, importer: Importer
) -> None:
    importer.write([(f"x{n}" if n % 50 == 7 else n, "") for n in range(300)])
    importer.run(database.url, on_event=stop_after(2), batch_size=60, types={"n": "integer"}, workers=1)  # type: ignore[arg-type]
    report = importer.run(database.url, batch_size=60, types={"n": "integer"}, workers=1)
    assert (report.outcome, report.exit_code, report.stats.error_count) == ("complete_with_rejects", 3, 6)
    assert [reject.row for reject in report.rejects] == [n + 2 for n in range(300) if n % 50 == 7]
    # So are they in what is told: those of the earlier run under number 0.
    told = importer.heard(RowRejected)
    assert [event.reject.row for event in told] == [reject.row for reject in report.rejects]
    assert {event.worker for event in told} == {0, 1}
    sheet = openpyxl.load_workbook(report.rejects_file or "").active
    assert sheet is not None
    assert sheet.max_row == 1 + 6
    rows = [row for (row,) in database.fetch("SELECT sheet_row FROM tui_importer_reject ORDER BY 1")]
    assert rows == [reject.row for reject in report.rejects]


def test_completed_import_is_repeated_only_on_request(database: Database, importer: Importer) -> None:
    first = importer.run(database.url)
    again = importer.run(database.url, strategy="sequential", batch_size=7)
    assert (again.outcome, again.exit_code, again.resumes) == ("already_imported", 0, first.run_id)
    assert (again.stats.total_records, again.stats.skipped, again.stats.inserted) == (300, 300, 0)
    [already] = importer.heard(AlreadyImported)
    assert (already.run_id, already.inserted, already.rejected) == (first.run_id, 300, 0)
    assert numbers(database) == Counter(range(300))
    assert importer.run(database.url, again=True).outcome == "complete"
    assert numbers(database) == Counter([*range(300), *range(300)])
    assert importer.run(database.url).outcome == "already_imported"
    assert database.fetch("SELECT count(*) FROM tui_importer_run") == [(2,)]


@pytest.mark.once
def test_interrupted_second_import_is_resumed(database: Database, importer: Importer) -> None:
    importer.run(database.url)
    stopped = importer.run(database.url, again=True, on_event=stop_after(1), batch_size=50, workers=1)  # type: ignore[arg-type]
    assert stopped.outcome == "stopped"
    assert importer.run(database.url).outcome == "complete"
    assert numbers(database) == Counter([*range(300), *range(300)])


def test_changed_file_or_mapping_is_a_new_import_with_a_note(database: Database, importer: Importer) -> None:
    first = importer.run(database.url)
    importer.write([(number, f"note {number}") for number in range(301)])
    assert importer.run(database.url).outcome == "complete"
    assert f"the file has changed since run {first.run_id}: this is another import" in notices(importer)
    assert numbers(database).total() == 601
    second = importer.run(database.url, skip=("note",))
    assert second.outcome == "complete"
    assert "the mapping of the columns has changed since run" in notices(importer)
    assert "the file has" not in notices(importer)
    assert numbers(database).total() == 902


@pytest.mark.once
def test_options_that_do_not_affect_rows_keep_the_import_identity(database: Database, importer: Importer) -> None:
    importer.run(database.url)
    report = importer.run(database.url, max_rate=1e6, retry_for=1.0, error_cells="reject", workers=3, verify=True)
    assert report.outcome == "already_imported"


def test_higher_row_limit_continues_the_same_import(database: Database, importer: Importer) -> None:
    assert importer.run(database.url, limit=100).stats.inserted == 100
    assert importer.run(database.url, limit=100).outcome == "already_imported"
    assert importer.run(database.url, limit=40).outcome == "already_imported"
    rest = importer.run(database.url)
    assert (rest.outcome, rest.stats.inserted, rest.stats.skipped) == ("complete", 200, 100)
    assert numbers(database) == Counter(range(300))


@pytest.mark.once
@pytest.mark.parametrize("way", ["DROP TABLE t", *once("DELETE FROM t")])
@pytest.mark.parametrize("complete", [True, False])
def test_emptied_table_is_refilled(database: Database, importer: Importer, way: str, complete: bool) -> None:
    if complete:
        importer.run(database.url)
    else:
        importer.run(database.url, on_event=stop_after(1), batch_size=50)  # type: ignore[arg-type]
    database.execute(way)
    assert importer.run(database.url).outcome == "complete"
    assert "table 't' has been emptied since run" in notices(importer)
    assert numbers(database) == Counter(range(300))


def test_names_and_types_chosen_by_the_first_run_are_kept(database: Database, importer: Importer) -> None:
    """The table's columns match no header: ``order`` and ``select`` are reserved words."""
    importer.write([(number, f"0{number}") for number in range(100)], header="order,select")
    stopped = importer.run(
        database.url,
        on_event=stop_after(1),  # type: ignore[arg-type]
        batch_size=20,
        mode="create",
        types={"select": "text"},
    )
    assert stopped.outcome == "stopped"
    report = importer.run(database.url, batch_size=20, mode="create", types={"select": "text"})
    assert (report.outcome, report.stats.inserted + report.stats.skipped) == ("complete", 100)


def test_indexes_are_created_by_the_run_that_completes_the_import(
    database: Database, importer: Importer, tmp_path: Path
) -> None:
    header = "Name,Category,Phone,Email,Address,City,Country,Website,Description"
    importer.write([(f"n{n}", *"abcdefgh") for n in range(90)], header=header)
    assert importer.run(database.url, table=None, on_event=stop_after(1), batch_size=20).outcome == "stopped"  # type: ignore[arg-type]
    assert importer.run(database.url, table=None).outcome == "complete"
    query = (
        "SELECT count(*) FROM pg_indexes WHERE tablename = 'businesses' AND indexname LIKE 'idx%'"
        if database.kind == "postgresql"
        else "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = 'businesses' AND sql IS NOT NULL"
    )
    assert database.scalar(query) == 6


@pytest.mark.once
def test_a_file_with_only_bad_rows_counts_as_completed(database: Database, importer: Importer) -> None:
    importer.write([(f"x{n}", "") for n in range(30)])
    options = {"types": {"n": "integer"}}
    assert importer.run(database.url, **options).stats.error_count == 30  # type: ignore[arg-type]
    assert importer.run(database.url, **options).outcome == "already_imported"  # type: ignore[arg-type]


@pytest.mark.once
def test_newer_ledger_version_is_refused(database: Database, importer: Importer) -> None:
    importer.run(database.url)
    database.execute("UPDATE tui_importer_run SET ledger_version = 99")
    report = importer.run(database.url)
    assert (report.outcome, report.exit_code) == ("failed", 2)
    assert "version 99" in (report.error or "")
    assert "newer tui-importer" in (report.error or "")


def test_ledger_can_be_in_another_schema(postgres: Database, importer: Importer) -> None:
    for outcome in ("complete", "already_imported"):
        assert importer.run(postgres.url, ledger_schema="Book Keeping").outcome == outcome
    tables = postgres.fetch("SELECT table_schema FROM information_schema.tables WHERE table_name LIKE 'tui_importer%'")
    assert tables == [("Book Keeping",)] * 3


def test_ledger_schema_is_refused_for_sqlite(sqlite: Database, importer: Importer) -> None:
    with pytest.raises(PlanError, match="sqlite has no schemas: leave --ledger-schema out"):
        importer.run(sqlite.url, ledger_schema="books")


def test_user_without_create_privilege_gets_a_hint(postgres: Database, importer: Importer) -> None:
    name = f"plain_{os.urandom(4).hex()}"  # roles are the server's
    postgres.execute(f"CREATE TABLE t (n integer, note text); CREATE ROLE {name} LOGIN; GRANT ALL ON t TO {name}")
    try:
        report = importer.run(postgres.url.replace("postgres@", f"{name}@").replace("postgres:@", f"{name}@"))
        assert (report.outcome, report.exit_code) == ("failed", 1)
        assert "permission denied" in (report.error or "")
        assert "--ledger-schema" in (report.error or "")
        assert not importer.heard(Retrying)
    finally:
        postgres.execute(f"REVOKE ALL ON t FROM {name}; DROP ROLE {name}")


def test_dry_run_leaves_the_database_unchanged(database: Database, importer: Importer) -> None:
    assert importer.run(database.url, dry_run=True).outcome == "complete"
    if database.kind == "postgresql":
        assert database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
    else:
        assert database.fetch("SELECT name FROM sqlite_master") == []
