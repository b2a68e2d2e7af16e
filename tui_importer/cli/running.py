"""Runs imports without a dashboard: progress as text, stopped by signals."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tui_importer.api import Run
from tui_importer.cli.approval import Approval
from tui_importer.cli.plan import plan_file_of
from tui_importer.console.choice import choose_progress
from tui_importer.console.lines import SafeStream
from tui_importer.console.print_error import print_error
from tui_importer.console.terminals import on_a_terminal
from tui_importer.core.model.plan import Plan
from tui_importer.core.model.report import Report, SetReport
from tui_importer.core.run.set_report import failures
from tui_importer.core.source.opening import Opening
from tui_importer.plugins.files import plugin_files
from tui_importer.plugins.registry import Registry
from tui_importer.process.library_warnings import show_log
from tui_importer.process.signals import signals_stop
from tui_importer.recording.recordings import recordings_folder
from tui_importer.text.command import commands_of
from tui_importer.text.resources import resource_lines
from tui_importer.text.summary import summary_lines


def import_files(
    plans: Sequence[Plan], asked: Sequence[Plan], given: Mapping[str, Any], registry: Registry, opening: Opening
) -> Report:
    """Import files as one run, with progress as the options say. The first is already being opened. The plans say which
    tables are shared, and those that were ``asked`` for do not."""
    quiet, json = given["quiet"], given["log_format"] == "json"
    progress = choose_progress(
        sys.stderr, os.environ, quiet=quiet, plain=given["plain"], json=json, verbose=given["verbose"]
    )
    if given["verbose"]:
        show_log(progress.on_record)
    approval = None if given["yes"] or json or not on_a_terminal() else Approval(progress)
    run = Run(
        plans,
        listener=progress.on_event if approval is None else approval.on_event,
        rejects_file=given["rejects"],
        registry=registry,
        opening=opening,
        command=commands_of(plans, plan_file_of(given), plugin_files(os.environ), asked),
        recordings=recordings_folder(),
        approve=approval,
        tables_chosen=True,
    )
    if approval is not None:
        approval.run = run
    with signals_stop(run):
        progress.start(run.snapshot)
        try:
            report = run.execute()
        finally:
            progress.stop()
    err = SafeStream(sys.stderr)
    if run.recording_trouble is not None and not quiet and not json:
        err.line(f"note: not all of this run is recorded: {run.recording_trouble}")
    if not quiet and not json and (isinstance(report, SetReport) or report.source.sheet is not None):
        width = shutil.get_terminal_size().columns if err.isatty() else None
        for line in summary_lines(report, err.encoding, width):
            err.line(line)
        for line in resource_lines(report) if given["verbose"] else ():
            err.line(line)
    for error in failures(report, stopped=quiet):
        print_error(error)
    return report
