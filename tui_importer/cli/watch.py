"""The command ``tui-importer watch FOLDER``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from tui_importer.cli.import_files import check_request
from tui_importer.cli.interruption import SIGNALLED
from tui_importer.cli.options import source_options, target_options
from tui_importer.cli.plan import build_plan, plan_file_of
from tui_importer.cli.plugin_options import CommandWithPlugins
from tui_importer.cli.run_options import run_options
from tui_importer.cli.watch_options import watch_options, watch_options_of
from tui_importer.console.following import follow_in_lines
from tui_importer.console.lines import SafeStream
from tui_importer.console.print_error import print_error
from tui_importer.core.model.plan import Plan
from tui_importer.core.model.undecodable_names import escaped
from tui_importer.plugins.registry import load_registry
from tui_importer.process.signals import signals_passed_to
from tui_importer.process.watched_folder import (
    AnyWatchEvent,
    FileEnded,
    FileMoved,
    FileNotMoved,
    FilePostponed,
    FileStarted,
)
from tui_importer.recording.recordings import Recording, recordings_folder
from tui_importer.text.safe import visible
from tui_importer.watch import Watch


@click.command(
    "watch", cls=CommandWithPlugins, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80}
)
@click.argument("folder")
@watch_options()
@click.option("--once", is_flag=True, help="End when all files that are there have been tried.")
@source_options
@target_options
@run_options
def command(folder: str, **given: Any) -> int:
    """Import the files that appear or change in a folder.

    Each file is a run of its own, in a process of its own; the options are those of an import. The ledger knows what is
    in: after an interruption, the same command continues. It ends when it is told to (Ctrl-C, SIGTERM).
    """
    registry = load_registry()
    for warning in registry.warnings:
        print_error(warning)
    given = {**given, "rejects": None, "dry_run": None, "again": None}
    check_request((), given, registry)
    say = SafeStream(sys.stderr).line

    def plan_for(path: Path) -> Plan:
        return build_plan([escaped(str(path))], given, registry)

    def show(event: AnyWatchEvent) -> None:
        path = visible(str(event.path))
        match event:
            case FileStarted(run_id=run_id):
                follow_in_lines(Recording(recordings_folder() / run_id))
            case FileEnded(run_id=None, error=error):
                print_error(str(error))
            case FileEnded():
                pass  # its lines said how
            case FilePostponed(seconds=seconds):
                say(f"{path}: tried again in {seconds:g} s")
            case FileMoved(target=target):
                say(f"{path} is now {visible(str(target))}")
            case FileNotMoved(error=error):
                print_error(error)

    options = watch_options_of(given)
    watch = Watch(folder, plan_for, options, listener=show, registry=registry, plan_file=plan_file_of(given))
    signals: list[signal.Signals] = []

    def on_signal(number: signal.Signals) -> None:
        """Stop the run and end after it; with the second signal, end at once, while the run comes to its stop."""
        signals.append(number)
        if len(signals) > 1:
            os._exit(SIGNALLED + number)
        watch.stop()

    with signals_passed_to(on_signal, (signal.SIGINT, signal.SIGTERM)):
        kinds = " or ".join(map(repr, options.patterns)) or "files that a reader opens"
        say(f"watching {visible(folder)} for {visible(kinds)}")
        code = watch.run(once=given["once"])
    return SIGNALLED + signals[0] if signals else code
