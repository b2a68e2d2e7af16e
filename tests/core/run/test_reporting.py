"""What a report says where little is known."""

from __future__ import annotations

from tui_importer.core.model.plan import Plan, Source
from tui_importer.core.model.report import from_json, to_json
from tui_importer.core.run.reporting import never_begun, reported_columns, reported_source
from tui_importer.errors import ExitCode, SourceError


def test_a_file_that_was_never_open() -> None:
    found = reported_source(Plan(source=Source(file="x.csv", range="A1:B2")), "csv", None, None, None)
    assert (found.file, found.reader, found.range) == ("x.csv", "csv", "A1:B2")
    assert (found.sheet, found.header_row, found.first_row, found.last_row, found.rows, found.sha256) == (None,) * 6
    assert reported_columns(None) == ()


def test_a_run_that_never_was_counts_nothing_and_says_why() -> None:
    report = never_begun("x.csv", None, SourceError("x.csv: there is no such file"))
    assert (report.run_id, report.outcome, report.exit_code) == ("", "failed", ExitCode.USAGE)
    assert (report.method, report.error) == ("batched", "x.csv: there is no such file")
    assert report.stats.total_records == report.stats.success_count == report.stats.error_count == 0
    assert from_json(to_json(report)) == report
    assert never_begun("x.csv", "async", SourceError("")).method == "async"
