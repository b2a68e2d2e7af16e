"""Finds what python-calamine hides in xlsb files: error cells, and negative dates and times.

A part of the workbook is a stream of records ([MS-XLSB] 2.1.4). One regular expression skips, in C, runs of records
that hide nothing; only the records between them are examined in Python.

Records: BrtRowHdr 2.4.744, BrtCellRk 2.4.320, BrtCellError 2.4.312, BrtCellReal 2.4.319, BrtFmlaNum 2.4.671,
BrtFmlaError 2.4.670, BrtBundleSh 2.4.304, BrtWbProp 2.4.824, BrtFmt 2.4.681, BrtXF 2.4.827.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from tui_importer.core.model.cells import MAX_COLUMNS, MAX_ROWS, Cell
from tui_importer.readers.biff import error_cell, rk_number
from tui_importer.readers.found import Found
from tui_importer.readers.hidden_cell import HiddenCell
from tui_importer.readers.package import Package, damaged
from tui_importer.readers.serials import MANY_DAYS, Serials, Shown, styles_of

_ROW, _CELL_RK, _CELL_ERROR, _CELL_REAL = 0, 2, 3, 5
_FORMULA_TEXT, _FORMULA_NUMBER, _FORMULA_ERROR = 8, 9, 11
_FORMAT, _XF = 44, 47
_WORKBOOK_PROPERTIES, _BUNDLE_SHEET, _SHEET_DATA_END = 153, 156, 146
_CELL_XFS_BEGIN, _CELL_XFS_END = 617, 618
_DATE_1904 = 0x1
#: A flag of formulas (2.5.43, ``GrbitFmla``).
_CALCULATE_ALWAYS = 0x2

_INT32, _UINT32, _DOUBLE = struct.Struct("<i"), struct.Struct("<I"), struct.Struct("<d")
#: Column, then the style in the lower 24 bits (2.5.10, ``Cell``).
_CELL = struct.Struct("<II")
_STYLE = 0xFFFFFF
#: The flags of an RkNumber that is an integer and not divided by 100 (2.5.122).
_RK_MASK, _RK_WHOLE = 0x3, 0x2

#: No sheet has a record larger than this, in bytes.
_MAX_RECORD = 64 << 20


def biff12_cells(path: Path, name: str, number: int) -> Found:
    """Find what is hidden in a sheet of an xlsb file, given by its name.

    Raises :class:`~tui_importer.errors.SourceError` if the workbook is damaged.
    """
    package = Package(path)
    workbook = package.workbook_part() or ""
    sheet, date1904 = _workbook(package, workbook, name)
    serials = Serials(_styles(package, workbook), date1904)
    cells: dict[int, list[HiddenCell]] = {}
    unsure: list[tuple[int, int]] = []
    for cell in _cells(path, package.pieces(sheet), serials, unsure):
        cells.setdefault(cell.row, []).append(cell)
    return Found(cells, serials, unsure)


def _workbook(package: Package, workbook: str, name: str) -> tuple[str, bool]:
    """The part that holds the sheet, and whether the workbook uses the 1904 date system."""
    identity, date1904 = None, False
    for kind, body in _records(package.path, package.pieces(workbook)):
        if kind == _WORKBOOK_PROPERTIES and body:
            date1904 = bool(body[0] & _DATE_1904)
        elif kind == _BUNDLE_SHEET:
            relation, rest = _text(body[8:])
            if _text(rest)[0] == name:
                identity = identity or relation
    part = package.part_by_identity(workbook, identity or "")
    if part is None:
        raise damaged(package.path, f"no part for sheet {name!r}")
    return part, date1904


def _styles(package: Package, workbook: str) -> dict[int, Shown]:
    codes: dict[int, str] = {}
    formats: list[int] = []
    of_cells = False
    for part in package.related(workbook, "/styles"):
        for kind, body in _records(package.path, package.pieces(part)):
            if kind == _FORMAT:
                codes[int.from_bytes(body[:2], "little")] = _text(body[2:])[0]
            elif kind in (_CELL_XFS_BEGIN, _CELL_XFS_END):
                of_cells = kind == _CELL_XFS_BEGIN
            elif kind == _XF and of_cells:
                formats.append(int.from_bytes(body[2:4], "little"))
    return styles_of(formats, codes)


def _text(body: bytes) -> tuple[str, bytes]:
    """Split a body into the text at its beginning (2.5.171, ``XLWideString``; a null one is empty) and the rest."""
    length = int.from_bytes(body[:4], "little")
    if length == 0xFFFFFFFF:
        return "", body[4:]
    end = 4 + 2 * length
    return body[4:end].decode("utf-16-le", "replace"), body[end:]


def _records(path: Path, pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield all records: kind and body."""
    held = b""
    for piece in chain(pieces, [b""]):
        held += piece
        start = 0
        while (head := _head(held, start)) is not None:
            kind, body, end = head
            if end - body > _MAX_RECORD:
                raise damaged(path, "a record is absurdly large")
            if end > len(held):
                break
            yield kind, held[body:end]
            start = end
        held = held[start:]


def _head(data: bytes, start: int) -> tuple[int, int, int] | None:
    """Decode a record header: kind, start and end of the body; None if the data ends before (2.1.4)."""
    size = len(data)
    if start >= size:
        return None
    kind = data[start]
    start += 1
    if kind & 0x80:
        if start >= size:
            return None
        kind = (kind & 0x7F) | (data[start] & 0x7F) << 7
        start += 1
    length = 0
    for shift in range(0, 28, 7):
        if start >= size:
            return None
        byte = data[start]
        start += 1
        length |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
    return kind, start, start + length


def _cells(
    path: Path, pieces: Iterable[bytes], serials: Serials, unsure: list[tuple[int, int]]
) -> Iterator[HiddenCell]:
    """Yield the hidden cells of a sheet; the places of unsure formulas are appended to ``unsure``, as in
    :class:`Found`."""
    plain = _plain_records(sorted(serials.styles))
    row = 0
    held = b""
    for piece in chain(pieces, [b""]):
        held += piece
        start = 0
        while True:
            run = plain.match(held, start)
            if run is None:  # cannot happen: the pattern also matches the empty string
                break
            start = run.end()
            if run[1] is not None:
                row = int.from_bytes(run[1], "little")
            head = _head(held, start)
            if head is None or head[2] > len(held):
                break
            kind, body, start = head
            if kind == _SHEET_DATA_END:
                return
            if kind == _ROW and start - body >= 4:
                (row,) = _UINT32.unpack_from(held, body)
            elif kind in _EXAMINED and start - body >= _EXAMINED[kind]:
                column, style = _CELL.unpack_from(held, body)
                value = _value(kind, held, body + _CELL.size, serials, style & _STYLE)
                if _is_unsure(kind, held, body + _CELL.size):
                    unsure.append((row + 1, column))
                if value is not None:
                    if row >= MAX_ROWS or column >= MAX_COLUMNS:
                        raise damaged(path, "a cell lies beyond the last of a sheet")
                    yield HiddenCell(row + 1, column, value)
        held = held[start:]
        if len(held) > _MAX_RECORD:
            raise damaged(path, "a record is absurdly large")


def _is_unsure(kind: int, data: bytes, start: int) -> bool:
    """Whether a formula's value looks like one that was never calculated: an empty text, or 0 with "calculate
    always"."""
    if kind == _FORMULA_TEXT:
        return data[start : start + 4] == bytes(4)
    return kind == _FORMULA_NUMBER and data[start : start + 8] == bytes(8) and bool(data[start + 8] & _CALCULATE_ALWAYS)


def _value(kind: int, data: bytes, start: int, serials: Serials, style: int) -> Cell:
    if kind == _FORMULA_TEXT:
        return None
    if kind in (_CELL_ERROR, _FORMULA_ERROR):
        return error_cell(data[start])
    if kind == _CELL_RK:
        (rk,) = _INT32.unpack_from(data, start)
        if rk & _RK_MASK == _RK_WHOLE:  # python-calamine ignores the date style of these
            return serials.meaning(style, rk_number(rk))
        number = rk_number(rk)
    else:
        (number,) = _DOUBLE.unpack_from(data, start)
    return serials.value(style, number)


#: The records that are examined, with the minimum length of their bodies.
_EXAMINED = {
    _CELL_RK: 12,
    _CELL_ERROR: 9,
    _CELL_REAL: 16,
    _FORMULA_TEXT: 12,
    _FORMULA_NUMBER: 18,
    _FORMULA_ERROR: 9,
}


def _plain_records(styles: Sequence[int]) -> re.Pattern[bytes]:
    """Compile a pattern for any number of whole records that hide nothing: rows (group 1 is the number of the last),
    blanks, booleans, shared texts, and numbers without one of the date ``styles``."""
    moment = b"|".join(re.escape(style.to_bytes(3, "little")) for style in styles if style <= _STYLE)
    other = b"(?!%b)" % moment if moment else b""
    kinds = [
        rb"\x07\x0c.{12}",
        rb"\x02\x0c.{4}%b.{8}" % other,
        rb"\x05\x10.{4}%b.{12}" % other,
        rb"\x05\x10.{14}%b" % MANY_DAYS,
        rb"\x01\x08.{8}",
        rb"\x04\x09.{9}",
        rb"\x00\x19(.{4}).{21}",
    ]
    return re.compile(rb"(?:%b)*+" % b"|".join(kinds), re.DOTALL)
