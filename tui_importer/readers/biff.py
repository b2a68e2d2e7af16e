"""Finds what python-calamine hides in xls files: error cells, negative dates and times, and texts that it joins
wrongly.

The workbook is a stream of records in a compound file ([MS-XLS] 2.1). One regular expression skips, in C, runs of
records that hide nothing; only the records between them are examined in Python. BIFF8 and BIFF5 share these records
except for texts.

Records: BOOLERR 2.4.24, FORMULA 2.4.127, LABELSST 2.4.149, MULRK 2.4.175, NUMBER 2.4.180, RK 2.4.220, SST 2.4.265,
STRING 2.4.268, XF 2.4.353, FORMAT 2.4.126.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import olefile

from tui_importer.core.model.cells import Cell, CellError
from tui_importer.readers.biff_strings import broken_strings, joined_string
from tui_importer.readers.found import Found
from tui_importer.readers.hidden_cell import HiddenCell
from tui_importer.readers.package import damaged
from tui_importer.readers.serials import MANY_DAYS, Serials, styles_of

EOF, _CONTINUE, _DATEMODE, _BOUNDSHEET = 0x000A, 0x003C, 0x0022, 0x0085
BOF, _SST, _FORMAT, _XF = 0x0809, 0x00FC, 0x041E, 0x00E0
_FORMULA, _MULRK, _LABELSST, _NUMBER = 0x0006, 0x00BD, 0x00FD, 0x0203
_BOOLERR, _STRING, _RK = 0x0205, 0x0207, 0x027E
_LABEL, _RSTRING = 0x0204, 0x00D6
_BIFF8 = 0x0600

#: Error codes ([MS-XLS] 2.5.10, ``BErr``), shared with BIFF12.
ERROR_CODES = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}

_HEAD = struct.Struct("<HH")
_CELL = struct.Struct("<HHH")  # row, column, cell style
_DOUBLE = struct.Struct("<d")
_INT32 = struct.Struct("<i")
#: The end of a formula's value that is not a number (2.5.133); its first byte is the type.
_NO_NUMBER = b"\xff\xff"
_IS_ERROR, _IS_EMPTY = 2, 3
#: A text's flag "characters take two bytes" (2.5.293).
_HIGH = 0x1
#: FORMULA's flag "calculate when opened", which some programs that cannot calculate set (OpenOffice's Excel
#: documentation, 5.50).
_CALCULATE_ON_LOAD = 0x2


@dataclass
class _Globals:
    """What a workbook's first substream holds for all sheets: the offset of each sheet in workbook order, formats,
    shared texts."""

    sheets: list[int] = field(default_factory=list)
    serials: Serials = field(default_factory=Serials)
    #: Shared texts, by number, that python-calamine joins wrongly.
    strings: dict[int, str] = field(default_factory=dict)
    biff8: bool = True


@cache
def error_cell(code: int) -> CellError:
    """The error of a BIFF or BIFF12 error code."""
    return CellError(ERROR_CODES.get(code, f"#ERROR! ({code:#04x})"))


def rk_number(rk: int) -> float:
    """Decode an RkNumber (2.5.217): an integer or the upper 30 bits of a double, optionally divided by 100."""
    if rk & 2:
        number = float(rk >> 2)
    else:
        (number,) = _DOUBLE.unpack(b"\0\0\0\0" + _INT32.pack(rk & ~3))
    return number / 100 if rk & 1 else number


def biff_cells(path: Path, name: str, number: int) -> Found:
    """Find what is hidden in a sheet of an xls file, given by its number (from 0).

    Raises :class:`~tui_importer.errors.SourceError` if the file is not an xls workbook.
    """
    _, stream = workbook_stream(path)
    general = _read_globals(stream)
    if number >= len(general.sheets):
        raise damaged(path, f"no sheet {name!r}")
    sheet = _Sheet(stream, general)
    sheet.read(general.sheets[number])
    cells: dict[int, list[HiddenCell]] = {}
    for cell in sheet.found:
        cells.setdefault(cell.row, []).append(cell)
    return Found(cells, general.serials, sheet.unsure)


def workbook_stream(path: Path) -> tuple[str, bytes]:
    """The name and the contents of the stream that holds the workbook; raises
    :class:`~tui_importer.errors.SourceError` if there is none."""
    try:
        with olefile.OleFileIO(path) as ole:
            for name in ("Workbook", "Book"):
                if ole.exists(name):
                    return name, bytes(ole.openstream(name).read())
    except (OSError, ValueError, IndexError, struct.error, RecursionError) as error:
        raise damaged(path, error) from error
    raise damaged(path, "no workbook in the compound file")


def records(stream: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Yield the records from offset ``start`` on: kind, start and end of the body. A truncated record is left out."""
    while start + _HEAD.size <= len(stream):
        kind, size = _HEAD.unpack_from(stream, start)
        body, start = start + _HEAD.size, start + _HEAD.size + size
        if start > len(stream):
            return
        yield kind, body, start


def is_biff8(bof: bytes) -> bool:
    """Whether a BOF record's body (2.4.21) says that the workbook is in BIFF8, and not in BIFF5."""
    return int.from_bytes(bof[:2], "little") in (0, _BIFF8)


def _read_globals(stream: bytes) -> _Globals:
    general = _Globals()
    codes: dict[int, str] = {}
    formats: list[int] = []
    date1904 = False
    segments: list[bytes] = []  # bodies of the SST record and its CONTINUE records
    last = 0
    for kind, start, end in records(stream, 0):
        body = stream[start:end]
        if kind == BOF and len(body) >= 2:
            general.biff8 = is_biff8(body)
        elif kind == _DATEMODE:
            date1904 = body[:2] == b"\1\0"
        elif kind == _XF and len(body) >= 4:
            formats.append(int.from_bytes(body[2:4], "little"))
        elif kind == _FORMAT and len(body) >= 4:
            text = joined_string([body[2:]]) if general.biff8 else body[3:].decode("latin-1")
            codes[int.from_bytes(body[:2], "little")] = text
        elif kind == _BOUNDSHEET and len(body) >= 4:
            general.sheets.append(int.from_bytes(body[:4], "little"))
        elif (kind == _SST and not segments) or (kind == _CONTINUE and last == _SST):
            segments.append(body)
            kind = _SST
        elif kind == EOF:
            break
        last = kind
    general.serials = Serials(styles_of(formats, codes), date1904)
    general.strings = broken_strings(segments) if general.biff8 else {}
    return general


class _Sheet:
    """Reads a sheet's records and collects the hidden cells."""

    def __init__(self, stream: bytes, general: _Globals) -> None:
        self.found: list[HiddenCell] = []
        self.unsure: list[tuple[int, int]] = []
        self._stream = stream
        self._general = general
        self._plain = _plain_records(general.serials.searched, texts=not general.strings)

    def read(self, start: int) -> None:
        """Read to the sheet's end. Nested substreams (charts) hold cells that do not belong to the sheet."""
        stream, plain, size = self._stream, self._plain, len(self._stream)
        depth = 0
        formula = (0, 0)
        while True:
            start = plain.match(stream, start).end()  # type: ignore[union-attr]  # it also matches the empty string
            if start + _HEAD.size > size:
                return
            kind, length = _HEAD.unpack_from(stream, start)
            body, start = start + _HEAD.size, start + _HEAD.size + length
            if start > size:
                return
            if kind == BOF:
                depth += 1
            elif kind == EOF:
                depth -= 1
                if depth <= 0:
                    return
            elif depth > 1:
                continue
            elif kind == _FORMULA and length >= 20:
                formula = self._formula(body)
            elif kind == _STRING and self._general.biff8:
                self._long_string(formula, body, start)
            elif kind in (_LABEL, _RSTRING) and length >= 9 and not self._general.biff8:
                self._text(body, start)
            elif kind == _MULRK and self._general.serials.searched:
                self._many_numbers(body, length)
            elif kind in _CELLS and length >= _CELLS[kind]:
                self._cell(kind, body)

    def _cell(self, kind: int, body: int) -> None:
        row, column, style = _CELL.unpack_from(self._stream, body)
        value = body + _CELL.size
        if kind == _BOOLERR:
            if self._stream[value + 1]:
                self._keep(row, column, error_cell(self._stream[value]))
        elif kind == _RK:
            self._number(row, column, style, rk_number(_INT32.unpack_from(self._stream, value)[0]))
        elif kind == _NUMBER:
            self._number(row, column, style, _DOUBLE.unpack_from(self._stream, value)[0])
        elif kind == _LABELSST:
            text = self._general.strings.get(int.from_bytes(self._stream[value : value + 4], "little"))
            if text is not None:
                self._keep(row, column, text)

    def _many_numbers(self, body: int, length: int) -> None:
        row, column = struct.unpack_from("<HH", self._stream, body)
        for offset, (style, rk) in enumerate(struct.iter_unpack("<Hi", self._stream[body + 4 : body + length - 2])):
            self._number(row, column + offset, style, rk_number(rk))

    def _formula(self, body: int) -> tuple[int, int]:
        """Examine a formula's value; returns the row and column of its cell."""
        stream = self._stream
        row, column, style = _CELL.unpack_from(stream, body)
        value = body + _CELL.size
        if stream[value + 6 : value + 8] != _NO_NUMBER:
            (number,) = _DOUBLE.unpack_from(stream, value)
            if number < 1:
                self._number(row, column, style, number)
                if number == 0 and stream[value + 8] & _CALCULATE_ON_LOAD:
                    self.unsure.append((row + 1, column))
        elif stream[value] == _IS_ERROR:
            self._keep(row, column, error_cell(stream[value + 2]))
        elif stream[value] == _IS_EMPTY:
            self.unsure.append((row + 1, column))
        return row, column

    def _long_string(self, formula: tuple[int, int], body: int, end: int) -> None:
        """Read a formula's text that continues in other records; python-calamine reads only the first."""
        segments = [self._stream[body:end]]
        for kind, start, stop in records(self._stream, end):
            if kind != _CONTINUE:
                break
            segments.append(self._stream[start:stop])
        if len(segments) > 1:
            self._keep(*formula, joined_string(segments))

    def _text(self, body: int, end: int) -> None:
        """Read a text of BIFF5 that is written as in BIFF8: some programs insert its byte of flags."""
        row, column, _ = _CELL.unpack_from(self._stream, body)
        text = self._stream[body + _CELL.size : end]
        width = {0: 1, _HIGH: 2}.get(text[2])
        if width is not None and len(text) == 3 + width * int.from_bytes(text[:2], "little"):
            self._keep(row, column, joined_string([text]))

    def _number(self, row: int, column: int, style: int, number: float) -> None:
        value = self._general.serials.value(style, number)
        if value is not None:
            self._keep(row, column, value)

    def _keep(self, row: int, column: int, value: Cell) -> None:
        self.found.append(HiddenCell(row + 1, column, value))


#: The single-cell records that are examined, with the minimum length of their bodies.
_CELLS = {_BOOLERR: 8, _RK: 10, _NUMBER: 14, _LABELSST: 10}


#: The first bytes of RkNumbers that are doubles, and of those that are integers.
_RK_DOUBLES, _RK_WHOLES = (re.escape(bytes(byte for byte in range(256) if byte & 3 == flags)) for flags in (0, 2))


def _plain_records(styles: Sequence[int], *, texts: bool) -> re.Pattern[bytes]:
    """Compile a pattern for any number of whole records that hide nothing: rows, blanks, shared ``texts``, and numbers
    without one of the date ``styles``."""
    moment = b"|".join(re.escape(style.to_bytes(2, "little")) for style in styles if style < 1 << 16)
    other = b"(?!%b)" % moment if moment else b""
    kinds = [
        rb"\xfd\x00\x0a\x00.{10}" if texts else b"",
        rb"\x7e\x02\x0a\x00.{4}%b.{6}" % other,
        rb"\x03\x02\x0e\x00.{4}%b.{10}" % other,
        rb"\x03\x02\x0e\x00.{12}%b" % MANY_DAYS,
        rb"\x7e\x02\x0a\x00.{6}[%b].%b" % (_RK_DOUBLES, MANY_DAYS),
        rb"\x7e\x02\x0a\x00.{6}[%b].[^\x00][\x00-\x7f]" % _RK_WHOLES,  # like most dates since 1944
        rb"\x01\x02\x06\x00.{6}",
        rb"\x08\x02\x10\x00.{16}",
    ]
    return re.compile(rb"(?:%b)*+" % b"|".join(filter(None, kinds)), re.DOTALL)
