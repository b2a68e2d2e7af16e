"""One report, outcome and exit code of several imports."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from tui_importer.core.model.report import Outcome, Report, SetReport, Stats, from_json, reports_of_imports, to_json
from tui_importer.core.run.reporting import never_begun
from tui_importer.core.run.set_report import failures, label, named_error, report_of_set, worst_exit_code
from tui_importer.errors import ExitCode, ImporterError, SourceError

NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


def report(
    file: str, outcome: Outcome = "complete", code: int = 0, *, seconds: float = 1.0, earlier: int = 0, **counts: int
) -> Report:
    given = {"read": sum(counts.values()), "inserted": 0, "updated": 0, "skipped": 0, "rejected": 0, **counts}
    return msgspec.structs.replace(
        never_begun(file, None, SourceError("")),
        run_id="x",
        outcome=outcome,
        exit_code=code,
        error=None if outcome.startswith("complete") else f"{outcome} of it",
        stats=Stats.count(blank=1, retries=2, seconds=seconds, completed_earlier=earlier, **given),
        rejects_total=given["rejected"],
    )


@pytest.mark.parametrize(
    ("codes", "worst"),
    [
        ([], 0),
        ([0, 0], 0),
        ([0, 3], 3),
        ([3, 4], 4),
        ([4, 6], 6),
        ([6, 2], 2),
        ([2, 5], 5),
        ([5, 1], 1),
        ([1, 130], 130),
    ],
)
def test_run_has_the_worst_exit_code_of_its_imports(codes: list[int], worst: int) -> None:
    assert worst_exit_code(codes) == worst_exit_code(reversed(codes)) == worst


@pytest.mark.parametrize(
    ("ends", "outcome", "code"),
    [
        ([("complete", 0), ("already_imported", 0)], "complete", 0),
        ([("already_imported", 0), ("already_imported", 0)], "already_imported", 0),
        ([("complete", 0), ("complete_with_rejects", 3)], "complete_with_rejects", 3),
        ([("complete_with_rejects", 0), ("complete_with_suppressed", 3)], "complete_with_rejects", 3),
        ([("complete_with_rejects", 3), ("stopped", 4)], "stopped", 4),
        ([("failed", 2), ("stopped", 4)], "failed", 2),
        ([("failed", 1), ("stopped", 130)], "failed", 130),
    ],
)
def test_different_outcomes_are_combined(ends: list[tuple[Outcome, int]], outcome: str, code: int) -> None:
    found = report_of_set("run", [report("a.csv", *end) for end in ends], None, NOW, 1.0)
    assert (found.outcome, found.exit_code) == (outcome, code)


def test_report_sums_the_totals_and_lists_every_import() -> None:
    reports = [report("a.csv", inserted=5, rejected=1), report("b.csv", inserted=2, skipped=3)]
    found = report_of_set("run", reports, None, NOW, 2.0)
    assert isinstance(found, SetReport)
    found.stats.reconcile()
    stats = found.stats
    assert (stats.total_records, stats.inserted, stats.skipped, stats.error_count) == (11, 7, 3, 1)
    assert (stats.blank_rows, stats.retries, stats.duration_seconds, stats.records_per_second) == (2, 4, 2.0, 5.5)
    assert (found.run_id, found.source.file, found.rejects_total, found.error) == ("run", "a.csv, b.csv", 1, None)
    assert found.imports == tuple(reports)
    assert from_json(to_json(found)) == found


def test_rows_of_earlier_runs_do_not_count_in_the_rate() -> None:
    """The run's rate must not be derived from the imports' rounded rates and long durations."""
    reports = [
        report("a.csv", seconds=10_000.0, earlier=700, inserted=123, skipped=700),
        report("b.csv", seconds=10_000.0, inserted=456),
    ]
    stats = report_of_set("run", reports, None, NOW, 10.0).stats
    assert (stats.total_records, stats.completed_earlier, stats.records_per_second) == (1_279, 700, 57.9)
    only = msgspec.to_builtins(reports[1].stats)
    assert "completed_earlier" not in only


def test_report_of_a_single_import_is_not_wrapped() -> None:
    only = report("a.csv", inserted=5)
    assert report_of_set("run", [only], None, NOW, 2.0) is only
    assert b"imports" not in to_json(only)


def test_error_outside_the_imports_fails_the_run() -> None:
    found = report_of_set("run", [report("a.csv")], ImporterError("its defect"), NOW, 1.0)
    assert (found.outcome, found.exit_code, found.error) == ("failed", ExitCode.FAILED, "its defect")


def test_combined_error_names_the_files() -> None:
    reports = [report("a.csv"), report("b.csv", "failed", 1), report("c.csv", "stopped", 4)]
    assert report_of_set("run", reports, None, NOW, 1.0).error == "b.csv: failed of it; c.csv: stopped of it"
    named = msgspec.structs.replace(reports[1], error="b.csv: unreadable")
    assert named_error(named) == "b.csv: unreadable"


def test_label_lists_the_first_names() -> None:
    assert label(["a"]) == label(["a", "a"]) == "a"
    assert label("abc") == "a, b, c"
    assert label("abcabde") == "a, b, c and 2 more"


def test_failures_name_the_files_only_if_there_are_several_imports() -> None:
    good, bad, stopped = report("a.csv"), report("b.csv", "failed", 1), report("c.csv", "stopped", 4)
    assert failures(good) == []
    assert failures(bad) == ["failed of it"]
    several = report_of_set("run", [good, bad, stopped], None, NOW, 1.0)
    assert failures(several) == ["b.csv: failed of it"]
    assert failures(several, stopped=True) == ["b.csv: failed of it", "c.csv: stopped of it"]
    assert reports_of_imports(several) == (good, bad, stopped)
    assert reports_of_imports(good) == (good,)


def test_run_failure_without_a_failed_import_is_reported() -> None:
    found = report_of_set("run", [report("a.csv"), report("b.csv")], ImporterError("the executor failed"), NOW, 1.0)
    assert failures(found) == ["the executor failed"]
