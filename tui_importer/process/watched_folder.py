"""A folder that is watched: which of its files are to be imported, and what becomes of each after its run."""

from __future__ import annotations

import math
import os
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from tui_importer.core.model.files import cannot_be_written
from tui_importer.core.model.report import Outcome, Report
from tui_importer.errors import ExitCode, ImporterError, PlanError, SourceError, UsageError
from tui_importer.plugins.registry import Registry
from tui_importer.process.settled_files import FileState, SettledFiles, move_into
from tui_importer.process.start import MAX_DEATHS
from tui_importer.rejects.paths import is_untouched

#: Least number of seconds between two looks into a folder.
MIN_PERIOD = 0.05
#: Pauses before a file is tried again that could not be imported for now, in seconds: they double up to the maximum.
_FIRST_PAUSE, _MAX_PAUSE = 5.0, 300.0
#: Exit codes of what another time may go well.
_FOR_NOW = (ExitCode.STOPPED, ExitCode.UNREACHABLE, ExitCode.SIGINT, ExitCode.SIGTERM)


class WatchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a folder is watched. Raises :class:`tui_importer.errors.PlanError` for a wrong value.

    ``patterns`` are those of the files' names (:mod:`fnmatch`; by default every file that a reader opens). A file is
    imported once it has not changed for ``settle`` seconds; the folder is listed every ``every`` seconds. Files
    that are in go to the folder ``done``, those that cannot be imported to ``failed``; by default they stay.
    """

    patterns: tuple[str, ...] = ()
    settle: float = 2.0
    every: float = 1.0
    done: str | os.PathLike[str] | None = None
    failed: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        patterns: object = self.patterns
        if not isinstance(patterns, tuple) or not all(isinstance(each, str) and each for each in patterns):
            raise PlanError(f"patterns has to be a tuple of patterns like '*.csv', not {patterns!r}")
        for name, least in (("settle", 0.0), ("every", MIN_PERIOD)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value < math.inf:
                raise PlanError(f"{name} has to be a number of seconds from {least:g}, not {value!r}")
        for name in ("done", "failed"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, (str, os.PathLike)) or not os.fspath(value)):
                raise PlanError(f"{name} has to be the path of a folder, not {value!r}")


class WatchEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what happens to the files of a folder that is watched. ``path`` is that of the file."""

    path: Path


class FileStarted(WatchEvent, frozen=True, kw_only=True):
    """The run that imports a file has begun."""

    run_id: str


class FileEnded(WatchEvent, frozen=True, kw_only=True):
    """The run of a file has ended, or was refused before it began (``run_id`` is None, and ``error`` says why).

    ``exit_code`` is that of an import on the command line. Without a ``report``, the run's process died.
    """

    run_id: str | None
    exit_code: ExitCode
    error: str | None
    report: Report | None = None

    @property
    def outcome(self) -> Outcome | None:
        """The outcome of the run; None if it was refused or died."""
        return None if self.report is None else self.report.outcome

    @property
    def died(self) -> bool:
        """Whether the run's process died."""
        return self.run_id is not None and self.report is None


class FilePostponed(WatchEvent, frozen=True, kw_only=True):
    """A file cannot be imported for now (the database cannot be reached, for example), and is tried again after
    ``seconds``."""

    seconds: float


class FileMoved(WatchEvent, frozen=True, kw_only=True):
    """A file was moved into the folder of files that are done or failed, and is now ``target``."""

    target: Path


class FileNotMoved(WatchEvent, frozen=True, kw_only=True):
    """A file could not be moved, and stays where it is."""

    error: str


#: What becomes of a file after its run.
Disposal = FilePostponed | FileMoved | FileNotMoved
AnyWatchEvent = FileStarted | FileEnded | Disposal


class WatchedFolder:
    """The state of one folder that is watched, for whoever imports its files: in turn, a file is due, its run ends, and
    it is put where it belongs.

    With ``follow_links`` false, symbolic links in the folder are ignored. The folders for files that are done or failed
    are made if they are not there. Raises :class:`tui_importer.errors.UsageError` if a folder cannot be used.
    """

    def __init__(self, folder: Path, options: WatchOptions, registry: Registry, *, follow_links: bool = True) -> None:
        if not folder.is_dir():
            raise UsageError(f"{folder}: is not a folder")
        self.folder = folder
        self._patterns = options.patterns
        self._done = _folder_for_files(options.done, folder)
        self._failed = _folder_for_files(options.failed, folder)
        self._registry = registry
        self._follow_links = follow_links
        self._files = SettledFiles(folder, options.settle, self._is_wanted)
        self._attempts: dict[Path, int] = {}

    @property
    def waiting(self) -> list[Path]:
        """The files that were seen and have not had their turn, the oldest first. Other threads may ask, too."""
        return self._files.waiting

    def due(self) -> list[Path]:
        """Look into the folder; return the files that are to be imported now, the oldest first. Raises
        :class:`tui_importer.errors.ImporterError` if it cannot be read."""
        return self._files.look()

    def state(self, path: Path) -> FileState | None:
        """The state in which a file was last seen; None if it is not there any more."""
        return self._files.state(path)

    def ended(self, path: Path, exit_code: int, *, died: bool = False, retried: bool = True) -> Disposal | None:
        """Put a file where it belongs whose run has ended; return what was done with it, if anything.

        What may go well another time is postponed, unless it is not to be ``retried``: then it stays as it is.
        """
        attempts = self._attempts[path] = self._attempts.get(path, 0) + 1
        for_now = may_go_well_later(exit_code) and not (died and attempts >= MAX_DEATHS)
        if for_now and retried:
            pause = min(_FIRST_PAUSE * 2.0 ** min(attempts - 1, 16), _MAX_PAUSE)
            self._files.postpone(path, pause)
            return FilePostponed(path=path, seconds=pause)
        del self._attempts[path]
        if not self._files.is_unchanged(path):
            return None  # what it is now has not been imported
        self._files.handled(path)
        done = exit_code in (ExitCode.OK, ExitCode.REJECTS)
        target = self._done if done else None if for_now else self._failed
        if target is None:
            return None
        try:
            return FileMoved(path=path, target=move_into(path, target))
        except ImporterError as error:
            return FileNotMoved(path=path, error=str(error))

    def _is_wanted(self, path: Path) -> bool:
        if self._patterns:
            wanted = any(fnmatchcase(path.name, pattern) for pattern in self._patterns)
        else:
            try:
                self._registry.reader_for(path)
            except SourceError:
                return False
            wanted = True
        if path.is_symlink() and not self._follow_links:
            return False
        # Rejects are written into the current folder, which may be this one.
        return wanted and not is_untouched(path)


def may_go_well_later(exit_code: int) -> bool:
    """Whether a run with this exit code may go well another time: it was stopped, or the database was away."""
    return exit_code in _FOR_NOW


def _folder_for_files(given: str | os.PathLike[str] | None, watched: Path) -> Path | None:
    """A folder for files, which is made if it is not there. Raises :class:`UsageError` if it cannot be used."""
    if given is None:
        return None
    folder = Path(given)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.samefile(watched):
            raise UsageError(f"{folder}: is the folder that is watched")
    except OSError as error:
        raise UsageError(f"{folder}: cannot be used: {error.strerror or error}") from error
    if why := cannot_be_written(folder):
        raise UsageError(f"{folder}: files cannot be moved there ({why})")
    return folder
