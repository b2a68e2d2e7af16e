"""The command ``tui-importer watch FOLDER``."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click

from tui_importer.cli.import_files import check_request
from tui_importer.cli.interruption import SIGNALLED
from tui_importer.cli.options import CommandWithPlugins, plan_file_of, source_options, target_options
from tui_importer.cli.run_options import run_options
from tui_importer.console.following import follow_in_lines
from tui_importer.console.lines import SafeStream
from tui_importer.console.print_error import print_error
from tui_importer.core.model.files import cannot_be_written
from tui_importer.core.model.undecodable_names import escaped
from tui_importer.core.run.set_report import worst_exit_code
from tui_importer.errors import ExitCode, ImporterError, SourceError, UsageError
from tui_importer.plugins.files import plugin_files
from tui_importer.plugins.registry import Registry, load_registry
from tui_importer.process.messages import ImportRequest
from tui_importer.process.settled_files import SettledFiles, move_into
from tui_importer.process.signals import signals_passed_to
from tui_importer.process.start import start_run
from tui_importer.recording.control import Stop, give_order
from tui_importer.recording.recordings import Recording, recordings_folder
from tui_importer.rejects.paths import is_untouched
from tui_importer.text.command import commands_of
from tui_importer.text.safe import visible

#: Pauses before a file is tried again that could not be imported for now, in seconds: they double up to the maximum.
_FIRST_PAUSE, _MAX_PAUSE = 5.0, 300.0
#: So many times, a process dies of a file before the file counts as failed.
_DEATHS = 3
#: Exit codes of what another time may go well.
_FOR_NOW = (ExitCode.STOPPED, ExitCode.UNREACHABLE)


@click.command(
    "watch", cls=CommandWithPlugins, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80}
)
@click.argument("folder")
@click.option("--pattern", "patterns", multiple=True, metavar="GLOB", help="Only files like this (again and again).")
@click.option(
    "--settle",
    type=click.FloatRange(0),
    default=2.0,
    show_default=True,
    metavar="S",
    help="Import a file when it has not changed for so long.",
)
@click.option(
    "--every",
    type=click.FloatRange(0.05),
    default=1.0,
    show_default=True,
    metavar="S",
    help="Look into the folder so often.",
)
@click.option("--done", metavar="FOLDER", help="Move files there that are imported.")
@click.option("--failed", metavar="FOLDER", help="Move files there that cannot be imported.")
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
    if not Path(folder).is_dir():
        raise UsageError(f"{folder}: is no folder")
    watch = _Watch(Path(folder), given, registry)
    with signals_passed_to(watch.on_signal, (signal.SIGINT, signal.SIGTERM)):
        return watch.run()


class _Watch:
    """Watches one folder until a signal arrives, or for ``--once``."""

    def __init__(self, folder: Path, given: Mapping[str, Any], registry: Registry) -> None:
        self._given = given
        self._registry = registry
        self._done = _folder(given["done"], folder)
        self._failed = _folder(given["failed"], folder)
        self._patterns: Sequence[str] = given["patterns"]
        self._files = SettledFiles(folder, given["settle"], self._is_wanted)
        self._say = SafeStream(sys.stderr).line
        self._attempts: dict[Path, int] = {}
        self._signalled = threading.Event()
        self._number: signal.Signals | None = None
        self._recording: Recording | None = None
        kinds = " or ".join(map(repr, self._patterns)) or "files that a reader opens"
        self._say(f"watching {visible(str(folder))} for {visible(kinds)}")

    def run(self) -> int:
        """Import what has settled, again and again; returns the exit code."""
        codes: list[int] = []
        while not self._signalled.is_set():
            for path in self._files.look():
                code = self._handle(path)
                if self._number is not None:
                    break
                codes.append(code)
            if self._number is None and self._given["once"] and not self._files.waiting:
                return worst_exit_code(codes)
            self._signalled.wait(self._given["every"])
        assert self._number is not None
        return SIGNALLED + self._number

    def on_signal(self, number: signal.Signals) -> None:
        """Stop the run and end after it; with the second signal, end at once, while the run comes to its stop."""
        if self._number is not None:
            os._exit(SIGNALLED + number)
        self._number = number
        recording = self._recording
        if recording is not None:
            _stop(recording)
        self._signalled.set()

    def _is_wanted(self, path: Path) -> bool:
        if self._patterns:
            wanted = any(fnmatchcase(path.name, pattern) for pattern in self._patterns)
        else:
            try:
                self._registry.reader_for(path)
            except SourceError:
                return False
            wanted = True
        # Rejects are written into the current folder, which may be this one.
        return wanted and not is_untouched(path)

    def _handle(self, path: Path) -> int:
        """Import a file, and move it where it belongs; returns the exit code of its run."""
        try:
            code, died = self._import(path)
        except ImporterError as error:
            print_error(str(error))
            code, died = int(error.exit_code), False
        if self._number is not None:
            return code
        attempts = self._attempts[path] = self._attempts.get(path, 0) + 1
        again = code in _FOR_NOW and not (died and attempts >= _DEATHS)
        if again and not self._given["once"]:
            pause = min(_FIRST_PAUSE * 2 ** (attempts - 1), _MAX_PAUSE)
            self._files.postpone(path, pause)
            self._say(f"{visible(str(path))}: tried again in {pause:g} s")
            return code
        del self._attempts[path]
        done = code in (ExitCode.OK, ExitCode.REJECTS)
        self._put_away(path, self._done if done else None if again else self._failed)
        return code

    def _import(self, path: Path) -> tuple[int, bool]:
        """Import a file in a process of its own; returns the exit code, and whether the process died."""
        plans = check_request([escaped(str(path))], dict(self._given), self._registry)
        request = ImportRequest(
            plans=plans, command=commands_of(plans, plan_file_of(self._given), plugin_files(os.environ))
        )
        recording = start_run(request, recordings_folder())
        self._recording = recording
        try:
            if self._number is not None:  # it came while the run was being started
                _stop(recording)
            code = follow_in_lines(recording)
        finally:
            self._recording = None
        return code, recording.report() is None

    def _put_away(self, path: Path, folder: Path | None) -> None:
        if not self._files.is_unchanged(path):
            return  # what it is now has not been imported
        self._files.handled(path)
        if folder is None:
            return
        try:
            self._say(f"{visible(str(path))} is now {visible(str(move_into(path, folder)))}")
        except ImporterError as error:
            print_error(str(error))


def _folder(given: str | None, watched: Path) -> Path | None:
    """A folder for files, which is made if it is not there. Raises :class:`UsageError` if it cannot be used."""
    if given is None:
        return None
    folder = Path(given)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.samefile(watched):
            raise UsageError(f"{given}: is the folder that is watched")
    except OSError as error:
        raise UsageError(f"{given}: cannot be used: {error.strerror or error}") from error
    if why := cannot_be_written(folder):
        raise UsageError(f"{given}: files cannot be moved there ({why})")
    return folder


def _stop(recording: Recording) -> None:
    ends = time.monotonic() + 5.0
    while recording.alive and time.monotonic() < ends:
        try:
            give_order(recording.folder, Stop())
        except UsageError:
            time.sleep(0.05)  # its socket is not there yet, or not any more
        else:
            return
