"""Reads texts of an xls file that continue in CONTINUE records.

Where a text is split, the next record begins with a byte that says whether its characters take one byte or two
([MS-XLS] 2.5.293, ``XLUnicodeRichExtendedString``; 2.4.58, ``Continue``). python-calamine decodes each part separately,
so a surrogate pair that is split between two records becomes two U+FFFD.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise

_HIGH, _EXTENDED, _RICH = 0x1, 0x4, 0x8
_SST_HEAD = struct.Struct("<II")
#: The upper bytes of high and low surrogates.
_FIRST_HALF, _SECOND_HALF = range(0xD8, 0xDC), range(0xDC, 0xE0)


def broken_strings(segments: Sequence[bytes]) -> dict[int, str]:
    """The shared texts, by number, with a surrogate pair split between two of the SST's records; ``segments`` are their
    bodies.

    Texts are read only if there may be such a split.
    """
    if not any(_splits(before, after) for before, after in pairwise(segments)):
        return {}
    _, count = _SST_HEAD.unpack_from(segments[0]) if len(segments[0]) >= _SST_HEAD.size else (0, 0)
    strings = _Strings(segments, _SST_HEAD.size)
    broken: dict[int, str] = {}
    try:
        for number in range(count):
            text = strings.read()
            if strings.broken:
                broken[number] = text
    except EOFError:  # python-calamine reports what is wrong
        return broken
    return broken


def joined_string(segments: Sequence[bytes]) -> str:
    """Read the text at the beginning of the first segment; of a truncated text, the part that is there."""
    strings = _Strings(segments, 0)
    try:
        return strings.read()
    except EOFError:
        return strings.text()


def _splits(before: bytes, after: bytes) -> bool:
    """Whether a surrogate pair may be split here."""
    if len(before) < 2 or len(after) < 3 or not after[0] & _HIGH:
        return False
    return before[-1] in _FIRST_HALF and after[2] in _SECOND_HALF


class _Strings:
    """Reads texts one after another. ``broken`` says that the last one has a surrogate pair split between two
    segments."""

    def __init__(self, segments: Sequence[bytes], position: int) -> None:
        self._segments = segments
        self._number = 0
        self._position = position
        self._parts: list[bytes] = []
        self.broken = False

    def read(self) -> str:
        """Read the next text; raises ``EOFError`` if the segments end before it does."""
        self._parts, self.broken = [], False
        length, flags = struct.unpack("<HB", self._take(3))
        runs = int.from_bytes(self._take(2), "little") if flags & _RICH else 0
        extension = int.from_bytes(self._take(4), "little") if flags & _EXTENDED else 0
        width = 2 if flags & _HIGH else 1
        while length:
            segment = self._segments[self._number]
            if self._position >= len(segment):
                width = 2 if self._next_segment()[0] & _HIGH else 1
                self._position = 1
                continue
            here = min(length, (len(segment) - self._position) // width)
            if not here:
                raise EOFError
            part = segment[self._position : self._position + here * width]
            self._parts.append(part if width == 2 else part.decode("latin-1").encode("utf-16-le"))
            self._position += here * width
            length -= here
        self._take(runs * 4 + extension)
        return self.text()

    def text(self) -> str:
        """The part of the text that has been read."""
        return b"".join(self._parts).decode("utf-16-le", "replace")

    def _next_segment(self) -> bytes:
        before = self._segments[self._number]
        self._number, self._position = self._number + 1, 0
        if self._number >= len(self._segments) or not self._segments[self._number]:
            raise EOFError
        after = self._segments[self._number]
        self.broken = self.broken or _splits(before, after)
        return after

    def _take(self, size: int) -> bytes:
        taken = b""
        while len(taken) < size:
            segment = self._segments[self._number]
            if self._position >= len(segment):
                self._next_segment()
                continue
            part = segment[self._position : self._position + size - len(taken)]
            self._position += len(part)
            taken += part
        return taken
