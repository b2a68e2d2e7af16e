"""Recognises a file of mended rejects by its first bytes.

Every file that is imported is looked at, before anything else is done with it: this module imports little.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from tui_importer.core.model.mending import KEY_HEADER
from tui_importer.core.model.patterns import pattern

#: Bytes of a part of a workbook in which its first rows are looked for: styles may come before them.
_HEAD_BYTES = 256 << 10
#: The parts of xlsx and ods files that hold the texts of the first sheet's first row.
_PARTS = ("xl/sharedStrings.xml", "xl/worksheets/sheet1.xml", "content.xml")
#: A key as it is written first: not part of a longer word.
_FIRST_KEY = pattern(rb"(?<![0-9A-Za-z.-])(?P<run>[0-9]{8}-[0-9]{6}-[0-9a-f]{7}(?:\.[0-9]+)?):[1-9][0-9]{0,6}(?![0-9])")


def mended_run(path: Path) -> str | None:
    """The id of the import whose rejects come back mended in a file; None if it is another kind of file.

    Only the beginning of the file is looked at, for the header and the first key of the hidden column.
    """
    for head in _heads(path):
        # A NUL after each character: UTF-16 in an xls workbook.
        text = head.replace(b"\0", b"")
        _, header, rest = text.partition(KEY_HEADER.encode())
        if header and (key := _FIRST_KEY.search(rest)):
            return key["run"].decode("ascii")
    return None


def _heads(path: Path) -> Iterator[bytes]:
    """The first bytes of a file, and of the parts of a ZIP archive that may hold the first row."""
    try:
        if not path.is_file():
            return
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        yield head
        if not head.startswith(b"PK\x03\x04"):
            return
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            for name in _PARTS:
                if name in names:
                    with archive.open(name) as part:
                        yield part.read(_HEAD_BYTES)
    except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error, EOFError):
        return  # what is wrong with the file is said where it is imported
