"""Code pages of xls workbooks that python-calamine would decode wrongly.

Texts of BIFF8 are Unicode, whatever the CODEPAGE record says ([MS-XLS] 2.4.52); python-calamine decodes their bytes by
it and gets a NUL after each character. Texts of BIFF5 are bytes in that code page; python-calamine knows some code
pages with one byte per character, and decodes or refuses others wrongly.

Where a copy of the workbook says 1200 (UTF-16), texts of BIFF8 are read as they are, and those of BIFF5 byte by byte:
each byte becomes the character of that number, which :meth:`CodePage.decode` takes back.
"""

from __future__ import annotations

import codecs
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import olefile

from tui_importer.errors import SourceError
from tui_importer.readers.biff import BOF, EOF, is_biff8, records, workbook_stream
from tui_importer.readers.blocks import Record
from tui_importer.readers.package import damaged

_CODEPAGE = 0x0042
_UTF_16 = 1200
#: Code pages of BIFF5 texts that python-calamine decodes.
_DECODED = frozenset({866, 874, *range(1250, 1259), 10000, 10007})
#: Python's names of those that are not called cp and the number.
_NAMES = {
    10006: "mac_greek",
    10029: "mac_latin2",
    10079: "mac_iceland",
    10081: "mac_turkish",
    20866: "koi8_r",
    21866: "koi8_u",
    32768: "mac_roman",
    32769: "cp1252",
    367: "ascii",
    65001: "utf_8",
}
#: What is taken for the code page of a BIFF5 workbook without a CODEPAGE record.
_USUAL = 1252


class CodePage(msgspec.Struct, frozen=True):
    """A code page of a workbook that python-calamine has to be told otherwise."""

    path: Path
    #: None if the workbook names none.
    number: int | None
    #: Where the number stands in the workbook's stream.
    position: int | None
    #: The codec of its texts; None if they are Unicode.
    encoding: str | None

    def decode(self, text: str) -> str:
        """The text whose bytes were read as characters. Raises :class:`SourceError` if they are in another encoding."""
        if self.encoding is None or text.isascii():
            return text
        try:
            return text.encode("latin-1").decode(self.encoding)
        except UnicodeError as error:
            raise SourceError(
                f"{self.path}: a text ({text[:30]!r}) is not in code page {self.number or _USUAL}: "
                "save the workbook as .xlsx in a spreadsheet program"
            ) from error

    def decoded(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records with their texts decoded."""
        for record in records:
            yield [self.decode(cell) if isinstance(cell, str) else cell for cell in record]

    def note(self) -> str:
        """What is said about it."""
        if self.encoding is None:
            return f"the workbook names code page {self.number}, while its texts are Unicode: they are read as such"
        if self.number is None:
            return f"the workbook names no code page: its texts are read in {_USUAL} (Western European)"
        return f"texts are read in the workbook's code page, {self.number}"


def wrong_code_page(path: Path) -> CodePage | None:
    """The code page of an xls workbook if python-calamine would decode its texts wrongly.

    Raises :class:`SourceError` if the file is damaged, or if texts are in a code page that is not known.
    """
    _, stream = workbook_stream(path)
    number: int | None = None
    position: int | None = None
    biff8 = True
    for kind, start, end in records(stream, 0):
        if kind == BOF:
            biff8 = is_biff8(stream[start:end])
        elif kind == _CODEPAGE and end - start >= 2:
            number, position = int.from_bytes(stream[start : start + 2], "little"), start
        elif kind == EOF:
            break
    if biff8:
        return None if number in (None, _UTF_16) else CodePage(path, number, position, None)
    if number in _DECODED:
        return None
    if number in (None, _UTF_16):
        return CodePage(path, None, None, f"cp{_USUAL}")
    encoding = _NAMES.get(number, f"cp{number}")
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise SourceError(
            f"{path}: its texts are in code page {number}, which is not known here: "
            "save it as .xlsx in a spreadsheet program"
        ) from error
    return CodePage(path, number, position, encoding)


def copy_in_utf_16(path: Path, copy: Path, page: CodePage) -> None:
    """Write a copy of the workbook that names UTF-16 as its code page."""
    shutil.copyfile(path, copy)
    if page.position is None:
        return
    name, stream = workbook_stream(copy)
    changed = stream[: page.position] + _UTF_16.to_bytes(2, "little") + stream[page.position + 2 :]
    try:
        with olefile.OleFileIO(copy, write_mode=True) as ole:
            ole.write_stream(name, changed)
    except (OSError, ValueError, IndexError, AssertionError) as error:
        raise damaged(path, error) from error
