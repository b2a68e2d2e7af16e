"""What stands on the terminal when a run, or the view of one, is over: where things are, and how to go on."""

from __future__ import annotations

from pathlib import Path, PurePath

from tui_importer.core.model.report import Report
from tui_importer.recording.recordings import REPORT_FILE, Recording

#: What is said of an import that did not come to its end.
GOES_ON = "the same command goes on from there"


def died_line(recording: Recording) -> str:
    """That a run's process is gone without a word."""
    if (recording.first("run_started") or {}).get("dry_run"):
        return f"dry run: run {recording.run_id} died; it wrote nothing"
    return f"run {recording.run_id} died: {GOES_ON}"


def paths_and_commands(report: Report | None, recording: Recording) -> list[tuple[str, str]]:
    """What to keep of a run, each with its name: files, and commands to type. Text from outside is not made safe."""
    found: list[tuple[str, str]] = []
    if report is not None:
        found.append(("report", _from_home(str(recording.folder / REPORT_FILE))))
        if report.rejects_file is not None:
            found.append(("rejects", _from_home(report.rejects_file)))
    if recording.command is not None:
        unfinished = report is None or (report.outcome in ("stopped", "failed") and not report.dry_run)
        found.append(("to go on" if unfinished else "to repeat it", recording.command))
    return found


def _from_home(path: str) -> str:
    """The path as a shell understands it, shorter where it lies in the user's home."""
    home = Path.home()
    return f"~/{PurePath(path).relative_to(home)}" if PurePath(path).is_relative_to(home) else path


def detached_lines(recording: Recording) -> list[str]:
    """What to say to somebody who leaves a run that goes on."""
    return [
        f"run {recording.run_id} goes on without you",
        f"to see it again: tui-importer attach {recording.run_id}",
    ]
