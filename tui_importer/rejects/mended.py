"""The plan for rejects that come back mended: that of the import that rejected them."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from tui_importer.core.model.plan import Plan, Source, database_of
from tui_importer.core.model.standard_input import source_path
from tui_importer.core.model.url import portable_address
from tui_importer.core.planning.mending import plan_of_mended
from tui_importer.core.run.run_id import run_id_of, source_of
from tui_importer.errors import PlanError, SourceError, UsageError
from tui_importer.recording.recordings import Recording, recordings_folder
from tui_importer.rejects.recognition import mended_run


def mended_source(source: Source, run_id: str) -> Source:
    """The source of rejects of a run that come back: the header is where it was written, and no row is a total."""
    return msgspec.structs.replace(source, mends=run_id, header_row=1, totals="keep")


def recorded_plan(source: Source, run_id: str, folder: Path) -> Plan | None:
    """The plan for rejects of a run that come back mended in a source; None if the run is not recorded in a folder of
    recordings."""
    recording, number = Recording(folder / run_id_of(run_id)), source_of(run_id) or 1
    given, loading = recording.plan(number), recording.first("loading_started", number)
    if given is None or loading is None:
        return None
    # Unless it was named, its name came from the file or the sheet, which are others now.
    target = msgspec.structs.replace(given.target, table=str(loading["table"]))
    return plan_of_mended(msgspec.structs.replace(given, target=target), mended_source(source, run_id))


def mended_plan(
    file: str | os.PathLike[str],
    *,
    database: str | None = None,
    recordings: Path | None = None,
) -> Plan:
    """The plan to import a reject workbook that was mended, with the settings of the import that rejected its rows.

    ``database`` is the address with the password, if it needs one: recordings hold none. ``recordings`` is the folder
    in which the run is recorded, by default that of the user. Raises :class:`SourceError` for any other file, and
    :class:`UsageError` if the run is not recorded.
    """
    source = Source(file=file)
    run_id = mended_run(source_path(source.file))
    if run_id is None:
        raise SourceError(
            f"{source.file}: is not a workbook of rejected rows, or the hidden column of their keys is gone"
        )
    plan = recorded_plan(source, run_id, recordings or recordings_folder())
    if plan is None:
        raise UsageError(f"{source.file}: run {run_id}, which rejected these rows, is not recorded here")
    if database is None:
        return plan
    return msgspec.structs.replace(plan, target=msgspec.structs.replace(plan.target, database=database))


def plan_for_file(plan: Plan, file: Path, recordings: Path) -> Plan:
    """The plan for a file that a program takes as it comes: if it is a workbook of mended rejects, that of the run that
    rejected them, else the given one.

    Raises :class:`PlanError` if that run is not recorded, or did not import where the plan imports.
    """
    run_id = mended_run(file)
    if run_id is None:
        return plan
    recorded, target = recorded_plan(plan.source, run_id, recordings), plan.target
    if (
        recorded is None
        or (target.database is not None and recorded.target.database != portable_address(database_of(plan)))
        or (target.table is not None and "{" not in target.table and recorded.target.table != target.table)
    ):
        raise PlanError(f"these are rejects of run {run_id}, which did not import into this table")
    return msgspec.structs.replace(
        recorded,
        target=msgspec.structs.replace(recorded.target, database=target.database or recorded.target.database),
        options=msgspec.structs.replace(recorded.options, dry_run=plan.options.dry_run, timeout=plan.options.timeout),
    )


def check_alone(sources: int, file: str) -> None:
    """Raises :class:`UsageError` if a file of mended rejects is one of several."""
    if sources > 1:
        raise UsageError(f"{file}: is a workbook of rejected rows: import it by itself")
