"""Rebuilds the reject workbook of a run from its recording, even if the run is live or died."""

from __future__ import annotations

from pathlib import Path

from tui_importer.errors import UsageError
from tui_importer.recording.follow import headers, rejects
from tui_importer.recording.recordings import Recording
from tui_importer.rejects.paths import check_reject_path, default_reject_path
from tui_importer.rejects.spool import RejectSpool
from tui_importer.rejects.workbook import write_reject_workbook


def write_rejects_of(recording: Recording, path: Path | None = None) -> tuple[Path, int]:
    """Write the rejects of a recorded run so far as a workbook, by default into the current folder; returns its path
    and the number of rows.

    Raises :class:`tui_importer.errors.ImporterError` if it cannot be written, :class:`UsageError` if the run has no
    rejects.
    """
    source = Path(str((recording.first("run_started") or {}).get("file", "run.xlsx")))
    if path is not None:
        check_reject_path(path, source)
    with RejectSpool() as spool:
        spool.add_many(rejects(recording))
        if not spool.count:
            raise UsageError(f"run {recording.run_id} has rejected no row")
        where = path or default_reject_path(source, Path.cwd())
        return where, write_reject_workbook(where, headers(recording), spool)
