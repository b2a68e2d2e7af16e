"""Uploads on disk: each in a private folder, with its state, so that they survive a restart."""

from __future__ import annotations

import datetime as dt
import fcntl
import logging
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from tui_importer.core.model.report import Outcome, Stats
from tui_importer.core.model.times import rfc3339
from tui_importer.errors import UsageError
from tui_importer.process.settled_files import FileState
from tui_importer.server.upload_options import UploadOptions
from tui_importer.text.safe import visible

_RECORD = "record.json"
_LOCK = "lock"
#: Suffix of the folder of an incomplete upload.
_PART = ".part"
_log = logging.getLogger(__name__)

UploadState = Literal["waiting", "running", "ended"]


class WatchedFile(msgspec.Struct, frozen=True, kw_only=True):
    """The ``file`` of a watched ``folder`` that an upload is a copy of, in the ``state`` that it had. ``copy`` is the
    name of the copy: that of the file, unless it is too long."""

    folder: str
    file: str
    copy: str
    state: FileState


class Upload(msgspec.Struct, kw_only=True):
    """The state of an upload. ``name`` is what the client calls the file, made harmless; ``run_ids`` are its runs, the
    latest last; ``key`` is the client's idempotency key; ``watched`` is the file of a watched folder, if it came from
    there. The fields from ``outcome`` on are the last result of a run. ``interrupted`` means that a signal to the
    server ended it, so that the next start resumes it."""

    id: str
    name: str
    suffix: str
    size: int
    sha256: str
    created_at: str
    options: UploadOptions = msgspec.field(default_factory=UploadOptions)
    key: str | None = None
    watched: WatchedFile | None = None
    state: UploadState = "waiting"
    run_ids: list[str] = msgspec.field(default_factory=list)
    deaths: int = 0
    stop_requested: bool = msgspec.field(default=False, name="cancelled")  # stored under its name of version 0.1
    interrupted: bool = False
    outcome: Outcome | None = None
    exit_code: int | None = None
    error: str | None = None
    ended_at: str | None = None
    stats: Stats | None = None
    table: str | None = None
    resumes: str | None = None
    notes: tuple[str, ...] = ()
    rejects_total: int = 0

    @property
    def file(self) -> str:
        """The path of the file in its folder. Only a suffix that a reader knows is taken from the client; a file of a
        watched folder has its own name, apart from the server's files."""
        return f"upload{self.suffix}" if self.watched is None else f"file/{self.watched.copy}"

    @property
    def shown_error(self) -> str | None:
        """The error, with the name of a file of a watched folder instead of the path of its copy."""
        if self.error is None or self.watched is None:
            return self.error
        return self.error.replace(visible(self.file), self.name)


class Store:
    """The uploads of one server, in ``folder``. Raises :class:`UsageError` if it cannot be used, or another server uses
    it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_mode & 0o077:
                raise UsageError(
                    f"{folder}: others than its owner can look into it; uploads need a private folder (0700)"
                )
            self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"{folder}: another server is at work on these uploads; give --uploads FOLDER") from error
        except OSError as error:
            raise UsageError(f"{folder}: uploads cannot be kept there: {error.strerror}") from error

    def close(self) -> None:
        """Release the folder for another server."""
        os.close(self._lock)

    def load(self) -> list[Upload]:
        """Return all complete uploads, the oldest first, and remove incomplete ones."""
        found = []
        for entry in sorted(self.folder.iterdir()):
            if not entry.is_dir():
                continue
            if entry.name.endswith(_PART):
                shutil.rmtree(entry)
                continue
            try:
                found.append(msgspec.json.decode((entry / _RECORD).read_bytes(), type=Upload))
            except (OSError, msgspec.DecodeError) as error:
                _log.warning("upload %s cannot be read and is left alone: %s", entry.name, error)
        return found

    def new_part(self) -> Path:
        """Create a private folder for an incoming upload. Raises ``OSError``."""
        part = self.folder / f"{new_id()}{_PART}"
        part.mkdir(mode=0o700)
        return part

    def keep(self, part: Path, upload: Upload) -> None:
        """Mark the upload in this folder as complete; from then on it survives a power cut. Raises ``OSError``."""
        self._write(part, upload)
        os.rename(part, self.of(upload))
        _sync(self.folder)

    def save(self, upload: Upload) -> None:
        """Store what has changed about an upload. Raises ``OSError``."""
        self._write(self.of(upload), upload)

    def of(self, upload: Upload) -> Path:
        """Return the upload's folder."""
        return self.folder / upload.id

    def file(self, upload: Upload) -> Path:
        """Return the uploaded file, which exists until all of its rows are in."""
        return self.of(upload) / upload.file

    def rejects_file(self, upload: Upload, execution: int) -> Path:
        """Return where run number ``execution`` of the upload (from 1) puts its workbook of rejects."""
        return self.of(upload) / f"rejects-{execution}.xlsx"

    def remove_file(self, upload: Upload) -> None:
        """Remove the uploaded file, which is no longer needed."""
        self.file(upload).unlink(missing_ok=True)

    def remove(self, upload: Upload) -> None:
        """Remove the upload."""
        shutil.rmtree(self.of(upload))

    def _write(self, folder: Path, upload: Upload) -> None:
        write_private(folder / _RECORD, msgspec.json.encode(upload))


def private_file(path: Path, buffering: int = -1) -> BinaryIO:
    """Create a file that only its owner can read, to be written to. Raises ``OSError``."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=buffering)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read: whole or not at all, so that it survives a power cut. Raises
    ``OSError``."""
    handle, temporary = tempfile.mkstemp(prefix=".record-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync(path.parent)


def new_id() -> str:
    """Return a new id, which sorts by time and cannot be guessed."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S-%f}-{secrets.token_hex(6)}"


def now() -> str:
    """Return the current time in RFC 3339 format."""
    return rfc3339(dt.datetime.now(dt.UTC))


def _sync(folder: Path) -> None:
    """Make the names in a folder survive a power cut (fsync(2))."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
