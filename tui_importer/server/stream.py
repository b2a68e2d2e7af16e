"""A run's events as server-sent events (HTML standard, 9.2), which a client can take up where it was disconnected.

The id of an event is ``N-BYTES``: number N of the upload's run (from 1), and the offset in its recording. So no state
is kept per client, and a restart of the server changes nothing.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tui_importer.core.model.json_text import encode_json
from tui_importer.core.model.patterns import pattern
from tui_importer.recording.recordings import Recording, recordings_folder
from tui_importer.server.scheduler import Scheduler
from tui_importer.server.uploads import Upload
from tui_importer.server.view import UploadView

#: Seconds between two reads, and seconds without an event until a comment shows proxies that the connection is alive.
_PERIOD, _SILENCE = 0.25, 15.0
#: Bytes of a recording per read.
_CHUNK = 256 << 10
#: Bytes of a line within which the kind of its event is found.
_KIND_WITHIN = 200
_REJECTED = b'"event": "row_rejected"'

_ID = pattern(r"([1-9][0-9]{0,5})-(0|[1-9][0-9]{0,14})", re.ASCII)


def position_of(last_event_id: str | None) -> tuple[int, int]:
    """Parse an event id into run number and offset; return the beginning if it is not an id."""
    match = _ID.fullmatch(last_event_id or "")
    return (int(match[1]), int(match[2])) if match else (1, 0)


async def events(
    upload: Upload, view: UploadView, scheduler: Scheduler, position: tuple[int, int], *, with_rejects: bool
) -> AsyncIterator[bytes]:
    """Yield the events from a position on, until the upload has ended or the server shuts down.

    The first event, ``run``, is the current resource; the last one, ``end``, the resource at its end.
    """
    execution, offset = position
    silent = 0.0
    yield _event("run", encode_json(view.run(upload, with_rejects=False)))
    while True:
        ended = upload.state == "ended"  # checked before reading, so that everything written before is read
        lines: list[bytes] = []
        if execution <= len(upload.run_ids):
            recording = Recording(recordings_folder() / upload.run_ids[execution - 1])
            over = not recording.alive
            lines, offset_after = await asyncio.to_thread(_read, recording.events_file, offset)
            for line in lines:
                offset += len(line) + 1
                if with_rejects or _REJECTED not in line[:_KIND_WITHIN]:
                    yield _line(line, upload, view, f"{execution}-{offset}")
            offset = offset_after
            if over and not lines and execution < len(upload.run_ids):
                execution, offset = execution + 1, 0
                continue
        if lines:
            silent = 0.0
            continue
        if ended:
            yield _event("end", encode_json(view.run(upload, with_rejects=False)))
            return
        if scheduler.closing.is_set():
            return
        await asyncio.sleep(_PERIOD)
        silent += _PERIOD
        if silent >= _SILENCE:
            silent = 0.0
            yield b": still here\n\n"


def _read(path: Path, offset: int) -> tuple[list[bytes], int]:
    """Return the complete lines from an offset on, without line ends, and the offset after them."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(_CHUNK)
            while b"\n" not in data and (more := file.read(_CHUNK)):
                data += more  # for example a reject with a thousand long cells
    except FileNotFoundError:
        return [], offset  # the recording was removed
    *lines, rest = data.split(b"\n")
    return lines, offset + len(data) - len(rest)


def _line(line: bytes, upload: Upload, view: UploadView, id_: str) -> bytes:
    """Return a line of a recording as an event, without fields that are internal to the server."""
    try:
        fields: dict[str, Any] = json.loads(line)
    except ValueError:
        return b""  # incomplete: the process died while writing it
    fields.pop("target", None)
    if "file" in fields:
        fields["file"] = upload.name
    for name in ("error", "message", "reason"):
        if isinstance(fields.get(name), str):
            fields[name] = view.without_paths(fields[name])
    # ASCII, as the recording itself: no text can end a field.
    return _event(str(fields.get("event")), json.dumps(fields).encode("ascii"), id_)


def _event(name: str, data: bytes, id_: str | None = None) -> bytes:
    head = f"id: {id_}\n" if id_ else ""
    return f"{head}event: {name}\n".encode("ascii") + b"data: " + data + b"\n\n"
