"""Whether a workbook that a library refuses is only protected by a password."""

from __future__ import annotations

import re
from pathlib import Path

from tui_importer.core.model.patterns import pattern
from tui_importer.errors import SourceError
from tui_importer.readers.files import is_zip
from tui_importer.readers.package import Package

#: What the manifest of an encrypted OpenDocument file says of its parts (OpenDocument 1.3 part 2, 4.4).
_MANIFEST, _ENCRYPTED = "META-INF/manifest.xml", b"encryption-data"
#: The beginning of an xls workbook: BOF, perhaps WRITEPROT, and FILEPASS ([MS-XLS] 2.1.7.20.1).
_FILE_PASS = pattern(rb"\x09\x08(?:\x10\0.{16}|\x08\0.{8})(?:\x86\0\0\0)?\x2f\0", re.DOTALL)
#: It is searched for, and the compound file is not parsed: that of a damaged one may take any amount of memory.
_SEARCHED_BYTES = 16 << 20


def is_encrypted(path: Path) -> bool:
    """Whether an ods or xls workbook is encrypted; False if that cannot be told."""
    try:
        return _has_encrypted_parts(path) if is_zip(path) else _has_file_pass(path)
    except (SourceError, OSError):
        return False


def _has_encrypted_parts(path: Path) -> bool:
    return any(_ENCRYPTED in piece for piece in Package(path).pieces(_MANIFEST))


def _has_file_pass(path: Path) -> bool:
    with path.open("rb") as file:
        return _FILE_PASS.search(file.read(_SEARCHED_BYTES)) is not None
