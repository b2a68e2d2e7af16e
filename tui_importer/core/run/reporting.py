"""The report of a run, whatever stage it has reached."""

from __future__ import annotations

import datetime as dt

import msgspec
from msgspec.structs import replace

from tui_importer.core.model.plan import Options, Plan
from tui_importer.core.model.report import (
    MAX_REPORTED_REJECTS,
    Outcome,
    Report,
    ReportedColumn,
    SourceReport,
    Stats,
    TargetReport,
    reported,
)
from tui_importer.core.model.standard_input import renamed_copy, shown_source
from tui_importer.core.model.times import rfc3339
from tui_importer.core.run.choices import MIN_BATCH_SIZE
from tui_importer.core.run.context import RunContext
from tui_importer.core.run.counts import counts_before, existing, sample, suppressed, written
from tui_importer.core.run.peak_memory import peak_memory
from tui_importer.core.run.stages import (
    AlreadyDone,
    Checked,
    Claimed,
    Identified,
    Opened,
    Ready,
    Recorded,
    Resolved,
    Stage,
)
from tui_importer.errors import ExitCode, ImporterError, ReconciliationError


class Ending(msgspec.Struct, frozen=True):
    """How a run ended: the ``error`` that it failed with, if any, and its length in seconds."""

    error: ImporterError | None
    started_at: dt.datetime
    seconds: float


def build_report(context: RunContext, ending: Ending) -> Report:
    """Build the report, after checking that the counts add up: otherwise the run failed."""
    plan, components, stage = context.plan, context.components, context.stage
    counts = sample(context)
    # A row that was read but not completed (still queued, or rolled back with its batch) does not count as read: it
    # will be read again when the import is resumed. A run that reached its end has no such rows.
    whole = ending.error is None and not _stopped(context)
    before = counts_before(stage)
    stats = Stats.count(
        read=counts.read if whole else counts.finished,
        inserted=counts.inserted,
        updated=counts.updated,
        skipped=counts.skipped,
        rejected=counts.rejected,
        blank=counts.blank,
        retries=context.retries + written(stage).retries,
        seconds=ending.seconds,
        completed_earlier=before.rows,
        already_in=before.in_table,
        suppressed=suppressed(stage),
        existing=existing(stage),
    )
    try:
        stats.reconcile()
    except ReconciliationError as error:
        ending = replace(ending, error=error)
    exit_code, outcome = _outcome(context, ending.error, counts.rejected)
    return Report(
        run_id=context.run_id,
        dry_run=plan.options.dry_run,
        outcome=outcome,
        exit_code=exit_code,
        method=components.strategy_name,
        workers=stage.choices.workers if isinstance(stage, Ready) else 0,
        batch_size=_batch_size(plan, stage),
        started_at=rfc3339(ending.started_at),
        finished_at=rfc3339(dt.datetime.now(dt.UTC)),
        source=reported_source(plan, components.reader_name, stage, counts.read if whole else None),
        target=TargetReport(
            backend=components.backend_name,
            database=components.address.display,
            table=_table(plan, stage),
            created=isinstance(stage, Claimed) and stage.created,
        ),
        stats=stats,
        columns=reported_columns(stage),
        plugin_options=plan.options.plugin_options,
        peak_memory=peak_memory(),
        stages=context.clock.stages(context.reader, written(stage), ending.seconds),
        notes=tuple(context.notes),
        error=_error_text(context, ending.error),
        verified=stage.verification if isinstance(stage, Checked) else None,
        resumes=_resumes(stage),
        rejects=tuple(reported(reject, context.source) for reject in context.rejects.first(MAX_REPORTED_REJECTS)),
        rejects_total=counts.rejected,
        reject_groups=tuple(replace(group, source=context.source) for group in context.rejects.by_reason()),
    )


def reported_source(plan: Plan, reader: str, stage: Stage, rows: int | None) -> SourceReport:
    """The source, as far as it is known. ``rows`` is the number of rows read, if all were."""
    asked = SourceReport(
        file=shown_source(plan.source.file), sheet=None, reader=reader, range=plan.source.range, rows=rows
    )
    if not isinstance(stage, Opened):
        return asked
    source, layout = stage.source, stage.source.layout
    return msgspec.structs.replace(
        asked,
        sheet=source.name,
        header_row=layout.header_row,
        first_row=layout.first_row,
        last_row=source.last_row,
        sha256=stage.sha256,
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
        error=renamed_copy(str(error)),
    )


def reported_columns(stage: Stage) -> tuple[ReportedColumn, ...]:
    """The resolved columns; empty until they are known."""
    columns = stage.resolved.plan.columns or () if isinstance(stage, Resolved) else ()
    return tuple(
        ReportedColumn(source=column.source, letter=column.letter, target=column.target, type=column.type)
        for column in columns
    )


def _table(plan: Plan, stage: Stage) -> str:
    return stage.resolved.mapping.table.qualified_name if isinstance(stage, Resolved) else plan.target.table or ""


def _batch_size(plan: Plan, stage: Stage) -> int:
    return stage.choices.batch_size if isinstance(stage, Ready) else plan.options.batch_size or MIN_BATCH_SIZE


def _resumes(stage: Stage) -> str | None:
    """The earlier run that this one resumed, or that had already completed the import."""
    if isinstance(stage, AlreadyDone):
        return stage.past.run_id
    history = stage.history if isinstance(stage, Identified) else None
    return history.resumes.run_id if history is not None and history.resumes is not None else None


def _stopped(context: RunContext) -> bool:
    return context.control.stopping and not isinstance(context.stage, Recorded)


def _error_text(context: RunContext, error: ImporterError | None) -> str | None:
    """What a run failed with, or why it was stopped."""
    if error is not None:
        return renamed_copy(str(error))
    return context.control.reason if _stopped(context) else None


def _outcome(context: RunContext, error: ImporterError | None, rejected: int) -> tuple[ExitCode, Outcome]:
    if error is not None:
        return error.exit_code, "failed"
    if _stopped(context):
        return context.control.exit_code, "stopped"
    if isinstance(context.stage, AlreadyDone):
        return ExitCode.OK, "already_imported"
    code = ExitCode.OK if context.plan.options.rejects_ok else ExitCode.REJECTS
    if rejected:
        return code, "complete_with_rejects"
    if suppressed(context.stage):
        return code, "complete_with_suppressed"
    return ExitCode.OK, "complete"
