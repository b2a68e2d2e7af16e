"""Follows a recorded run as lines of text, for ``attach`` and ``replay`` without a terminal."""

from __future__ import annotations

import sys
import time

from tui_importer.console.lines import SafeStream
from tui_importer.console.print_error import print_error
from tui_importer.console.progress import LINE_PERIOD, LineProgress
from tui_importer.core.model.counters import Snapshot
from tui_importer.core.run.set_report import failures
from tui_importer.errors import ExitCode
from tui_importer.recording.follow import Follower, Replay, ViewedRun
from tui_importer.recording.recordings import Recording
from tui_importer.text.ending import detached_lines, died_line, paths_and_commands
from tui_importer.text.safe import visible
from tui_importer.text.summary import summary_lines

_PERIOD = 0.25


def follow_in_lines(recording: Recording, speed: float | None = None) -> int:
    """Print events until the run ends; return its exit code. ``speed`` replays an ended run."""
    watched: ViewedRun = Follower(recording) if speed is None else Replay(recording, speed)
    progress, sampled_at = LineProgress(sys.stderr), None
    try:
        while True:
            lines = watched.poll()
            for line in lines:
                if isinstance(line.what, Snapshot):
                    if sampled_at is None or line.at - sampled_at >= LINE_PERIOD:
                        sampled_at = line.at
                        progress.sample(line.what)
                elif not isinstance(line.what, tuple):
                    progress.on_event(line.what)
            if watched.ended and not lines:
                break
            time.sleep(_PERIOD)
        report = watched.report()
    finally:
        watched.close()
    err = SafeStream(sys.stderr)
    if report is None and recording.alive:  # a live run was replayed up to its latest event
        for detached in detached_lines(recording):
            err.line(visible(detached))
        return int(ExitCode.OK)
    if report is None:
        err.line(died_line(recording))
    else:
        for line_of_summary in summary_lines(report, err.encoding):
            err.line(line_of_summary)
        for error in failures(report):
            print_error(error)
    for name, text in paths_and_commands(report, recording):
        if name != "rejects":
            err.line(f"{name}: {visible(text)}")
    return report.exit_code if report is not None else int(ExitCode.STOPPED)
