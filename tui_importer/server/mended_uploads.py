"""Uploads of mended rejects: they go where the rows went that were not rejected, if this server put them there."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tui_importer.core.model.plan import Plan, database_of
from tui_importer.core.model.url import portable_address
from tui_importer.errors import PlanError
from tui_importer.rejects.mended import recorded_plan
from tui_importer.rejects.recognition import mended_run


def plan_for_file(plan: Plan, file: Path, recordings: Path) -> Plan:
    """The plan for an uploaded file: if it is a workbook of mended rejects, that of the upload that rejected them.

    Raises :class:`PlanError` if that upload is not known, or went elsewhere.
    """
    run_id = mended_run(file)
    if run_id is None:
        return plan
    recorded = recorded_plan(plan.source, run_id, recordings)
    if (
        recorded is None
        or recorded.target.database != portable_address(database_of(plan))
        or plan.target.table not in (None, recorded.target.table)
    ):
        raise PlanError(f"these are rejects of run {run_id}, which did not import into this server's table")
    return msgspec.structs.replace(
        recorded,
        target=msgspec.structs.replace(recorded.target, database=plan.target.database),
        options=msgspec.structs.replace(recorded.options, dry_run=plan.options.dry_run, timeout=plan.options.timeout),
    )
