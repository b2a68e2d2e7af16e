"""Files that appear in a folder, once they have stopped changing."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from tui_importer.core.model.files import claim_free_name
from tui_importer.errors import ImporterError


class FileState(NamedTuple):
    """What changes when a file is replaced or written to."""

    inode: int
    size: int
    modified: int  # nanoseconds


class _Seen(msgspec.Struct):
    """A file in the folder. It has been in this ``state`` since then, and is not offered ``before`` (both by the
    monotonic clock); ``handled`` is whether it is offered no more while it stays so."""

    state: FileState
    since: float
    before: float = 0.0
    handled: bool = False


class SettledFiles:
    """Looks for files in a folder again and again: notifications of the system do not cover network folders.

    A file has settled when it did not change for ``seconds``; one that was not written to for that long has settled
    when it is first seen. ``wanted`` is called with the path of each file. Names that begin with ``.`` or ``~$`` are
    those of hidden files and of spreadsheet programs' locks, and never offered.
    """

    def __init__(self, folder: Path, seconds: float, wanted: Callable[[Path], bool]) -> None:
        self._folder = folder
        self._seconds = seconds
        self._wanted = wanted
        self._seen: dict[Path, _Seen] = {}
        self._unwanted: dict[Path, FileState] = {}

    @property
    def waiting(self) -> list[Path]:
        """The files that were seen and not handled, the oldest first. Other threads may ask, too."""
        waiting = [(seen.state.modified, path) for path, seen in self._seen.items() if not seen.handled]
        return [path for _, path in sorted(waiting)]

    def state(self, path: Path) -> FileState | None:
        """The state in which a file was last seen; None if it is not there any more."""
        seen = self._seen.get(path)
        return None if seen is None else seen.state

    def look(self) -> list[Path]:
        """The files that have settled and are not handled, the oldest first. Raises :class:`ImporterError` if the
        folder cannot be read."""
        now, present = time.monotonic(), self._present()
        self._seen = {path: self._since(path, state, now) for path, state in present.items()}
        settled = [
            path
            for path, seen in self._seen.items()
            if not seen.handled and now >= seen.before and now - seen.since >= self._seconds
        ]
        return sorted(settled, key=lambda path: (present[path].modified, path))

    def handled(self, path: Path) -> None:
        """Offer a file no more unless it changes, or has changed since it was offered."""
        self._seen[path].handled = True

    def postpone(self, path: Path, seconds: float) -> None:
        """Offer a file again, but not before this many seconds have passed."""
        seen = self._seen[path]
        seen.before, seen.handled = time.monotonic() + seconds, False

    def is_unchanged(self, path: Path) -> bool:
        """Whether a file is as it was when it was offered."""
        try:
            return state_of(path.stat()) == self.state(path)
        except OSError:
            return False

    def _present(self) -> dict[Path, FileState]:
        found: dict[Path, FileState] = {}
        unwanted: dict[Path, FileState] = {}
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    path = self._folder / entry.name
                    if entry.name.startswith((".", "~$")) or not entry.is_file():
                        continue
                    try:
                        state = state_of(entry.stat())
                    except FileNotFoundError:
                        continue  # it was there a moment ago
                    (found if self._is_wanted(path, state) else unwanted)[path] = state
        except OSError as error:
            raise ImporterError(f"{self._folder}: cannot be read: {error.strerror or error}") from error
        self._unwanted = unwanted
        return found

    def _is_wanted(self, path: Path, state: FileState) -> bool:
        """Ask only about files that are new or have changed: the answer may be in the file."""
        if self._unwanted.get(path) == state:
            return False
        seen = self._seen.get(path)
        return (seen is not None and seen.state == state) or self._wanted(path)

    def _since(self, path: Path, state: FileState, now: float) -> _Seen:
        seen = self._seen.get(path)
        if seen is not None and seen.state == state:
            return seen
        age = time.time() - state.modified / 1e9
        return _Seen(state, since=now - max(age, 0.0) if seen is None else now)


def move_into(path: Path, folder: Path) -> Path:
    """Move a file into a folder and return where it is: under a name with a number if its own is taken there.

    Raises :class:`ImporterError` if that fails; the file then stays.
    """
    place: Path | None = None
    try:
        place = claim_free_name(folder, path.stem, path.suffix)
        shutil.move(path, place)
    except OSError as error:
        if place is not None:
            place.unlink(missing_ok=True)
        raise ImporterError(f"{path}: cannot be moved into {folder}: {error.strerror or error}") from error
    return place


def state_of(found: os.stat_result) -> FileState:
    """The state of a file of which this is known."""
    return FileState(found.st_ino, found.st_size, found.st_mtime_ns)
