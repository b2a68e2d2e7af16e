"""Reads recordings: live ones as they grow, long ones in part, and ended ones at the speed of the run."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Generator, Iterator
from typing import BinaryIO, Protocol

from tui_importer.core.model.report import Report
from tui_importer.events import RowRejected, RunStarted
from tui_importer.recording.lines import Line, decode_line
from tui_importer.recording.recordings import Recording

#: A recording up to this size is read completely, in bytes. Of a larger one, the beginning, the end and samples in
#: between are read: a million events are hundreds of megabytes, and a viewer wants to see the run now.
WHOLE_SIZE = 2 << 20
#: Bytes read at the beginning and at the end of a larger one.
_HEAD, _TAIL = 64 << 10, 512 << 10
#: Number of places in between at which counters are searched for, bytes read at each (a few batches and a sample), and
#: bytes if these hold no counters, as with many rejects or many workers.
_PLACES, _WINDOW, _WIDER_WINDOW = 300, 8 << 10, 64 << 10
#: Bytes read at once: a burst of events must not keep the viewer from drawing.
_CHUNK = 1 << 20
#: The mark of lines with rejects, which are not decoded unless needed.
_REJECTED = b'"event": "row_rejected"'
_PROGRESS = b'"event": "progress"'
#: The marks of lines that say which of several sources is being imported, in their order in a recording.
_SOURCE_BEGUN = tuple(b'"event": "%s"' % event for event in (b"import_started", b"source_opened", b"loading_started"))
#: The event of a line is within its first bytes.
_EVENT_WITHIN = 200


class ViewedRun(Protocol):
    """A run as a viewer reads it: live, finished, or replayed."""

    def poll(self) -> list[Line]:
        """The new lines since the last call, without rejects; the first call returns the existing ones."""

    @property
    def ended(self) -> bool:
        """Whether no more lines will come."""

    def report(self) -> Report | None:
        """The report; None before the run has ended."""

    def now(self) -> float:
        """The current time of the run, in seconds since the epoch."""

    def close(self) -> None:
        """Close the files."""


class Follower:
    """Follows the recording of a run, live or ended. Close it when done."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._file: BinaryIO = recording.events_file.open("rb")
        self._incomplete = b""
        self._started = False
        self._alive = True

    def poll(self) -> list[Line]:
        """The new lines since the last call; for a long recording, the first call returns a selection."""
        if not self._started:
            self._started = True
            if os.fstat(self._file.fileno()).st_size > WHOLE_SIZE:
                return list(self._catch_up())
        # Checked before reading, so that the last lines of an ending process are read.
        self._alive = self.recording.alive
        data = self._incomplete + self._file.read(_CHUNK)
        *lines, self._incomplete = data.split(b"\n")
        return list(_decoded(lines))

    @property
    def ended(self) -> bool:
        """Whether the run's process is gone and all its lines were read."""
        if self._alive or not self._started:
            return False
        return self._file.tell() >= os.fstat(self._file.fileno()).st_size

    def report(self) -> Report | None:
        return self.recording.report()

    def now(self) -> float:
        return time.time()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _catch_up(self) -> Iterator[Line]:
        size = os.fstat(self._file.fileno()).st_size
        head = list(_decoded(self._file.read(_HEAD).split(b"\n")[:-1]))
        yield from head
        tail = size - _TAIL
        step, covered = max(_WINDOW, (tail - _HEAD) // _PLACES), _HEAD
        for place in range(_HEAD, tail, step):
            if place >= covered:
                data, covered = self._sample(place, tail)
                yield from _decoded([data])
        if any(isinstance(line.what, RunStarted) and line.what.sources > 1 for line in head):
            yield from _decoded(self._source_begun(tail))
        self._file.seek(tail)
        # The first line may be truncated, whatever its length, and is skipped.
        *lines, self._incomplete = self._file.read(_TAIL).split(b"\n")
        yield from _decoded(lines[1:])

    def _source_begun(self, end: int) -> list[bytes]:
        """The latest lines between the beginning and ``end`` that say which source is being imported."""
        lines = []
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            told = data.rfind(b"\n", 0, _HEAD)
            for mark in _SOURCE_BEGUN:
                place = data.rfind(mark, told + 1, end)
                if place < 0:
                    continue
                start, stop = data.rfind(b"\n", 0, place) + 1, data.find(b"\n", place)
                if place - start < _EVENT_WITHIN and stop >= 0:
                    lines.append((start, data[start:stop]))
        return [line for _, line in sorted(lines)]

    def _sample(self, place: int, end: int) -> tuple[bytes, int]:
        """The first whole line with counters from ``place`` on and before ``end``, and where it ends."""
        for size in (_WINDOW, _WIDER_WINDOW):
            self._file.seek(place)
            data = self._file.read(min(size, end - place))
            start = data.find(b"\n") + 1
            while start and (stop := data.find(b"\n", start)) >= 0:
                if _PROGRESS in data[start : min(stop, start + _EVENT_WITHIN)]:
                    return data[start:stop], place + stop
                start = stop + 1
        return b"", place


class Replay:
    """Replays an ended run at ``speed`` times its original speed. ``clock`` is monotonic, in seconds."""

    def __init__(self, recording: Recording, speed: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.recording = recording
        self._lines = all_lines(recording)
        self._speed = speed
        self._clock = clock
        self._next = next(self._lines, None)
        self._first = self._next.at if self._next else 0.0
        self._started_at = clock()

    def poll(self) -> list[Line]:
        """The lines that are due."""
        now, due = self.now(), list[Line]()
        while self._next is not None and self._next.at <= now:
            due.append(self._next)
            self._next = next(self._lines, None)
        return due

    @property
    def ended(self) -> bool:
        return self._next is None

    def report(self) -> Report | None:
        return self.recording.report() if self.ended else None

    def now(self) -> float:
        return self._first + (self._clock() - self._started_at) * self._speed

    def close(self) -> None:
        self._lines.close()


def all_lines(recording: Recording) -> Generator[Line, None, None]:
    """All lines of a recording except rejects."""
    with recording.events_file.open("rb") as file:
        yield from _decoded(file)


def rejected_rows(recording: Recording, source: int | None = None) -> Iterator[RowRejected]:
    """The rejects of a recording, or of one of its sources, in the order of recording."""
    with recording.events_file.open("rb") as file:
        for data in file:
            if _REJECTED in data[:_EVENT_WITHIN]:
                line = decode_line(data)
                if line is not None and isinstance(line.what, RowRejected) and source in (None, line.what.source):
                    yield line.what


def sources_with_rejects(recording: Recording) -> list[int]:
    """The numbers of the sources from which rows were rejected, in ascending order."""
    return sorted({event.source for event in rejected_rows(recording)})


def headers(recording: Recording, source: int = 1) -> tuple[str, ...]:
    """The headers of the sheet that an import of the run read; empty if it never began to write."""
    line = recording.first("loading_started", source) or {}
    return tuple(map(str, line.get("headers", ())))


def _decoded(lines: Iterator[bytes] | list[bytes] | BinaryIO) -> Iterator[Line]:
    for data in lines:
        if data.strip() and _REJECTED not in data[:_EVENT_WITHIN]:
            line = decode_line(data)
            if line is not None:
                yield line
