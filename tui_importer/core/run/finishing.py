"""Finishing an import: publish staged rows, verify, advance sequences, create indexes, record the end in the ledger."""

from __future__ import annotations

import time

from msgspec.structs import replace

from tui_importer.core.conversion.mapping import ColumnMapping
from tui_importer.core.model.counters import Phase
from tui_importer.core.model.report import Verification, reconcile
from tui_importer.core.model.scripts import ScriptMoment
from tui_importer.core.run.context import RunContext
from tui_importer.core.run.counts import counts_of_import, sample, suppressed
from tui_importer.core.run.import_history import ImportHistory
from tui_importer.core.run.preparation import notice_table_of_other
from tui_importer.core.run.scripts import run_script, scripts_of
from tui_importer.core.run.stages import AlreadyDone, Checked, Identified, Loading, Published, Recorded, after
from tui_importer.core.writing.backend import Backend
from tui_importer.core.writing.defaults import sentences
from tui_importer.core.writing.ledger import RunState
from tui_importer.core.writing.retry import retried
from tui_importer.core.writing.sequences import advance
from tui_importer.errors import DatabaseError, StoppedError
from tui_importer.events import IndexesCreated, Verified

#: How long a run that failed or was stopped tries to record its end in the ledger, in seconds.
_FINISH_TIMEOUT, _ABORTED_FINISH_TIMEOUT = 0.5, 0.2


def finish(context: RunContext, loading: Loading, backend: Backend) -> Checked:
    """Finish after all rows are written, and before the import is recorded as complete.

    Raises :class:`~tui_importer.errors.ReconciliationError` if the counts do not add up, and
    :class:`~tui_importer.errors.VerificationError` if the table does not hold what it should.
    """
    now = sample(context)
    reconcile(now.read, now.inserted, now.updated, now.skipped, now.rejected)
    published = _publish(context, loading)
    checked = context.reach(after(published, Checked, verification=_check(context, published)))
    _advance_sequences(context, checked.resolved.mapping, backend)
    context.clock.lap("server")
    _create_indexes(context, checked, backend)
    context.clock.lap("index")
    run_script(context, checked, ScriptMoment.AFTER)
    context.clock.lap("server")
    return checked


def note_table_effects(context: RunContext) -> None:
    """Add notes about rows that the table suppressed and blanks that took its defaults, if any were written."""
    stage = context.stage
    if not isinstance(stage, Loading):
        return
    table = stage.resolved.mapping.table
    if count := suppressed(stage):
        context.notice(stage.job.account.suppressed.sentence(count, table.qualified_name))
    for sentence in sentences(stage.job.account.defaults, table):
        context.notice(sentence)


def record_end(context: RunContext, error: BaseException | None) -> None:
    """Record in the ledger how the run ended.

    Best effort if it failed: the ledger may be unreachable too, and the next run finds out by itself.
    """
    stage = context.stage
    if not isinstance(stage, Identified) or isinstance(stage, AlreadyDone) or stage.history is None:
        return
    history, control = stage.history, context.control
    if error is None and not control.stopping and context.before_completion is not None:
        context.before_completion()  # after which the run may be stopping
    reason = " ".join(str(error or control.reason or "").split()) or None
    blank = context.reader.blank_rows
    if error is None and not control.stopping:
        counts = counts_of_import(context, whole=True)
        context.retried(lambda: history.finish(RunState.COMPLETE, counts, blank, reason))
        context.reach(after(stage, Recorded))
        return
    stopped = error is None or isinstance(error, StoppedError) or control.aborting
    state = RunState.STOPPED if stopped else RunState.FAILED
    counts = counts_of_import(context, whole=False)
    if context.plan.stages and not history.published:
        why = "--atomic" if context.plan.options.atomic else f"--mode {context.plan.target.mode}"
        context.notice(f"nothing of this import is to be seen before it is whole ({why})")
    try:
        limit = _ABORTED_FINISH_TIMEOUT if control.aborting else _FINISH_TIMEOUT
        retried(lambda: history.finish(state, counts, blank, reason), limit, _sleep, lambda *_: None)
    except DatabaseError as failure:
        context.notice(f"the ledger does not know how this run ended: {failure}")


def _publish(context: RunContext, loading: Loading) -> Published:
    """Move the rows of an atomic import into their table."""
    history, stage_table, late = loading.history, loading.stage_table, 0
    if history is not None and stage_table is not None:
        scripts = scripts_of(context)
        if not context.retried(lambda: history.publish(stage_table, loading.resolved, scripts)):
            loading = replace(loading, created=False)  # whoever created the table makes its indexes
            notice_table_of_other(context, loading.resolved.mapping.table)
        late = context.retried(history.counts).skipped - suppressed(loading)
        late = min(late, sample(context).inserted)
    return context.reach(after(loading, Published, suppressed_late=late))


def _check(context: RunContext, published: Published) -> Verification | None:
    """Compare the table with the source if that was asked for, otherwise check its row count."""
    history, mapping = published.history, published.resolved.mapping
    if history is None:
        return None
    if published.stage_table is not None and context.plan.options.after:
        return None  # the script may have changed the rows
    if not context.plan.options.verify:
        context.retried(lambda: history.check_count(mapping.table))
        return None
    found = context.retried(lambda: history.verify(mapping))
    _note_verification(context, found, history)
    return found


def _note_verification(context: RunContext, found: Verification, history: ImportHistory) -> None:
    for column in found.not_compared:
        defaulted = column in history.defaulted
        why = "its blanks took the table's default" if defaulted else "its values come back in another form"
        context.notice(f"column {column!r} was not verified: {why}")
    context.emit(Verified(rows=found.rows, columns=found.columns, not_compared=found.not_compared))


def _advance_sequences(context: RunContext, mapping: ColumnMapping, backend: Backend) -> None:
    """Advance sequences past the imported numbers. The rows are committed, so a failure is only noted."""
    try:
        notes = context.retried(lambda: advance(backend.catalog, mapping))
    except DatabaseError as error:
        notes = [f"{error}: numbers that it gives to new rows may be taken already"]
    for note in notes:
        context.notice(note)


def _create_indexes(context: RunContext, checked: Checked, backend: Backend) -> None:
    """Create the indexes of a table that this import creates."""
    indexes, table = checked.resolved.indexes, checked.resolved.mapping.table
    if not (checked.created and indexes):
        return
    context.phase = Phase.INDEXING
    started = time.perf_counter()
    context.retried(lambda: backend.catalog.create_indexes(table, indexes, lambda index: None))
    context.emit(IndexesCreated(count=len(indexes), seconds=time.perf_counter() - started))


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return True
