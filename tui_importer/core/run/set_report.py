"""The report of a run from those of its imports: totals, and one outcome and exit code for all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec

from tui_importer.core.model.report import (
    Outcome,
    Report,
    SetReport,
    SourceReport,
    Stats,
    TargetReport,
    reports_of_imports,
)
from tui_importer.core.model.times import rfc3339
from tui_importer.errors import ExitCode, ImporterError

#: Exit codes, the most severe first.
_EXIT_CODES = (ExitCode.SIGINT, ExitCode.SIGTERM, *map(ExitCode, (1, 5, 2, 6, 4, 3, 0)))
#: Outcomes, the most severe first. A run is ``already_imported`` only if each of its imports is.
_OUTCOMES: tuple[Outcome, ...] = (
    "failed",
    "stopped",
    "complete_with_rejects",
    "complete_with_suppressed",
    "complete",
    "already_imported",
)
#: The number of different names that a label has.
_NAMES = 3


def worst_exit_code(codes: Iterable[int]) -> ExitCode:
    """The exit code of several imports: a signal's, else that of the most severe failure, else of a stop or rejects."""
    return min(map(ExitCode, codes), key=_EXIT_CODES.index, default=ExitCode.OK)


def label(names: Iterable[str]) -> str:
    """The different names among these, as a text; only the first few of many."""
    different = list(dict.fromkeys(names))
    more = len(different) - _NAMES
    return ", ".join(different[:_NAMES]) + (f" and {more} more" if more > 0 else "")


def named_error(report: Report) -> str | None:
    """The error of one of several imports, with the file that it is about; None if it has none."""
    file, error = report.source.file, report.error
    return error if error is None or error.startswith(file) else f"{file}: {error}"


def failures(report: Report, *, stopped: bool = False) -> list[str]:
    """The errors that a run failed with: those of its imports, or else its own; of several imports, each with its file.

    With ``stopped``, also why imports were stopped.
    """
    outcomes = ("failed", "stopped") if stopped else ("failed",)
    name = named_error if isinstance(report, SetReport) else lambda each: each.error
    found = [name(each) or "the run failed" for each in reports_of_imports(report) if each.outcome in outcomes]
    return found or ([report.error or "the run failed"] if report.outcome == "failed" else [])


def report_of_set(
    run_id: str,
    reports: Sequence[Report],
    failure: ImporterError | None,
    started_at: dt.datetime,
    seconds: float,
    notes: Sequence[str] = (),
) -> Report:
    """The report of a run that took ``seconds``: that of its only import, or one with all of them and with ``notes``
    about the whole run.

    ``failure`` is an error of the run itself, whatever became of the imports.
    """
    report = reports[0] if len(reports) == 1 else _with_totals(run_id, reports, started_at, seconds, notes)
    if failure is None or report.outcome == "failed":
        return report
    code = worst_exit_code([report.exit_code, failure.exit_code])
    return msgspec.structs.replace(report, outcome="failed", exit_code=int(code), error=str(failure))


def _with_totals(
    run_id: str, reports: Sequence[Report], started_at: dt.datetime, seconds: float, notes: Sequence[str]
) -> SetReport:
    return SetReport(
        run_id=run_id,
        outcome=min((report.outcome for report in reports), key=_OUTCOMES.index),
        exit_code=worst_exit_code(report.exit_code for report in reports),
        dry_run=reports[0].dry_run,
        method=label(report.method for report in reports),
        workers=max(report.workers for report in reports),
        batch_size=max(report.batch_size for report in reports),
        started_at=rfc3339(started_at),
        finished_at=rfc3339(dt.datetime.now(dt.UTC)),
        source=SourceReport(file=label(report.source.file for report in reports), sheet=None),
        target=TargetReport(
            backend=label(report.target.backend for report in reports),
            database=label(report.target.database for report in reports),
            table=label(report.target.table for report in reports),
            created=any(report.target.created for report in reports),
        ),
        stats=_total([report.stats for report in reports], seconds),
        peak_memory=max((report.peak_memory for report in reports if report.peak_memory is not None), default=None),
        notes=tuple(notes),
        error="; ".join(filter(None, map(named_error, reports))) or None,
        rejects_total=sum(report.rejects_total for report in reports),
        imports=tuple(reports),
    )


def _total(stats: Sequence[Stats], seconds: float) -> Stats:
    return Stats.count(
        read=sum(each.total_records for each in stats),
        inserted=sum(each.inserted for each in stats),
        updated=sum(each.updated for each in stats),
        skipped=sum(each.skipped for each in stats),
        rejected=sum(each.error_count for each in stats),
        blank=sum(each.blank_rows for each in stats),
        retries=sum(each.retries for each in stats),
        seconds=seconds,
        completed_earlier=sum(each.completed_earlier for each in stats),
        already_in=sum(each.already_in for each in stats),
        suppressed=sum(each.suppressed for each in stats),
        existing=sum(each.existing for each in stats),
    )
