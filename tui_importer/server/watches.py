"""The folders that a server watches: their files become uploads, which the scheduler runs like any others."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from tui_importer.core.model.undecodable_names import escaped
from tui_importer.errors import ExitCode, ImporterError
from tui_importer.plugins.registry import Registry
from tui_importer.process.settled_files import FileState, state_of
from tui_importer.process.watched_folder import FileMoved, FileNotMoved, WatchedFolder, may_go_well_later
from tui_importer.server.http_error import HttpError
from tui_importer.server.intake import shortened_name
from tui_importer.server.metrics import Metrics
from tui_importer.server.scheduler import Scheduler
from tui_importer.server.settings import WatchSettings
from tui_importer.server.upload_registry import UploadRegistry
from tui_importer.server.uploads import Upload, WatchedFile, new_id, now, private_file, write_private
from tui_importer.text.safe import visible

#: The names of the folders whose watch is paused, in the folder of uploads.
_PAUSED_FILE = "paused-watches.json"
#: Seconds that a shutdown waits for the watchers.
_END_TIMEOUT = 5.0
#: Bytes copied at a time.
_PIECE = 1 << 20
#: The longest name of a file that file systems take, in bytes.
_MAX_NAME = 255

_log = logging.getLogger(__name__)


class FolderWatcher:
    """Watches one folder for the server. Its files are imported one after another, the oldest first, so that of two
    that update the same row the later one wins.

    Each is copied into an upload of its own, which survives whatever uploads survive. The upload remembers which file
    in which state it is a copy of, so a file is not taken again after a restart.
    """

    def __init__(
        self,
        watch: WatchSettings,
        registry: Registry,
        uploads: UploadRegistry,
        scheduler: Scheduler,
        metrics: Metrics,
        *,
        paused: bool,
    ) -> None:
        self.watch = watch
        self.paused = paused
        self.readable = True
        self.last_error: str | None = None
        self.last_error_at: str | None = None
        self._folder = WatchedFolder(watch.folder, watch.options, registry, follow_links=False)
        self._uploads = uploads
        self._scheduler = scheduler
        self._metrics = metrics
        self._latest: dict[str, Upload] = {}
        self._stopped: dict[Path, Upload] = {}

    @property
    def waiting(self) -> list[str]:
        """The names of the files whose import has not ended, the oldest first."""
        return [escaped(path.name) for path in self._folder.waiting]

    def uploads(self) -> Iterator[Upload]:
        """The uploads that were files of this folder, the oldest first."""
        for upload in self._uploads.uploads.values():
            if upload.watched is not None and upload.watched.folder == self.watch.key:
                yield upload

    async def run(self) -> None:
        """Import what has settled, again and again, until the server shuts down."""
        for upload in self.uploads():
            self._remember(upload)
            if upload.error is not None and not upload.stop_requested:
                self.last_error, self.last_error_at = _named_error(upload), upload.ended_at
        closing = self._scheduler.closing
        while not closing.is_set():
            try:
                if not self.paused:
                    await self._look()
            except Exception as error:  # noqa: BLE001  # a defect of ours must not end the watch
                _log.error("watch %s: unexpected", self.watch.name, exc_info=error)
                self._trouble("something unexpected went wrong: the server's log says what")
            with suppress(TimeoutError):
                await asyncio.wait_for(closing.wait(), self.watch.options.every)

    async def _look(self) -> None:
        await self._finish_stopped()
        try:
            due = await asyncio.to_thread(self._folder.due)
        except ImporterError as error:
            self.readable = False
            self._trouble(str(error))
            return
        self.readable = True
        for path in due:
            if self.paused or self._scheduler.closing.is_set():
                return
            try:
                await self._handle(path)
            except HttpError:
                return  # the queue is full: the next look tries again
            except OSError as error:
                self._trouble(f"{path}: cannot be copied: {error.strerror or error}")
                await asyncio.to_thread(self._folder.ended, path, ExitCode.STOPPED)  # postponed: the disk may be full

    async def _handle(self, path: Path) -> None:
        """Import a file to the end of its run. Raises :class:`HttpError` if the queue is full, and ``OSError``."""
        upload = self._upload_of(path)
        if upload is not None and upload.state == "ended" and may_be_retried(upload):
            if self._uploads.resumable(upload):
                await self._scheduler.resume(upload)
            else:
                upload = None  # somebody has removed the copy
        if upload is None:
            upload = await self._take(path)
        if upload is not None and await self._scheduler.wait_for_end(upload, None):
            await self._finish(path, upload)

    async def _take(self, path: Path) -> Upload | None:
        """Queue a copy of a file; None if the file has changed meanwhile, or the server shuts down."""
        store, name, state = self._uploads.store, escaped(path.name), self._folder.state(path)
        if state is None:
            return None
        # Escapes are longer than the bytes that they stand for.
        copied_name = name if len(os.fsencode(name)) <= _MAX_NAME else f"upload{path.suffix.lower()}"
        with self._scheduler.place():
            part = await asyncio.to_thread(store.new_part)
            try:
                upload = Upload(
                    id=new_id(),
                    name=shortened_name(name),
                    suffix=path.suffix.lower(),
                    size=state.size,
                    sha256="",
                    created_at=now(),
                    watched=WatchedFile(folder=self.watch.key, file=name, copy=copied_name, state=state),
                )
                copy = part / upload.file
                sha256 = await asyncio.to_thread(_copied, path, copy, state, self._scheduler.closing.is_set)
                if sha256 is None:
                    return None
                upload.sha256 = sha256
                await asyncio.to_thread(store.keep, part, upload)
                self._scheduler.accept(upload)
            finally:
                if part.exists():  # a stored upload has been renamed
                    await asyncio.to_thread(shutil.rmtree, part)
        self._metrics.uploaded(upload.size)
        self._remember(upload)
        _log.info("file taken", extra={"watch": self.watch.name, "file": name, "upload": upload.id})
        return upload

    async def _finish(self, path: Path, upload: Upload) -> None:
        """Put a file where it belongs whose upload has ended."""
        assert upload.exit_code is not None
        retried = may_be_retried(upload)
        if not retried and may_go_well_later(upload.exit_code):
            self._stopped[path] = upload
        elif upload.error is not None:
            self._trouble(_named_error(upload))
        match await asyncio.to_thread(self._folder.ended, path, upload.exit_code, retried=retried):
            case FileMoved(target=target):
                extra = {"watch": self.watch.name, "file": path.name, "target": str(target), "upload": upload.id}
                _log.info("file moved", extra=extra)
                self._latest.pop(escaped(path.name), None)
            case FileNotMoved(error=error):
                self._trouble(error)

    async def _finish_stopped(self) -> None:
        """Finish files whose upload a client has stopped, and has resumed since."""
        for path, upload in list(self._stopped.items()):
            if self._upload_of(path) is not upload:
                del self._stopped[path]
            elif upload.state == "ended" and not upload.stop_requested:
                del self._stopped[path]
                await self._finish(path, upload)

    def _upload_of(self, path: Path) -> Upload | None:
        """The upload of a file as it is now."""
        upload = self._latest.get(escaped(path.name))
        if upload is None or upload.watched is None or upload.id not in self._uploads.uploads:
            return None
        return upload if upload.watched.state == self._folder.state(path) else None

    def _remember(self, upload: Upload) -> None:
        assert upload.watched is not None
        self._latest[upload.watched.file] = upload

    def _trouble(self, error: str) -> None:
        if error != self.last_error:
            _log.warning("watch %s: %s", self.watch.name, error)
        self.last_error, self.last_error_at = error, now()


class Watches:
    """All folders that the server watches, by name. Raises :class:`tui_importer.errors.UsageError` if one cannot be
    used."""

    def __init__(
        self,
        watches: tuple[WatchSettings, ...],
        registry: Registry,
        uploads: UploadRegistry,
        scheduler: Scheduler,
        metrics: Metrics,
    ) -> None:
        self._paused_file = uploads.store.folder / _PAUSED_FILE
        paused = self._load_paused()
        self.watchers = {
            watch.name: FolderWatcher(watch, registry, uploads, scheduler, metrics, paused=watch.key in paused)
            for watch in watches
        }
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """Begin to watch; the uploads of before have been loaded."""
        self._tasks = [
            asyncio.create_task(watcher.run(), name=f"watch {name}") for name, watcher in self.watchers.items()
        ]

    async def end(self) -> None:
        """Wait until all have noticed that the server shuts down, but not for a file system that does not answer."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_END_TIMEOUT)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @property
    def waiting(self) -> int:
        """The number of files whose import has not ended."""
        return sum(len(watcher.waiting) for watcher in self.watchers.values())

    def find(self, name: str) -> FolderWatcher:
        """Return the watcher of a folder. Raises :class:`HttpError` (404)."""
        watcher = self.watchers.get(name)
        if watcher is None:
            raise HttpError(404, "no such folder is watched here: see /watches")
        return watcher

    async def pause(self, watcher: FolderWatcher, *, paused: bool) -> None:
        """Take no further files of a folder, or take them again; a restart changes nothing. Raises ``OSError``."""
        watcher.paused = paused
        keys = [each.watch.key for each in self.watchers.values() if each.paused]
        await asyncio.to_thread(write_private, self._paused_file, msgspec.json.encode(keys))

    def _load_paused(self) -> list[str]:
        try:
            return msgspec.json.decode(self._paused_file.read_bytes(), type=list[str])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("which watches are paused cannot be read: %s", error)
            return []


def may_be_retried(upload: Upload) -> bool:
    """Whether an upload that has ended may go well another time; not if a client has stopped it."""
    return upload.exit_code is not None and may_go_well_later(upload.exit_code) and not upload.stop_requested


def _named_error(upload: Upload) -> str:
    """The error of an upload, with the name of its file."""
    error = upload.shown_error or ""
    return error if error.startswith(upload.name) else f"{upload.name}: {error}"


def _copied(path: Path, copy: Path, state: FileState, given_up: Callable[[], bool]) -> str | None:
    """Copy a file; return its digest in hexadecimal, or None if it is not as it was seen, or the copying was given up.

    Whoever puts files into the folder cannot make the server read others: no link is followed. Raises ``OSError``.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    digest = hashlib.sha256()
    with os.fdopen(handle, "rb") as source:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        copy.parent.mkdir(mode=0o700)
        with private_file(copy) as target:
            while piece := source.read(_PIECE):
                if given_up():
                    return None
                digest.update(piece)
                target.write(piece)
            target.flush()
            os.fsync(target.fileno())
        return digest.hexdigest() if state_of(os.fstat(handle)) == state else None


def without_folders(text: str, watch: WatchSettings) -> str:
    """Return what is said of a folder's files without the paths of the server."""
    for folder in (watch.options.done, watch.options.failed):
        if folder is not None:
            text = text.replace(str(folder), Path(folder).name)
    return visible(text.replace(str(watch.folder), watch.name))
