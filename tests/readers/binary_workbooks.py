"""Workbooks as xls and xlsb programs write them, record by record, so that a test can say what is in each record."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

import xlwt.CompoundDoc

RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"

#: A record of xls has no more bytes than this ([MS-XLS] 2.1.4).
MOST = 8224


def rk(number: int) -> int:
    """A whole number as an RkNumber."""
    return (number << 2 | 2) & 0xFFFFFFFF


def rk_double(number: float) -> int:
    """A number of few digits as an RkNumber with a double's upper bits."""
    high: int = struct.unpack("<I", struct.pack("<d", number)[4:])[0]
    assert high & 3 == 0
    return high


class Xls:
    """One sheet named S. Cell styles: 0 general, then one for each of ``formats`` (number format codes)."""

    def __init__(self, formats: Sequence[str] = (), *, date1904: bool = False, strings: Sequence[str] = ()) -> None:
        self._formats = formats
        self._date1904 = date1904
        self._strings = strings
        self._cells: list[bytes] = []

    def number(self, row: int, column: int, number: float, style: int = 0) -> None:
        self.record(0x0203, struct.pack("<HHHd", row, column, style, number))

    def rk(self, row: int, column: int, bits: int, style: int = 0) -> None:
        self.record(0x027E, struct.pack("<HHHI", row, column, style, bits))

    def many(self, row: int, column: int, bits: Sequence[int], style: int = 0) -> None:
        body = b"".join(struct.pack("<HI", style, each) for each in bits)
        self.record(0x00BD, struct.pack("<HH", row, column) + body + struct.pack("<H", column + len(bits) - 1))

    def error(self, row: int, column: int, code: int) -> None:
        self.record(0x0205, struct.pack("<HHHBB", row, column, 0, code, 1))

    def boolean(self, row: int, column: int, *, value: bool) -> None:
        self.record(0x0205, struct.pack("<HHHBB", row, column, 0, value, 0))

    def formula(self, row: int, column: int, value: bytes, style: int = 0, flags: int = 0) -> None:
        """A formula (``1``) with eight bytes of cached value."""
        tokens = b"\x1e\x01\x00"
        self.record(0x0006, struct.pack("<HHH", row, column, style) + value + struct.pack("<HIH", flags, 0, 3) + tokens)

    def text(self, row: int, column: int, number: int) -> None:
        """The shared string of that number."""
        self.record(0x00FD, struct.pack("<HHHI", row, column, 0, number))

    def record(self, kind: int, body: bytes) -> None:
        self._cells.append(_record(kind, body))

    def stream(self) -> bytes:
        """The workbook's stream."""
        codes = b"".join(
            _record(0x041E, struct.pack("<HHB", 164 + number, len(code), 0) + code.encode("ascii"))
            for number, code in enumerate(self._formats)
        )
        styles = b"".join(
            _record(0x00E0, struct.pack("<HH", 0, format_) + bytes(16))
            for format_ in (0, *(164 + number for number in range(len(self._formats))))
        )
        head = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0)) + _record(0x0042, b"\xb0\x04")
        head += _record(0x0022, struct.pack("<H", self._date1904)) + codes + styles
        tail = b"".join(self._shared_strings()) + _record(0x000A, b"")
        sheet = b"\0\0\x01\0S"
        start = len(head) + 4 + 4 + len(sheet) + len(tail)
        head += _record(0x0085, struct.pack("<I", start) + sheet)
        body = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0)) + b"".join(self._cells)
        return head + tail + body + _record(0x000A, b"")

    def write(self, path: Path) -> Path:
        with path.open("wb") as file:
            xlwt.CompoundDoc.XlsDoc().save(file, self.stream())
        return path

    def _shared_strings(self) -> list[bytes]:
        """SST and its CONTINUE records, each filled to the last byte; texts are cut wherever that falls, between
        bytes that belong to different characters of UTF-16."""
        parts = [struct.pack("<II", len(self._strings), len(self._strings))]
        for text in self._strings:
            units = text.encode("utf-16-le")
            if len(parts[-1]) + 3 + 2 > MOST:
                parts.append(b"")
            parts[-1] += struct.pack("<HB", len(units) // 2, 1)
            while units:
                room = (MOST - len(parts[-1])) // 2 * 2
                parts[-1] += units[:room]
                units = units[room:]
                if units:
                    parts.append(b"\x01")
        kinds = [0x00FC, *[0x003C] * (len(parts) - 1)]
        return [_record(kind, part) for kind, part in zip(kinds, parts, strict=True)]


class Xls5:
    """One sheet named ``sheet`` as Excel 5.0 and 95 wrote it (BIFF5): texts are bytes, in the code page that the
    workbook names."""

    def __init__(self, sheet: bytes = b"S", *, code_page: int | None) -> None:
        self._sheet = sheet
        self._code_page = code_page
        self._cells: list[bytes] = []

    def number(self, row: int, column: int, number: float) -> None:
        self._cells.append(_record(0x0203, struct.pack("<HHHd", row, column, 0, number)))

    def text(self, row: int, column: int, text: bytes, *, rich: bool = False) -> None:
        """A LABEL, or an RSTRING whose first character has a font of its own."""
        body = struct.pack("<HHHH", row, column, 0, len(text)) + text
        self._cells.append(_record(0x00D6, body + b"\x01\x00\x01") if rich else _record(0x0204, body))

    def flagged_text(self, row: int, column: int, text: str, *, high: bool) -> None:
        """A LABEL with the byte of flags that belongs to BIFF8 only."""
        body = struct.pack("<HHHHB", row, column, 0, len(text), high)
        self._cells.append(_record(0x0204, body + text.encode("utf-16-le" if high else "latin-1")))

    def write(self, path: Path) -> Path:
        head = _record(0x0809, struct.pack("<HHHH", 0x0500, 0x0005, 0, 0))
        if self._code_page is not None:
            head += _record(0x0042, struct.pack("<H", self._code_page))
        head += _record(0x00E0, bytes(16))
        name = bytes([len(self._sheet)]) + self._sheet
        tail = _record(0x000A, b"")
        start = len(head) + 4 + 6 + len(name) + len(tail)
        head += _record(0x0085, struct.pack("<IH", start, 0) + name)
        body = _record(0x0809, struct.pack("<HHHH", 0x0500, 0x0010, 0, 0)) + b"".join(self._cells)
        with path.open("wb") as file:
            xlwt.CompoundDoc.XlsDoc().save(file, head + tail + body + _record(0x000A, b""))
        return path


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


class Xlsb:
    """One sheet named S. Cell styles as in :class:`Xls`."""

    def __init__(self, formats: Sequence[str] = (), *, date1904: bool = False) -> None:
        self._formats = formats
        self._date1904 = date1904
        self._rows: dict[int, list[bytes]] = {}

    def cell(self, kind: int, row: int, column: int, value: bytes, style: int = 0) -> None:
        self._rows.setdefault(row, []).append(_record12(kind, struct.pack("<II", column, style) + value))

    def number(self, row: int, column: int, number: float, style: int = 0) -> None:
        self.cell(5, row, column, struct.pack("<d", number), style)

    def rk(self, row: int, column: int, bits: int, style: int = 0) -> None:
        self.cell(2, row, column, struct.pack("<I", bits), style)

    def error(self, row: int, column: int, code: int) -> None:
        self.cell(3, row, column, bytes([code]))

    def text(self, row: int, column: int, text: str) -> None:
        self.cell(6, row, column, _text12(text))

    def formula_number(self, row: int, column: int, number: float, style: int = 0) -> None:
        self.cell(9, row, column, struct.pack("<d", number) + _FORMULA, style)

    def formula_error(self, row: int, column: int, code: int) -> None:
        self.cell(11, row, column, bytes([code]) + _FORMULA)

    def sheet(self) -> bytes:
        """The sheet's part."""
        spans = struct.pack("<III", 1, 0, 16)
        rows = b"".join(
            _record12(0, struct.pack("<IIHBBB", row, 0, 255, 0, 0, 0) + spans) + b"".join(cells)
            for row, cells in sorted(self._rows.items())
        )
        extent = struct.pack("<IIII", 0, max(self._rows), 0, 16)
        return (
            _record12(129, b"") + _record12(148, extent) + _record12(145, b"") + rows + _record12(146, b"")
        ) + _record12(130, b"")

    def write(self, path: Path) -> Path:
        workbook = (
            _record12(131, b"")
            + _record12(153, struct.pack("<II", self._date1904, 0) + _text12(""))
            + _record12(143, b"")
            + _record12(156, struct.pack("<II", 0, 1) + _text12("rId1") + _text12("S"))
            + _record12(144, b"")
            + _record12(132, b"")
        )
        codes = b"".join(
            _record12(44, struct.pack("<H", 164 + number) + _text12(code)) for number, code in enumerate(self._formats)
        )
        formats = (0, *(164 + number for number in range(len(self._formats))))
        styles = (
            _record12(278, b"")
            + _record12(615, struct.pack("<I", len(self._formats)))
            + codes
            + _record12(616, b"")
            + _record12(626, struct.pack("<I", 1))
            + _record12(47, struct.pack("<HH", 0xFFFF, 0) + bytes(12))
            + _record12(627, b"")
            + _record12(617, struct.pack("<I", len(formats)))
            + b"".join(_record12(47, struct.pack("<HH", 0, format_) + bytes(12)) for format_ in formats)
            + _record12(618, b"")
            + _record12(279, b"")
        )
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("[Content_Types].xml", "<Types/>")
            archive.writestr("_rels/.rels", _relationships(("rId1", "officeDocument", "xl/workbook.bin")))
            archive.writestr(
                "xl/_rels/workbook.bin.rels",
                _relationships(("rId1", "worksheet", "worksheets/sheet1.bin"), ("rId2", "styles", "styles.bin")),
            )
            archive.writestr("xl/workbook.bin", workbook)
            archive.writestr("xl/styles.bin", styles)
            archive.writestr("xl/worksheets/sheet1.bin", self.sheet())
        return path


#: The rest of a formula's record: flags, and a token for 1.
_FORMULA = struct.pack("<HI", 0, 3) + b"\x1e\x01\x00" + struct.pack("<I", 0)


def _record12(kind: int, body: bytes) -> bytes:
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    length = len(body)
    while length >= 0x80:
        head += bytes([length & 0x7F | 0x80])
        length >>= 7
    return head + bytes([length]) + body


def _text12(text: str) -> bytes:
    units = text.encode("utf-16-le")
    return struct.pack("<I", len(units) // 2) + units


def _relationships(*relationships: tuple[str, str, str]) -> str:
    each = "".join(
        f'<Relationship Id="{identity}" Type="{RELATIONS}/{type_}" Target="{target}"/>'
        for identity, type_, target in relationships
    )
    return f'<Relationships xmlns="{PACKAGE}">{each}</Relationships>'
