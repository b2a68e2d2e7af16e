"""The parts of a report on a run's source and columns, as far as they are known."""

from __future__ import annotations

import datetime as dt

from tui_importer.core.model.plan import Options, Plan
from tui_importer.core.model.report import Report, ReportedColumn, SourceReport, Stats, TargetReport
from tui_importer.core.model.times import rfc3339
from tui_importer.core.planning.resolution import ResolvedPlan
from tui_importer.core.source.open_source import OpenSource
from tui_importer.errors import ImporterError


def reported_source(
    plan: Plan, reader: str, source: OpenSource | None, rows: int | None, sha256: str | None
) -> SourceReport:
    """The source. ``rows`` is the number of rows read, if all were; ``source`` is None if the file was not opened."""
    layout = source.layout if source else None
    return SourceReport(
        file=plan.source.file,
        sheet=source.name if source else None,
        reader=reader,
        range=plan.source.range,
        header_row=layout.header_row if layout else None,
        first_row=layout.first_row if layout else None,
        last_row=source.last_row if source else None,
        rows=rows,
        sha256=sha256,
    )


def never_begun(file: str, method: str | None, error: ImporterError) -> Report:
    """The report of an import that was refused before it began: without a run id and without counts."""
    now = rfc3339(dt.datetime.now(dt.UTC))
    return Report(
        run_id="",
        outcome="failed",
        exit_code=error.exit_code,
        method=method or Options().strategy,
        workers=0,
        batch_size=0,
        started_at=now,
        finished_at=now,
        source=SourceReport(file=file, sheet=None),
        target=TargetReport(backend="", database="", table="", created=False),
        stats=Stats.count(read=0, inserted=0, updated=0, skipped=0, rejected=0, blank=0, retries=0, seconds=0.0),
        error=str(error),
    )


def reported_columns(resolved: ResolvedPlan | None) -> tuple[ReportedColumn, ...]:
    """The resolved columns; empty until they are known."""
    columns = resolved.plan.columns or () if resolved else ()
    return tuple(
        ReportedColumn(source=column.source, letter=column.letter, target=column.target, type=column.type)
        for column in columns
    )
