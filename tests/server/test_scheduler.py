"""The scheduler among requests that come at once: its own event loop, and a turn that takes as long as a test likes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tui_importer.core.model.plan import Plan, Source, Target
from tui_importer.server import scheduler as conducting
from tui_importer.server.http_error import HttpError
from tui_importer.server.metrics import Metrics
from tui_importer.server.scheduler import Scheduler
from tui_importer.server.settings import Settings
from tui_importer.server.upload_registry import UploadRegistry
from tui_importer.server.uploads import Store, Upload


class EndedUpload:
    """A turn whose upload is seen to have ended before the turn is over."""

    may_end: asyncio.Event

    def __init__(self, upload: Upload, uploads: UploadRegistry, *others: object) -> None:
        self.upload, self._uploads = upload, uploads

    async def carry_out(self, *, begun: bool) -> None:
        self.upload.state, self.upload.outcome = "ended", "stopped"
        await self.may_end.wait()
        await self._uploads.note(self.upload)


@pytest.fixture
def run_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs a test's coroutine with a scheduler, and an upload that has ended while its turn goes on."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(conducting, "UploadRunner", EndedUpload)

    async def arrange(test: Callable[..., Coroutine[Any, Any, None]]) -> None:
        EndedUpload.may_end = asyncio.Event()
        settings = Settings(
            plan=Plan(source=Source(file="rows.csv"), target=Target(database="target.db", table="t")),
            folder=tmp_path / "uploads",
        )
        store = Store(settings.folder)
        uploads = UploadRegistry(store, Metrics())
        scheduler = Scheduler(settings, uploads)
        upload = Upload(id="one", name="rows.csv", suffix=".csv", size=7, sha256="0" * 64, created_at="", key="its key")
        part = store.new_part()
        (part / upload.file).write_bytes(b"n\n1\n2\n")
        store.keep(part, upload)
        scheduler.accept(upload)
        await asyncio.sleep(0)
        assert upload.state == "ended"
        assert scheduler.runners
        try:
            await asyncio.wait_for(test(scheduler, uploads, upload), 60)
        finally:
            store.close()

    return lambda test: asyncio.run(arrange(test))


def test_finished_upload_can_be_deleted_immediately(run_scheduler: Callable[..., None]) -> None:
    async def test(scheduler: Scheduler, uploads: UploadRegistry, upload: Upload) -> None:
        deleting = asyncio.create_task(scheduler.delete(upload))
        await asyncio.sleep(0.05)
        assert not deleting.done()
        assert scheduler.runners
        EndedUpload.may_end.set()
        await deleting
        assert not scheduler.runners
        assert not uploads.uploads
        assert not uploads.store.of(upload).exists()

    run_scheduler(test)


def test_finished_upload_can_be_resumed_immediately(run_scheduler: Callable[..., None]) -> None:
    async def test(scheduler: Scheduler, uploads: UploadRegistry, upload: Upload) -> None:
        resuming = asyncio.create_task(scheduler.resume(upload))
        await asyncio.sleep(0.05)
        first = scheduler.runners[upload.id]
        EndedUpload.may_end.set()
        await resuming
        assert scheduler.runners[upload.id] is not first

    run_scheduler(test)


def test_finished_upload_is_not_restarted_by_the_next_server(run_scheduler: Callable[..., None]) -> None:
    async def test(scheduler: Scheduler, uploads: UploadRegistry, upload: Upload) -> None:
        ending = asyncio.create_task(scheduler.end())
        await asyncio.sleep(0.05)
        assert not ending.done()
        EndedUpload.may_end.set()
        await ending
        [kept] = uploads.store.load()
        assert (kept.state, kept.interrupted) == ("ended", False)

    run_scheduler(test)


def test_concurrent_deletes_succeed_once(run_scheduler: Callable[..., None]) -> None:
    async def test(scheduler: Scheduler, uploads: UploadRegistry, upload: Upload) -> None:
        EndedUpload.may_end.set()
        said = await asyncio.gather(scheduler.delete(upload), scheduler.delete(upload), return_exceptions=True)
        [http_error] = [one for one in said if one is not None]
        assert isinstance(http_error, HttpError)
        assert http_error.status == 404
        assert uploads.of_key("its key") is None

    run_scheduler(test)


def test_upload_that_cannot_be_removed_stays_listed(
    run_scheduler: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(upload: Upload) -> None:
        raise PermissionError(13, "Permission denied")

    async def test(scheduler: Scheduler, uploads: UploadRegistry, upload: Upload) -> None:
        EndedUpload.may_end.set()
        monkeypatch.setattr(uploads.store, "remove", refuse)
        with pytest.raises(PermissionError):
            await scheduler.delete(upload)
        assert uploads.find("one") is upload
        assert uploads.of_key("its key") is upload
        assert uploads.ended(upload).is_set()

    run_scheduler(test)
