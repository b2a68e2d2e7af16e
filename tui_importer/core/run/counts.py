"""The counts of a run, and of its import, which earlier runs may have begun."""

from __future__ import annotations

import time

from msgspec.structs import replace

from tui_importer.core.model.counters import Snapshot, take_snapshot
from tui_importer.core.run.account import Totals
from tui_importer.core.run.context import RunContext
from tui_importer.core.run.stages import AlreadyDone, Claimed, Loading, Published, Ready, Resolved, Stage
from tui_importer.core.writing.ledger import Counts


def sample(context: RunContext) -> Snapshot:
    """The current values of all counters of the run."""
    stage = context.stage
    if isinstance(stage, Loading):
        workers, wanted = stage.job.counters, stage.job.worker_count.wanted
    else:
        workers, wanted = [], stage.choices.workers if isinstance(stage, Ready) else 0
    taken = take_snapshot(
        time.monotonic(),
        context.reader,
        workers,
        queue_depth=context.queue.depth,
        queue_size=context.queue.capacity,
        phase=context.phase,
        paused=context.control.paused,
        workers_wanted=wanted,
        source=context.source,
    )
    if late := suppressed_late(stage):
        return replace(taken, inserted=taken.inserted - late, skipped=taken.skipped + late)
    return taken


def suppressed_late(stage: Stage) -> int:
    """The number of rows counted as inserted that were suppressed when the staged rows were moved."""
    return stage.suppressed_late if isinstance(stage, Published) else 0


def counts_before(stage: Stage) -> Counts:
    """The rows of the import that earlier runs completed."""
    if isinstance(stage, AlreadyDone):
        return stage.past.counts
    return _resumed(stage)


def written(stage: Stage) -> Totals:
    """What the workers of this run have committed."""
    return stage.job.account.total() if isinstance(stage, Loading) else Totals()


def suppressed(stage: Stage) -> int:
    """The number of rows of the import that the database suppressed without an error."""
    return 0 if _may_exist(stage) else _left_out(stage)


def existing(stage: Stage) -> int:
    """The number of rows of the import that changed nothing, because their key was in the table already."""
    return _left_out(stage) if _may_exist(stage) else 0


def _may_exist(stage: Stage) -> bool:
    """Whether a row whose key is in the table already is not an error."""
    return isinstance(stage, Resolved) and stage.resolved.plan.target.write_mode.order_matters


def _left_out(stage: Stage) -> int:
    return _resumed(stage).skipped + written(stage).counts.skipped + suppressed_late(stage)


def counts_of_import(context: RunContext, *, whole: bool) -> Counts:
    """The completed rows of the import, by earlier runs and this one. ``whole``: the import is complete."""
    stage = context.stage
    counts, late = _resumed(stage) + written(stage).counts, suppressed_late(stage)
    skipped = counts.skipped + late
    if whole:
        skipped += context.reader.totals_rows  # it has no ledger entry
    return Counts(counts.inserted - late, counts.updated, skipped, counts.rejected)


def _resumed(stage: Stage) -> Counts:
    """The counts of the import when this run claimed it."""
    return stage.resume_point.counts if isinstance(stage, Claimed) and stage.resume_point else Counts()
