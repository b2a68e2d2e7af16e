"""Handles uploads: checks the options, receives the file, and recognises repeated requests."""

from __future__ import annotations

import asyncio
import re
import shutil

from starlette.requests import Request

from tui_importer.core.model.patterns import pattern
from tui_importer.plugins.registry import Registry
from tui_importer.server.http_error import HttpError
from tui_importer.server.intake import Received, no_room, receive
from tui_importer.server.metrics import Metrics
from tui_importer.server.scheduler import Scheduler
from tui_importer.server.settings import Settings
from tui_importer.server.upload_options import UploadOptions, known_suffix, read_choices
from tui_importer.server.upload_registry import UploadRegistry
from tui_importer.server.uploads import Upload, new_id, now

#: The client's key for a request that it may repeat (draft-ietf-httpapi-idempotency-key-header), quoted or not.
_KEY = pattern(r'"?([!#-~]{1,255}?)"?', re.ASCII)


class UploadHandler:
    """Turns upload requests into queued uploads."""

    def __init__(
        self, settings: Settings, registry: Registry, uploads: UploadRegistry, scheduler: Scheduler, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._uploads = uploads
        self._scheduler = scheduler
        self._metrics = metrics
        self._keys_coming_in: set[str] = set()

    async def take(self, request: Request) -> tuple[Upload, bool]:
        """Return the queued upload of a request; True if it is that of an earlier request with the same key.

        Raises :class:`HttpError`: 400, 408, 409 (a request with the same key is still coming in), 413, 422 (the key was
        used for another request), 429, 503 and 507.
        """
        options = read_choices(request.query_params.multi_items(), self._settings, self._registry)
        key = _key(request)
        if key is None:
            return await self._take(request, options, None)
        if key in self._keys_coming_in:
            raise HttpError(409, "a request with this Idempotency-Key is still coming in")
        self._keys_coming_in.add(key)
        try:
            return await self._take(request, options, key)
        finally:
            self._keys_coming_in.discard(key)

    async def _take(self, request: Request, options: UploadOptions, key: str | None) -> tuple[Upload, bool]:
        with self._scheduler.place():
            received = await receive(request, self._uploads.store.new_part, self._suffix_of, self._settings)
            try:
                former = self._uploads.of_key(key) if key is not None else None
                if former is not None:
                    if (former.sha256, former.options) != (received.sha256, options):
                        raise HttpError(422, "this Idempotency-Key came with another file or other options before")
                    return former, True
                upload = _upload(received, options, key)
                try:
                    await asyncio.to_thread(self._uploads.store.keep, received.part, upload)
                except OSError as error:
                    raise no_room(error) from error
                self._scheduler.accept(upload)
            finally:
                # A stored upload has been renamed.
                if received.part.exists():
                    await asyncio.to_thread(shutil.rmtree, received.part)
        self._metrics.uploaded(upload.size)
        return upload, False

    def _suffix_of(self, name: str) -> str:
        return known_suffix(self._registry, name)


def _upload(received: Received, options: UploadOptions, key: str | None) -> Upload:
    return Upload(
        id=new_id(),
        name=received.name,
        suffix=received.suffix,
        size=received.size,
        sha256=received.sha256,
        created_at=now(),
        options=options,
        key=key,
    )


def _key(request: Request) -> str | None:
    given = request.headers.get("idempotency-key")
    if given is None:
        return None
    match = _KEY.fullmatch(given)
    if match is None:
        raise HttpError(400, "Idempotency-Key has to be 1 to 255 visible ASCII characters")
    return match[1]
