"""Shows the dashboard, and prints a summary when it is closed."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tui_importer.console.lines import SafeStream
from tui_importer.console.print_error import print_error
from tui_importer.console.terminals import on_a_terminal
from tui_importer.text.safe import visible

if TYPE_CHECKING:
    from tui_importer.core.model.report import Report
    from tui_importer.tui.app import FirstScreen
    from tui_importer.tui.messages import DashboardResult, OpenRun
    from tui_importer.tui.terminal import Glyphs

#: Maximum frames per second: as many as a person sees, and a slow connection carries.
MAX_FRAMES = 10


def wants_dashboard(given: Mapping[str, Any]) -> bool:
    """Return whether to show an import on the dashboard: on a terminal, unless an option rules it out."""
    less = ("no_ui", "plain", "quiet", "log_format", "verbose")
    return not any(given[name] for name in less) and on_a_terminal()


def show(first: FirstScreen) -> DashboardResult:
    """Show the dashboard, starting with the first screen, until it is closed."""
    os.environ.setdefault("TEXTUAL_FPS", str(MAX_FRAMES))
    from tui_importer.tui.app import Dashboard
    from tui_importer.tui.messages import DashboardResult

    if sys.__stderr__ is not None:
        sys.__stderr__.reconfigure(errors="replace")  # the terminal may lack a character
    with default_sighup():
        if not on_a_terminal():
            # It was closed while the program loaded, and SIGHUP ignored: nobody can see or close a dashboard, and
            # Textual would read the end of its input again and again.
            os.kill(os.getpid(), signal.SIGHUP)
        return Dashboard(first).run() or DashboardResult()


@contextmanager
def default_sighup() -> Iterator[None]:
    """Let SIGHUP end the viewer when its terminal is gone. The run is a process of its own and continues."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def show_run(open_run: OpenRun) -> DashboardResult:
    """Show one run."""

    def first(glyphs: Glyphs) -> Any:
        from tui_importer.tui.screens.run import RunScreen

        return RunScreen(open_run, glyphs)

    return show(first)


def print_result(result: DashboardResult) -> int:
    """Print the summary of the dashboard's result; return the exit code."""
    from tui_importer.core.run.set_report import failures
    from tui_importer.text.ending import detached_lines, died_line, paths_and_commands
    from tui_importer.text.summary import summary_lines
    from tui_importer.tui.terminal import ASCII, glyphs_for

    err = SafeStream(sys.stderr)
    if result.error is not None:
        print_error(result.error)
        return result.exit_code
    if result.recording is None:
        return result.exit_code
    if result.live:
        for line in detached_lines(result.recording):
            err.line(visible(line))
        return result.exit_code
    report: Report | None = result.report
    if report is not None:
        encoding = "ascii" if glyphs_for(os.environ) is ASCII else err.encoding
        for line in summary_lines(report, encoding, shutil.get_terminal_size().columns):
            if not line.startswith("rejects are in "):
                err.line(line)
    else:
        err.line(died_line(result.recording))
    for name, text in paths_and_commands(report, result.recording):
        err.line(f"{name}: {visible(text)}")
    for error in failures(report) if report is not None else ():
        print_error(error)
    return result.exit_code
