"""Rebuilds the reject workbook of a run from its recording, even if the run is live or died."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from tui_importer.core.run.run_id import import_run_id
from tui_importer.errors import UsageError
from tui_importer.recording.follow import headers, rejected_rows, sources_with_rejects
from tui_importer.recording.recordings import Recording
from tui_importer.rejects.paths import check_reject_path, claimed_reject_path
from tui_importer.rejects.spool import RejectSpool
from tui_importer.rejects.workbook import write_reject_workbook


def write_rejects_of(recording: Recording, path: Path | None = None, source: int | None = None) -> tuple[Path, int]:
    """Write the rejects of a recorded run so far as a workbook, by default into the current folder; returns its path
    and the number of rows.

    Of a run of several sources, ``source`` is the number of one (from 1); it may be left out if rows of only one were
    rejected. Raises :class:`tui_importer.errors.ImporterError` if the workbook cannot be written, :class:`UsageError`
    if there are no rejects, or if it is not clear of which source.
    """
    number = _source_with_rejects(recording) if source is None else source
    started = recording.first("import_started", number) or recording.first("run_started") or {}
    file = Path(str(started.get("file", "run.xlsx")))
    if path is not None:
        check_reject_path(path, file)
    with RejectSpool() as spool:
        spool.add_many(event.reject for event in rejected_rows(recording, number))
        if not spool.count:
            of_source = "" if source is None else f" of source {source}"
            raise UsageError(f"run {recording.run_id} has rejected no row{of_source}")
        with claimed_reject_path(file, Path.cwd()) if path is None else nullcontext(path) as where:
            known = headers(recording, number)
            # Without headers, nothing can be given back: the run died while it took up what an earlier one rejected.
            run_id = rejecting_run(recording, number) if known else None
            return where, write_reject_workbook(where, known, spool, run_id=run_id)


def rejecting_run(recording: Recording, number: int = 1) -> str:
    """The id of the import that rejected the rows of a source (from 1) first: that which they were to mend, if they
    were mended rejects."""
    plan = recording.plan(number)
    if plan is not None and plan.source.mends is not None:
        return plan.source.mends
    sources = (recording.first("run_started") or {}).get("sources", 1)
    return import_run_id(recording.run_id, number, sources)


def _source_with_rejects(recording: Recording) -> int:
    """The only source from which rows were rejected, or the first if there is none."""
    found = sources_with_rejects(recording)
    if len(found) > 1:
        names = " or ".join(f"{recording.run_id}.{number}" for number in found)
        raise UsageError(f"rows of several sources were rejected: name one of them, {names}")
    return found[0] if found else 1
