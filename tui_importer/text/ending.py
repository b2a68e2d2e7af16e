"""What remains on the terminal after a run, or a view of one: where files are, and how to resume or repeat the run."""

from __future__ import annotations

from pathlib import Path, PurePath

from tui_importer.core.model.report import Report, reports_of_imports
from tui_importer.recording.recordings import REPORT_FILE, Recording

#: Said of an import that was not completed.
GOES_ON = "the same command goes on from there"


def died_line(recording: Recording) -> str:
    """Say that the run's process ended without a report."""
    if (recording.first("run_started") or {}).get("dry_run"):
        return f"dry run: run {recording.run_id} died; it wrote nothing"
    return f"run {recording.run_id} died: {GOES_ON}"


def paths_and_commands(report: Report | None, recording: Recording) -> list[tuple[str, str]]:
    """Return pairs of name and text: files of the run, and commands to type. Text from outside is not made safe."""
    found: list[tuple[str, str]] = []
    if report is not None:
        found.append(("report", _from_home(str(recording.folder / REPORT_FILE))))
        files = (each.rejects_file for each in reports_of_imports(report))
        found += [("rejects", _from_home(file)) for file in files if file is not None]
    if recording.command is not None:
        unfinished = report is None or (report.outcome in ("stopped", "failed") and not report.dry_run)
        found.append(("to resume it" if unfinished else "to repeat it", recording.command))
    return found


def _from_home(path: str) -> str:
    """Return the path as a shell understands it, shortened with ``~`` inside the user's home."""
    home = Path.home()
    return f"~/{PurePath(path).relative_to(home)}" if PurePath(path).is_relative_to(home) else path


def detached_lines(recording: Recording) -> list[str]:
    """Return the lines for a user who leaves a live run."""
    return [
        f"run {recording.run_id} goes on without you",
        f"to see it again: tui-importer attach {recording.run_id}",
    ]
