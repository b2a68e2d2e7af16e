"""What can be said of files and folders before anything is read or written."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from tui_importer.errors import SourceError, UsageError

#: What is written to see whether a disk has room for anything at all: a block of most file systems, in bytes.
_BLOCK = 4096


def check_source_file(path: Path) -> None:
    """Make sure that there is a file which can be read; raises :class:`SourceError` saying what there is instead."""
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise SourceError(f"{path}: is a folder, not a file")
        if not stat.S_ISREG(kind):
            # It is read more than once, and to open a pipe may take for ever.
            raise SourceError(f"{path}: is a pipe or a device: save what comes out of it as a file first")
        with path.open("rb"):
            return
    except FileNotFoundError as error:
        raise SourceError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def check_new_file(path: Path, what: str) -> None:
    """Make sure that a file can be made there; raises :class:`UsageError`. ``what`` it is for ends the sentence."""
    try:
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; name a file for {what}")
        if not path.parent.is_dir():
            raise UsageError(f"{path}: there is no folder {path.parent} for {what}")
    except (OSError, ValueError) as error:  # a name that cannot be one, a folder that cannot be looked into
        raise UsageError(
            f"{path}: cannot be the name of a file: {getattr(error, 'strerror', None) or error}"
        ) from error
    if why := cannot_be_written(path.parent):
        raise UsageError(f"{path}: the folder {path.parent} takes no file for {what}: {why}")


def cannot_be_written(folder: Path) -> str | None:
    """Why no file can be made in a folder; None where one can. Leaves no trace."""
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
    """The descriptor of a new file in the folder that has no name, or none any more."""
    nameless = getattr(os, "O_TMPFILE", None)  # Linux, and not every file system there
    if nameless is not None:
        with suppress(OSError):
            return os.open(folder, nameless | os.O_WRONLY, 0o600)
    path = folder / f".tui_importer-{os.urandom(8).hex()}"
    probe = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    path.unlink()
    return probe
