"""Checks of files and folders before anything is read or written."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from itertools import count
from pathlib import Path

from tui_importer.errors import SourceError, UsageError

#: The number of bytes written to find out whether a disk is full: a block of most file systems.
_BLOCK = 4096


def check_source_file(path: Path) -> None:
    """Check that a file exists and can be read; raises :class:`SourceError` that says what is wrong."""
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise SourceError(f"{path}: is a folder, not a file")
        if not stat.S_ISREG(kind):
            # The file is read more than once, and opening a pipe may block forever.
            raise SourceError(f"{path}: is a pipe or a device: save what comes out of it as a file first")
        with path.open("rb"):
            return
    except FileNotFoundError as error:
        raise SourceError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def check_new_file(path: Path, what: str) -> None:
    """Check that a file can be created; raises :class:`UsageError`. ``what`` is its purpose, for the message."""
    try:
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; name a file for {what}")
        if not path.parent.is_dir():
            raise UsageError(f"{path}: there is no folder {path.parent} for {what}")
    except (OSError, ValueError) as error:  # an invalid name, or a folder that cannot be searched
        raise UsageError(
            f"{path}: cannot be the name of a file: {getattr(error, 'strerror', None) or error}"
        ) from error
    if why := cannot_be_written(path.parent):
        raise UsageError(f"{path}: no file for {what} can be created in the folder {path.parent}: {why}")


def cannot_be_written(folder: Path) -> str | None:
    """Why no file can be created in a folder; None if one can. Leaves no file behind."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return os.strerror(errno.EACCES)
    try:
        probe = _probe(folder)
    except OSError as error:
        return error.strerror
    try:
        os.write(probe, bytes(_BLOCK))
    except OSError as error:
        return error.strerror
    finally:
        os.close(probe)
    return None


def _probe(folder: Path) -> int:
    """The descriptor of a new file in the folder that has no name, or whose name is removed again."""
    nameless = getattr(os, "O_TMPFILE", None)  # Linux, and not every file system there
    if nameless is not None:
        with suppress(OSError):
            return os.open(folder, nameless | os.O_WRONLY, 0o600)
    path = folder / f".tui_importer-{os.urandom(8).hex()}"
    probe = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    path.unlink()
    return probe


def claim_free_name(folder: Path, stem: str, suffix: str) -> Path:
    """Create an empty private file under the first name that is free, and return its path: the stem and the suffix,
    with ``-2``, ``-3`` and so on between them. Raises ``OSError`` if no file can be created."""
    for number in count(1):
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}{suffix}"
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            continue
        break
    return path
