"""The report of a run, at whatever stage it ended."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from tests.conftest import Database
from tests.core.run.steps import Steps
from tui_importer.core.model.plan import Plan, Source
from tui_importer.core.model.report import from_json, to_json
from tui_importer.core.run.choices import MIN_BATCH_SIZE
from tui_importer.core.run.finishing import finish, record_end
from tui_importer.core.run.loading import load
from tui_importer.core.run.reporting import Ending, build_report, never_begun, reported_columns, reported_source
from tui_importer.core.run.stages import Stage
from tui_importer.errors import ExitCode, ImporterError, ReconciliationError, SourceError


def ending(error: ImporterError | None = None) -> Ending:
    return Ending(error, dt.datetime(2026, 1, 2, tzinfo=dt.UTC), 2.0)


def test_report_of_an_unopened_file_has_no_details() -> None:
    found = reported_source(Plan(source=Source(file="x.csv", range="A1:B2")), "csv", Stage(), None)
    assert (found.file, found.reader, found.range) == ("x.csv", "csv", "A1:B2")
    assert (found.sheet, found.header_row, found.first_row, found.last_row, found.rows, found.sha256) == (None,) * 6
    assert reported_columns(Stage()) == ()


def test_report_of_a_run_that_failed_early(tmp_path: Path) -> None:
    steps = Steps(tmp_path, batch_size=None)
    report = build_report(steps.context, ending(SourceError("unreadable")))
    assert (report.outcome, report.exit_code, report.error) == ("failed", ExitCode.USAGE, "unreadable")
    assert (report.workers, report.batch_size, report.target.table) == (0, MIN_BATCH_SIZE, "t")
    assert (report.started_at, report.stats.duration_seconds) == ("2026-01-02T00:00:00.000Z", 2.0)


def test_report_of_a_completed_run(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path, lines=[*range(9), "x"], types={"n": "integer"})
    with steps.ready() as (ready, database):
        finish(steps.context, load(steps.context, ready, database.backend), database.backend)
        record_end(steps.context, None)
    steps.context.control.stop("too late")
    report = build_report(steps.context, ending())
    assert (report.outcome, report.exit_code, report.error) == ("complete_with_rejects", ExitCode.REJECTS, None)
    assert (report.source.rows, report.source.sheet, report.source.last_row) == (10, "lines", 11)
    assert (report.target.table, report.target.created, report.resumes) == ("t", True, None)
    assert [(column.target, column.type) for column in report.columns] == [("n", "integer")]
    assert (report.stats.inserted, report.stats.error_count, report.rejects_total) == (9, 1, 1)


def test_stopped_run_counts_only_completed_rows_as_read(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path)
    with steps.ready() as (ready, database):
        load(steps.context, ready, database.backend)
        steps.context.control.stop("enough")
        record_end(steps.context, None)
    steps.context.reader.rows_read += 5
    report = build_report(steps.context, ending())
    assert (report.outcome, report.exit_code, report.error) == ("stopped", ExitCode.STOPPED, "enough")
    assert (report.stats.total_records, report.source.rows) == (50, None)


def test_inconsistent_counts_fail_the_run(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path)
    with steps.ready() as (ready, database):
        load(steps.context, ready, database.backend)
    steps.context.reader.rows_read += 5
    report = build_report(steps.context, ending())
    assert (report.outcome, report.exit_code) == ("failed", ReconciliationError.exit_code)
    assert report.error is not None
    assert "the counts do not add up" in report.error


@pytest.mark.parametrize("rejects_ok", [False, True])
def test_report_of_a_completed_import_names_the_earlier_run(tmp_path: Path, sqlite: Database, rejects_ok: bool) -> None:
    first = Steps(tmp_path, "first", rejects_ok=rejects_ok)
    with first.ready() as (ready, database):
        finish(first.context, load(first.context, ready, database.backend), database.backend)
        record_end(first.context, None)
    steps = Steps(tmp_path, "second", rejects_ok=rejects_ok)
    with steps.ready():
        record_end(steps.context, None)
    report = build_report(steps.context, ending())
    assert (report.outcome, report.exit_code, report.resumes) == ("already_imported", ExitCode.OK, "first")
    assert (report.stats.total_records, report.stats.skipped) == (50, 50)


def test_report_of_an_unbegun_run_has_no_counts() -> None:
    report = never_begun("x.csv", None, SourceError("x.csv: there is no such file"))
    assert (report.run_id, report.outcome, report.exit_code) == ("", "failed", ExitCode.USAGE)
    assert (report.method, report.error) == ("batched", "x.csv: there is no such file")
    assert report.stats.total_records == report.stats.success_count == report.stats.error_count == 0
    assert from_json(to_json(report)) == report
    assert never_begun("x.csv", "async", SourceError("")).method == "async"
