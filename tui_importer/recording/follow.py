"""Reading recordings: as they grow, from any point of a long one, and at the pace at which they were written."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator
from typing import BinaryIO, Protocol

from tui_importer.core.model.report import Report
from tui_importer.events import Reject, RowRejected
from tui_importer.recording.lines import Line, decode_line
from tui_importer.recording.recordings import Recording

#: A recording up to this size is read whole when it is opened; of a larger one its beginning, its end, and samples of
#: what lies between: a million events are hundreds of megabytes, and whoever attaches wants to see the run now.
WHOLE_SIZE = 2 << 20
#: Bytes of the beginning and of the end that are read of a larger one.
_HEAD, _TAIL = 64 << 10, 512 << 10
#: Places between them at which the counters are looked for, and bytes read at each: a few batches and a sample; where
#: they hold none, as among many rejects or with many workers, so many more.
_PLACES, _WINDOW, _WIDER = 300, 8 << 10, 64 << 10
#: Bytes taken in at once: a burst of events must not keep whoever watches from drawing.
_CHUNK = 1 << 20
#: How lines with a reject begin to differ from others: they are not decoded where nobody wants them.
_REJECTED = b'"event": "row_rejected"'
_PROGRESS = b'"event": "progress"'
#: Where in a line its event stands at the latest.
_KIND_WITHIN = 200


class Watched(Protocol):
    """A run as a viewer sees it: growing, finished, or replayed."""

    def poll(self) -> list[Line]:
        """What has come since the last call, rejects left out; the first call gives what there is."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""

    def report(self) -> Report | None:
        """The report, once there is one."""

    def now(self) -> float:
        """The time of the run at this moment, in seconds since the epoch."""

    def close(self) -> None:
        """Let go of the files."""


class Follower:
    """Follows the recording of a run, live or ended. Close it when done."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._file: BinaryIO = recording.events_file.open("rb")
        self._rest = b""
        self._begun = False
        self._alive = True

    def poll(self) -> list[Line]:
        """The new lines since the last call; of a long recording the first call gives what tells most."""
        if not self._begun:
            self._begun = True
            if os.fstat(self._file.fileno()).st_size > WHOLE_SIZE:
                return list(self._caught_up())
        # Asked before reading: what a process writes before it ends is read in any case.
        self._alive = self.recording.alive
        data = self._rest + self._file.read(_CHUNK)
        *lines, self._rest = data.split(b"\n")
        return list(_decoded(lines))

    @property
    def ended(self) -> bool:
        """Whether the run's process is gone and all that it wrote was read."""
        if self._alive or not self._begun:
            return False
        return self._file.tell() >= os.fstat(self._file.fileno()).st_size

    def report(self) -> Report | None:
        return self.recording.report()

    def now(self) -> float:
        return time.time()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _caught_up(self) -> Iterator[Line]:
        size = os.fstat(self._file.fileno()).st_size
        head = self._file.read(_HEAD)
        yield from _decoded(head.split(b"\n")[:-1])
        tail = size - _TAIL
        step, told = max(_WINDOW, (tail - _HEAD) // _PLACES), _HEAD
        for place in range(_HEAD, tail, step):
            if place >= told:
                data, told = self._sample(place, tail)
                yield from _decoded([data])
        self._file.seek(tail)
        # A line that was cut off, however long it is, and those after it.
        *lines, self._rest = self._file.read(_TAIL).split(b"\n")
        yield from _decoded(lines[1:])

    def _sample(self, place: int, end: int) -> tuple[bytes, int]:
        """The first whole line with counters from ``place`` on that lies before ``end``, and where it ends."""
        for reach in (_WINDOW, _WIDER):
            self._file.seek(place)
            data = self._file.read(min(reach, end - place))
            start = data.find(b"\n") + 1
            while start and (stop := data.find(b"\n", start)) >= 0:
                if _PROGRESS in data[start : min(stop, start + _KIND_WITHIN)]:
                    return data[start:stop], place + stop
                start = stop + 1
        return b"", place


class Replay:
    """An ended run again, ``speed`` times as fast as it was. ``clock`` is monotonic, in seconds."""

    def __init__(self, recording: Recording, speed: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.recording = recording
        self._lines = all_lines(recording)
        self._speed = speed
        self._clock = clock
        self._next = next(self._lines, None)
        self._first = self._next.at if self._next else 0.0
        self._began = clock()

    def poll(self) -> list[Line]:
        """The lines whose time has come."""
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
        return self._first + (self._clock() - self._began) * self._speed

    def close(self) -> None:
        self._lines.close()


def all_lines(recording: Recording) -> Generator[Line, None, None]:
    """All lines of a recording but rejects, one after the other."""
    with recording.events_file.open("rb") as file:
        yield from _decoded(file)


def rejects(recording: Recording) -> Iterator[Reject]:
    """All rejects of a recording, in the order in which they were written down."""
    with recording.events_file.open("rb") as file:
        for data in file:
            if _REJECTED in data[:_KIND_WITHIN]:
                line = decode_line(data)
                if line is not None and isinstance(line.what, RowRejected):
                    yield line.what.reject


def headers(recording: Recording) -> tuple[str, ...]:
    """The headers of the sheet that the run read; none where it never came to write."""
    line = recording.first("loading_started") or {}
    return tuple(map(str, line.get("headers", ())))


def _decoded(lines: Iterator[bytes] | list[bytes] | BinaryIO) -> Iterator[Line]:
    for data in lines:
        if data.strip() and _REJECTED not in data[:_KIND_WITHIN]:
            line = decode_line(data)
            if line is not None:
                yield line
