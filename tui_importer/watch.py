"""Watching a folder for every front end: the files that appear or change in it are imported, each as a run of its
own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from tui_importer.core.model.plan import Plan, checked
from tui_importer.core.model.scripts import read_scripts
from tui_importer.core.model.undecodable_names import escaped
from tui_importer.core.run.set_report import failures, worst_exit_code
from tui_importer.errors import ExitCode, ImporterError, PlanError, UsageError
from tui_importer.plugins.choice import choose, imports_of
from tui_importer.plugins.files import plugin_files
from tui_importer.plugins.registry import Registry, load_registry
from tui_importer.plugins.tables import with_shared_tables
from tui_importer.process.messages import ImportRequest
from tui_importer.process.start import start_run
from tui_importer.process.watched_folder import (
    AnyWatchEvent,
    FileEnded,
    FileStarted,
    WatchedFolder,
    WatchOptions,
    may_go_well_later,
)
from tui_importer.recording.control import Stop, give_order
from tui_importer.recording.recordings import Recording, recordings_folder
from tui_importer.rejects.mended import plan_for_file
from tui_importer.rejects.paths import check_default_place
from tui_importer.text.command import commands_of

#: How often to check whether a run has ended, in seconds.
_POLL_PERIOD = 0.1
#: Seconds within which a run that has begun accepts orders.
_ORDER_TIMEOUT = 5.0

WatchListener = Callable[[AnyWatchEvent], object]
#: The plan of a file, or a function that returns it.
FilePlan = Plan | Callable[[Path], Plan]


def ignore(event: AnyWatchEvent) -> None:
    """The default listener."""


class Watch:
    """Watches a folder. :meth:`run` imports its files, one after another; other threads may call :meth:`stop`.

    Each file is a run of its own, in a process of its own, recorded like any other; a process that dies does not end
    the watch. ``plan`` says what goes where: its sources are read from each file instead of their own. A function that
    returns the plan for a file may choose by its name, or refuse it with
    :class:`tui_importer.errors.PlanError`. ``listener`` is called with what happens
    (:class:`FileStarted` and the other events), in the thread of :meth:`run`, which waits for it.

    Raises :class:`tui_importer.errors.UsageError` if the folder, a plan or an option cannot be used.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        plan: FilePlan,
        options: WatchOptions | None = None,
        *,
        listener: WatchListener = ignore,
        registry: Registry | None = None,
        plan_file: str | None = None,
    ) -> None:
        """``plan_file`` is where the plan came from, for the command that repeats a run."""
        if not callable(listener):
            raise PlanError(f"listener must be a function that takes an event, not {type(listener).__name__}")
        self._registry = registry or load_registry()
        if not callable(plan):
            _check(plan, self._registry)
        self._options = options or WatchOptions()
        self._folder = WatchedFolder(Path(folder), self._options, self._registry)
        self._plan = plan
        self._plan_file = plan_file
        self._listener = listener
        self._stopping = threading.Event()
        self._recording: Recording | None = None

    @property
    def stopping(self) -> bool:
        """Whether the watch has been told to stop."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Stop the run in hand after its batches in flight, and end; for the same folder, a later watch continues."""
        self._stopping.set()
        recording = self._recording
        if recording is not None:
            _stop_run(recording)

    def run(self, *, once: bool = False) -> ExitCode:
        """Import what has settled, again and again, until :meth:`stop`; return the worst exit code of all files.

        With ``once``, end when all files that are there have been tried; nothing is tried twice. Raises
        :class:`tui_importer.errors.ImporterError` if the folder cannot be read any more.
        """
        worst = ExitCode.OK
        while not self._stopping.is_set():
            for path in self._folder.due():
                worst = worst_exit_code((worst, self._handle(path, once=once)))
                if self._stopping.is_set():
                    return worst
            if once and not self._folder.waiting:
                break
            self._stopping.wait(self._options.every)
        return worst

    def _handle(self, path: Path, *, once: bool) -> ExitCode:
        """Import a file, and move it where it belongs; return the exit code of its run."""
        ended = self._import(path)
        self._listener(ended)
        if self.stopping and may_go_well_later(ended.exit_code):
            return ended.exit_code  # stopped together with the watch
        disposal = self._folder.ended(path, ended.exit_code, died=ended.died, retried=not once)
        if disposal is not None:
            self._listener(disposal)
        return ended.exit_code

    def _import(self, path: Path) -> FileEnded:
        try:
            asked = imports_of([checked(self._plan_for(path))], self._registry)
            plans = with_shared_tables(asked, self._registry)
            commands = commands_of(plans, self._plan_file, plugin_files(os.environ), asked)
            recording = start_run(ImportRequest(plans=plans, command=commands), recordings_folder())
        except ImporterError as error:
            return FileEnded(path=path, run_id=None, exit_code=ExitCode(error.exit_code), error=str(error))
        self._recording = recording
        try:
            if self.stopping:  # told so while the run was being started
                _stop_run(recording)
            self._listener(FileStarted(path=path, run_id=recording.run_id))
            while recording.alive:
                time.sleep(_POLL_PERIOD)
        except BaseException:  # Ctrl-C, or an error of the listener
            _stop_run(recording)
            raise
        finally:
            self._recording = None
        report = recording.report()
        if report is None:
            died = f"the process of run {recording.run_id} died"
            return FileEnded(path=path, run_id=recording.run_id, exit_code=ExitCode.STOPPED, error=died)
        return FileEnded(
            path=path,
            run_id=recording.run_id,
            exit_code=ExitCode(report.exit_code),
            error="; ".join(failures(report, stopped=True)) or None,
            report=report,
        )

    def _plan_for(self, path: Path) -> Plan:
        if callable(self._plan):
            return self._plan(path)
        return plan_for_file(_for_source(self._plan, escaped(str(path))), path, recordings_folder())


def watch_folder(
    folder: str | os.PathLike[str],
    plan: FilePlan,
    options: WatchOptions | None = None,
    *,
    once: bool = False,
    listener: WatchListener = ignore,
) -> ExitCode:
    """Import the files that appear or change in a folder: :meth:`Watch.run`, for programs that do nothing else.

    Ends with Ctrl-C (``KeyboardInterrupt``; the run in hand then stops by itself), and with ``once`` when all files
    that are there have been tried. Returns the worst exit code of all files.
    """
    return Watch(folder, plan, options, listener=listener).run(once=once)


def _check(plan: Plan, registry: Registry) -> None:
    """Check what can be checked of a plan before there is a file. Raises :class:`UsageError`."""
    plan = _for_source(checked(plan), "anything.xlsx")
    choose(plan, registry)
    registry.executor(plan.options.executor)
    read_scripts(plan.options.before, plan.options.after)
    if not plan.options.dry_run:
        check_default_place()


def _for_source(plan: Plan, file: str) -> Plan:
    """The plan with all of its sources in this file."""
    source, *further = (msgspec.structs.replace(each, file=file) for each in plan.sources)
    return msgspec.structs.replace(plan, source=source, further_sources=tuple(further))


def _stop_run(recording: Recording) -> None:
    """Stop a run as soon as it accepts orders."""
    ends = time.monotonic() + _ORDER_TIMEOUT
    while recording.alive and time.monotonic() < ends:
        try:
            give_order(recording.folder, Stop())
        except UsageError:
            time.sleep(0.05)  # its socket is not there yet, or not any more
        else:
            return
