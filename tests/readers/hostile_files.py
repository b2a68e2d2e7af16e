"""Small xls, xlsb and ods workbooks that claim much: written byte by byte, because no library writes them."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

SECTOR = 512
END_OF_CHAIN, FREE, FAT_SECTOR = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
#: A stream below this size would be kept in the mini stream ([MS-CFB] 2.2).
MINI_CUTOFF = 4096

OFFICE = "urn:oasis:names:tc:opendocument:xmlns"
ODS = "application/vnd.oasis.opendocument.spreadsheet"


def biff(number: int, content: bytes = b"") -> bytes:
    """A record of an xls workbook ([MS-XLS] 2.1.4)."""
    return struct.pack("<HH", number, len(content)) + content


def number(row: int, column: int, value: float = 1.0) -> bytes:
    """A cell with a number ([MS-XLS] 2.4.180)."""
    return biff(0x203, struct.pack("<HHHd", row, column, 0, value))


def dimensions(rows: int, columns: int) -> bytes:
    """What a sheet says of its size ([MS-XLS] 2.4.90)."""
    return biff(0x200, struct.pack("<IIHHH", 0, rows, 0, columns, 0))


def xls(path: Path, sheets: Sequence[bytes], *, workbook: bytes = b"", next_of_directory: int = END_OF_CHAIN) -> Path:
    """An xls workbook of these sheets' records. ``workbook`` are records before them;
    ``next_of_directory`` is the sector that is said to follow the directory's, which is sector 1."""
    bof = struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 0)
    names = [f"S{index}".encode() for index in range(len(sheets))]
    head_size = sum(4 + 8 + len(name) for name in names)
    begin = biff(0x809, bof)
    end = biff(0x0A)
    place = len(begin) + head_size + len(workbook) + len(end)
    bound, bodies = b"", b""
    for name, sheet in zip(names, sheets, strict=True):
        bound += biff(0x85, struct.pack("<IHBB", place + len(bodies), 0, len(name), 0) + name)
        bodies += biff(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 0)) + sheet + end
    return compound(path, begin + bound + workbook + end + bodies, next_of_directory)


def compound(path: Path, stream: bytes, next_of_directory: int) -> Path:
    """A compound file with one stream, Workbook: one FAT sector, one directory sector, then the stream."""
    stream = stream.ljust(max(MINI_CUTOFF, -(-len(stream) // SECTOR) * SECTOR), b"\0")
    count = len(stream) // SECTOR
    chain = [next_of_directory, *range(3, 2 + count), END_OF_CHAIN]
    fat = struct.pack(f"<{2 + count}I", FAT_SECTOR, *chain).ljust(SECTOR, b"\xff")
    assert len(fat) == SECTOR
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, MINI_CUTOFF, END_OF_CHAIN, 0, END_OF_CHAIN, 0)
    header += struct.pack("<I", 0) + struct.pack("<108I", *[FREE] * 108)

    def entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
        text = name.encode("utf-16-le") + b"\0\0"
        return (
            text.ljust(64, b"\0")
            + struct.pack("<HBBIII", len(text), kind, 1, FREE, FREE, child)
            + bytes(36)
            + struct.pack("<IQ", start, size)
        )

    directory = entry("Root Entry", 5, 1, END_OF_CHAIN, 0) + entry("Workbook", 2, FREE, 2, len(stream))
    path.write_bytes(header[:SECTOR] + fat + directory.ljust(SECTOR, b"\0") + stream)
    return path


def ods(path: Path, rows: str) -> Path:
    """An ods workbook with these rows, as XML, in sheet S0."""
    content = (
        f'<office:document-content xmlns:office="{OFFICE}:office:1.0" xmlns:table="{OFFICE}:table:1.0" '
        f'xmlns:text="{OFFICE}:text:1.0"><office:body><office:spreadsheet><table:table table:name="S0">{rows}'
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", ODS, zipfile.ZIP_STORED)
        archive.writestr("META-INF/manifest.xml", f'<manifest xmlns="{OFFICE}:manifest:1.0"/>')
        archive.writestr("content.xml", content)
    return path


def ods_cell(value: int, *, columns: int = 1) -> str:
    """A number's cell, repeated."""
    repeated = f'table:number-columns-repeated="{columns}"'
    return f'<table:table-cell office:value-type="float" office:value="{value}" {repeated}/>'


def ods_row(cells: str, *, rows: int = 1) -> str:
    """A row, repeated."""
    return f'<table:table-row table:number-rows-repeated="{rows}">{cells}</table:table-row>'
