"""Receives uploads: from the socket into a private file, in pieces, within limits of size and time."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from tui_importer.server.http_error import HttpError
from tui_importer.server.settings import Settings
from tui_importer.server.uploads import private_file
from tui_importer.text.safe import visible

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

#: The form field that holds the file, named as in the original program.
FIELD = "file"
#: Bytes of a form besides its file: boundaries and headers.
_FORM_OVERHEAD = 16 << 10
#: Bytes per write.
_BUFFER = 256 << 10
#: Maximum number of characters shown of a file's name.
_MAX_NAME = 120
#: Errors of a file system without room (``EFBIG`` is a limit of the process).
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_log = logging.getLogger(__name__)


class Received(msgspec.Struct, frozen=True):
    """A complete upload: its folder, still named ``.part``, and the name, size and digest of its file."""

    part: Path
    name: str
    suffix: str
    size: int
    sha256: str


class _Form:
    """Parses a multipart form (RFC 7578) with one file, whose bytes are collected in ``pending``."""

    def __init__(self, boundary: bytes, suffix_of: Callable[[str], str]) -> None:
        self.name = self.suffix = ""
        self.pending: list[bytes] = []
        self.complete = False
        self._suffix_of = suffix_of
        self._seen = False
        self._header = [b"", b""]
        self._disposition = b""
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._add(0, data[start:end]),
            "on_header_value": lambda data, start, end: self._add(1, data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": lambda data, start, end: self.pending.append(data[start:end]),
            "on_end": self._end,
        }
        self._parser = MultipartParser(boundary, callbacks)

    def feed(self, data: bytes) -> None:
        """Parse a piece of the form. Raises :class:`HttpError` (400) if it is not a form with one file."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise HttpError(400, "the request's body is not a well-formed multipart form") from error

    def close(self) -> None:
        """End the form. Raises :class:`HttpError` (400) if it is not complete."""
        if not self.complete:
            raise HttpError(400, "the request's body ended in the middle of its multipart form")
        if not self._seen:
            raise HttpError(400, f"no file was sent: the form has to have a field {FIELD!r} with one")

    def _begin(self) -> None:
        self._header, self._disposition = [b"", b""], b""

    def _add(self, place: int, data: bytes) -> None:
        self._header[place] += data

    def _end_header(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = value
        self._header = [b"", b""]

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        field = options.get(b"name", b"").decode("utf-8", "replace")
        if field != FIELD:
            raise HttpError(400, f"unknown field {shown_name(field)!r} in the form: its one field is {FIELD!r}")
        if self._seen:
            raise HttpError(400, f"the form has two fields {FIELD!r}: send one file at a time")
        if b"filename" not in options:
            raise HttpError(400, f"field {FIELD!r} has to be a file with a name")
        self._seen = True
        given = options[b"filename"].decode("utf-8", "surrogateescape")
        self.suffix = self._suffix_of(given)
        self.name = shown_name(given)

    def _end(self) -> None:
        self.complete = True


async def receive(
    request: Request, new_part: Callable[[], Path], suffix_of: Callable[[str], str], settings: Settings
) -> Received:
    """Store the file of a multipart form in a new private folder; after an error nothing of it is left.

    Raises :class:`HttpError`: 400 for a form that is not valid, 408 for one that is too slow, 413 for one that is too
    large, 507 if there is no room; and ``ClientDisconnect`` if the client disconnects.
    """
    form = _Form(_boundary(request), suffix_of)
    _check_length(request, settings)
    part = None
    try:
        part = await asyncio.to_thread(new_part)
        async with asyncio.timeout(settings.upload_timeout):
            size, sha256 = await _store(request, form, part, settings)
        target = part / f"upload{form.suffix}"
        await asyncio.to_thread(os.rename, part / "incoming", target)
        received, part = Received(part, form.name, form.suffix, size, sha256), None
    except TimeoutError as error:
        raise HttpError(408, "the upload came too slowly and was given up") from error
    except OSError as error:
        raise no_room(error) from error
    else:
        return received
    finally:
        if part is not None:
            await asyncio.to_thread(shutil.rmtree, part)


def no_room(error: OSError) -> HttpError:
    """Return 507 if the disk is full, 500 for any other disk error."""
    _log.error("an upload cannot be stored: %s", error)
    if error.errno in _NO_ROOM:
        return HttpError(507, "there is no room left for uploads: nothing of this one was kept, try again later")
    return HttpError(500, "the upload cannot be stored: nothing of it was kept")


def shown_name(given: str) -> str:
    """Return the last part of a path sent by a client, safe to show; it is never used to open a file."""
    return shortened_name(unicodedata.normalize("NFC", PurePosixPath(given.replace("\\", "/")).name))


def shortened_name(name: str) -> str:
    """Return the name of a file, safe to show, without its middle if it is long."""
    name = visible(name)
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 20]}…{name[-19:]}"


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 70:  # RFC 2046, 5.1.1
        raise HttpError(400, f"no file was sent: send a multipart form with a field {FIELD!r} (curl -F {FIELD}=@NAME)")
    return boundary


def _check_length(request: Request, settings: Settings) -> None:
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length) > settings.max_upload + _FORM_OVERHEAD:
        raise _too_large(settings)


def _too_large(settings: Settings) -> HttpError:
    return HttpError(413, f"the file is larger than {settings.max_upload:,} bytes, which is the limit here")


async def _store(request: Request, form: _Form, part: Path, settings: Settings) -> tuple[int, str]:
    """Write the file as it arrives; return its size in bytes and its digest in hexadecimal."""
    digest, size, overhead = hashlib.sha256(), 0, 0
    with private_file(part / "incoming", _BUFFER) as file:

        def write(pieces: list[bytes]) -> None:
            for piece in pieces:
                file.write(piece)
                digest.update(piece)

        pieces = request.stream()
        while True:
            try:
                async with asyncio.timeout(settings.idle_timeout):
                    data = await anext(pieces)
            except StopAsyncIteration:
                break
            form.feed(data)
            taken, form.pending = form.pending, []
            added = sum(map(len, taken))
            size, overhead = size + added, overhead + len(data) - added
            if size > settings.max_upload:
                raise _too_large(settings)
            if overhead > _FORM_OVERHEAD:
                raise HttpError(400, "the form has more around its file than a form needs")
            if taken:
                await asyncio.to_thread(write, taken)
        form.close()
        await asyncio.to_thread(_finish, file)
    return size, digest.hexdigest()


def _finish(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
