"""Preparing an import: open the source, resolve the plan, claim the import, create its table."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from tui_importer.core.conversion.mapping import ColumnMapping
from tui_importer.core.model.completed_rows import CompletedRows
from tui_importer.core.model.counters import Phase
from tui_importer.core.model.table import Table
from tui_importer.core.model.table_change import TableChange
from tui_importer.core.model.write_mode import OnConflict
from tui_importer.core.planning.mending import rows_that_mend
from tui_importer.core.planning.resolution import choose_target, resolve
from tui_importer.core.run.choices import choose
from tui_importer.core.run.context import RunContext
from tui_importer.core.run.import_history import ImportHistory, RunInfo
from tui_importer.core.run.stages import (
    AlreadyDone,
    Claimed,
    Identified,
    Opened,
    PreparedImport,
    Ready,
    Resolved,
    after,
)
from tui_importer.core.run.target_database import TargetDatabase
from tui_importer.core.scheduling.failures import INTERRUPTS, unexpected
from tui_importer.core.source.open_source import OpenSource
from tui_importer.core.source.opening import Opening
from tui_importer.core.writing.access import Access
from tui_importer.core.writing.backend import Backend
from tui_importer.core.writing.ledger import PastRun
from tui_importer.errors import DatabaseError, ExitCode, ImporterError, PlanError, StoppedError, TransientFault
from tui_importer.events import AlreadyImported, Resumed, RowRejected, TableCreated


def wait_for_source(context: RunContext, opening: Opening) -> OpenSource:
    """Wait for the open file. An unexpected error of a third-party reader becomes an :class:`ImporterError`."""
    try:
        return opening.result()
    except (ImporterError, *INTERRUPTS):
        raise
    except BaseException as error:
        raise ImporterError(f"reader {context.components.reader_name!r} failed: {unexpected(error)}") from error


def make_ready(context: RunContext, source: OpenSource, sha256: str, database: TargetDatabase) -> Ready:
    """Resolve the plan, find out whether this import is done already, and choose workers and batch size."""
    opened = context.reach(Opened(source=source, sha256=sha256))
    context.emit(source.opened)
    components = context.components
    for note in (*components.notes, *components.reader.limits(source.path), *source.new_notes()):
        context.notice(note)
    context.reader.source_rows = source.row_hint
    resolved, past = _resolve(context, opened, database)
    context.reader.source_rows = source.row_hint  # all rows may have been read meanwhile
    choices = choose(context.plan, components.strategy, database.backend, source)
    if past is not None:
        ready: Ready = context.reach(after(resolved, AlreadyDone, choices=choices, past=past))
    else:
        ready = context.reach(after(resolved, Ready, choices=choices))
    if choices.fewer_than_asked:
        context.notice(choices.writer_note)
    return ready


def claim(context: RunContext, ready: Ready, backend: Backend) -> tuple[Claimed, CompletedRows]:
    """Claim the import, after a check that everything is permitted; returns the rows that earlier runs completed."""
    history, resolved = ready.history, ready.resolved
    _check_access(context, ready, backend)
    if history is not None and history.resumes is None:
        _ask(context, ready, backend, doubles=history.doubles)
    if history is None:
        return context.reach(after(ready, Claimed, resume_point=None, created=resolved.create)), CompletedRows()
    said = len(history.notes)
    resume_point = context.retried(lambda: history.begin(resolved))
    for note in history.notes[said:]:
        context.notice(note)
    claimed = context.reach(after(ready, Claimed, resume_point=resume_point, created=history.made_table))
    completed = CompletedRows(resume_point.intervals, resume_point.rejected_rows)
    if completed and history.resumes is not None:
        known = list(history.rejects())
        context.rejects.add_many(known)
        context.emit(
            Resumed(
                run_id=history.resumes.run_id,
                rows=resume_point.counts.rows,
                rejected=resume_point.counts.rejected,
                next_row=completed.first_gap(completed.intervals[0].first),
                taken_over=resume_point.taken_over is not None,
            )
        )
        # The recording of this run covers the whole import, as its report does.
        for reject in known:
            context.emit(RowRejected(worker=0, reject=reject))
    return claimed, completed


def prepare_table(context: RunContext, claimed: Claimed, backend: Backend) -> PreparedImport:
    """Create the target table, or the staging table of an import whose rows become visible together."""
    history, resolved, options = claimed.history, claimed.resolved, context.plan.options
    mapping, mode, stage_table = resolved.mapping, context.plan.target.write_mode, None
    schema = mapping.table.schema
    if options.create_schema and resolved.create and schema is not None:
        context.retried(lambda: backend.catalog.create_schema(schema))
    if resolved.added:
        context.retried(lambda: backend.catalog.add_columns(mapping.table, resolved.added))
    if history is not None and options.verify:
        empty = resolved.create or mode.empties
        context.retried(lambda: history.take_before(mapping, empty=empty))
    if history is not None and context.plan.stages and not history.published:
        stage_table = _create_stage(context, history.stage(mapping), mapping, backend, exists=not resolved.create)
    elif resolved.create:
        if _create_table(context, mapping, backend):
            context.emit(TableCreated(table=mapping.table.qualified_name))
        else:
            notice_table_of_other(context, mapping.table)
            return context.reach(_of_other(claimed))
    return context.reach(after(claimed, PreparedImport, stage_table=stage_table))


def _resolve(context: RunContext, opened: Opened, database: TargetDatabase) -> tuple[Resolved, PastRun | None]:
    """Resolve the plan; also returns the run that has completed this import, if any."""
    plan, source, ledger = context.plan, opened.source, database.ledger
    choice = choose_target(plan, source.layout, source)
    existing = database.table(choice.name)
    history = None
    mended: Mapping[int, int] = {}
    if plan.source.mends is not None:
        if ledger is None:
            raise PlanError(f"there is no ledger in this database, so nothing is known of run {plan.source.mends}")
        mended = rows_that_mend(source.mended_rows(), plan.source.mends)
    if ledger is not None:
        past_runs = database.history(ledger, choice.name)
        run = RunInfo(context.run_id, context.components.strategy_name, context.command)
        catalog = database.backend.catalog
        history = ImportHistory(ledger, catalog, past_runs, run, plan, source, opened.sha256, choice.name)
        plan = history.plan(existing)
    dry_run = plan.options.dry_run  # a dry run reads the history but records nothing
    identified = context.reach(after(opened, Identified, history=None if dry_run else history))
    context.clock.lap("ledger")
    found = resolve(plan, source, choice, existing, context.run_id, context.shared_types)
    context.clock.lap("parse")  # types are inferred from all rows
    if mended and history is not None:
        mapping = replace(found.mapping, mended=mended, earlier_faults=history.faults_before(mended))
        found = replace(found, mapping=mapping)
    resolved = context.reach(after(identified, Resolved, resolved=found))
    for note in resolved.resolved.notes:
        context.notice(note)
    done = None
    if history is not None:
        known = history
        done = context.retried(lambda: known.done(resolved.resolved, existing))
        for note in history.notes:
            context.notice(note)
        if dry_run and history.resumes is not None:
            begun = history.resumes.run_id
            context.notice(f"run {begun} has begun this import, and an import would resume it")
    if plan.options.verify and (done is not None or dry_run):
        context.notice("nothing is written, so nothing is verified")
    if done is not None:
        _count_as_done(context, done)
    return resolved, done


def _count_as_done(context: RunContext, done: PastRun) -> None:
    """Count the rows of an import that an earlier run has completed, and say so."""
    counts, reader = done.counts, context.reader
    reader.rows_read, reader.rejected = counts.rows, counts.rejected
    reader.skipped = counts.in_table + counts.skipped
    reader.blank_rows = done.blank_rows
    reader.phase = Phase.READ
    context.emit(
        AlreadyImported(
            run_id=done.run_id,
            finished_at=done.finished_at or "",
            inserted=counts.inserted,
            updated=counts.updated,
            skipped=counts.skipped,
            rejected=counts.rejected,
        )
    )


def _ask(context: RunContext, ready: Ready, backend: Backend, *, doubles: bool) -> None:
    """Ask whether rows that are in the table may be changed or doubled. Raises :class:`StoppedError` if not."""
    table, mode = ready.resolved.mapping.table, ready.resolved.plan.target.write_mode
    if context.approve is None or (ready.resolved.create and not ready.resolved.replaces):
        return
    if TableChange(table.qualified_name, 1, mode, doubles).question is None:
        return  # without counting the rows of a large table
    rows = context.retried(lambda: backend.catalog.count(table))
    change = TableChange(table.qualified_name, rows, mode, doubles)
    if change.question is not None and not context.approve(change):
        context.control.stop("not confirmed: nothing was changed", ExitCode.STOPPED)
        raise StoppedError(context.control.reason)


def _check_access(context: RunContext, ready: Ready, backend: Backend) -> None:
    """Check that the database permits everything that this import will do, before any of it is done."""
    options, mapping, mode = context.plan.options, ready.resolved.mapping, ready.resolved.plan.target.write_mode
    access = Access(
        table=mapping.table,
        columns=mapping.targets,
        creates_table=ready.resolved.create,
        creates_schema=options.create_schema,
        stages=context.plan.stages and not (ready.history is not None and ready.history.published),
        reads=options.verify or mode.order_matters,
        updates=mode.on_conflict is OnConflict.UPDATE,
        empties=mode.empties,
    )
    if not backend.catalog.supports(mode):
        raise PlanError(
            f"mode {mode.kind} with on_conflict {mode.on_conflict} is not supported for this database "
            f"({context.components.backend_name}): rows can only be added to it"
        )
    context.retried(lambda: backend.catalog.check_access(access))
    if mode.empties and (ready.resolved.replaces or not ready.resolved.create):
        _check_emptying(context, mapping.table, backend, replaces=ready.resolved.replaces)


def _check_emptying(context: RunContext, table: Table, backend: Backend, *, replaces: bool) -> None:
    """Say how many rows an import will remove; raise :class:`PlanError` if rows of other tables need them."""
    catalog, name = backend.catalog, table.qualified_name
    if referring := context.retried(lambda: catalog.referring_tables(table)):
        raise PlanError(
            f"table {name!r} cannot be emptied, since rows of {', '.join(map(repr, referring))} refer to it: "
            "use mode upsert, which keeps the rows"
        )
    if replaces and (lost := context.retried(lambda: catalog.belongings(table))):
        raise PlanError(
            f"table {name!r} cannot be replaced by one with other columns, since {', '.join(lost)} would be lost: "
            "drop them first, or keep the columns (--rename, --skip, --extra-columns)"
        )
    if rows := context.retried(lambda: catalog.count(table)):
        are = "1 row that is" if rows == 1 else f"{rows:,} rows that are"
        context.notice(f"the {are} in table {name!r} will be removed, once all new ones are loaded")


def _create_stage(
    context: RunContext, stage_table: Table, mapping: ColumnMapping, backend: Backend, *, exists: bool
) -> Table:
    """Create the staging table unless an earlier run has; ``exists``: the target table does."""

    def create() -> None:
        if backend.catalog.reflect(stage_table.qualified_name) is None:
            backend.catalog.create_stage(mapping.table, stage_table, exists=exists)

    context.retried(create)
    return stage_table


def _create_table(context: RunContext, mapping: ColumnMapping, backend: Backend) -> bool:
    """Create the table; False if another run has created it since it was reflected, and our columns fit.

    If an attempt has lost its connection, the table may be the one that it created: it has our columns and no rows.
    """
    catalog, answer_lost = backend.catalog, False

    def create() -> bool:
        nonlocal answer_lost
        try:
            catalog.create_table(mapping.table)
        except TransientFault:
            answer_lost = True
            raise
        except DatabaseError:
            found = catalog.reflect(mapping.table.qualified_name)
            if found is None or not mapping.fits(found):
                raise
            if answer_lost and not catalog.holds_rows(found):
                return True
            if context.plan.target.write_mode.needs_new_table:
                raise
            return False
        return True

    return context.retried(create)


def notice_table_of_other(context: RunContext, table: Table) -> None:
    """Say that another import has created the table since it was reflected."""
    context.notice(f"another run has made table {table.qualified_name!r} meanwhile: its rows go there too")


def _of_other(claimed: Claimed) -> PreparedImport:
    """The prepared import into a table that another run has created, and whose indexes that run creates."""
    return after(replace(claimed, created=False), PreparedImport, stage_table=None)
