r"""Names of files that are not text: POSIX names are bytes, which need not be UTF-8.

Such a name stands with escapes wherever a name is text (``caf\xe9.xlsx`` in plans, reports, the ledger, on the
terminal), since no database, JSON or TOML can hold it. What opens the file opens a link to it, in a private folder,
that has this text as its name: not every library takes names that are not text.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
from functools import cache
from pathlib import Path

from tui_importer.core.model.patterns import pattern

_ESCAPE = pattern(r"\\x([89a-f][0-9a-f])")
_SURROGATE = pattern("[\ud800-\udfff]")
#: Python reads a byte of a name that is not text as this character and the byte (PEP 383).
_BYTES = 0xDC00


def escaped(name: str) -> str:
    r"""The name of a file as text: bytes that are not UTF-8, which Python reads as lone surrogates (PEP 383), as
    ``\xe9``."""
    return name if name.isascii() else _SURROGATE.sub(_escape, name)


def existing_path(file: str) -> Path:
    """The path of a file that is called so, or the link to one whose escaped name this is."""
    path = Path(file)
    if not _ESCAPE.search(file) or os.path.lexists(path):
        return path
    target = os.path.abspath(_ESCAPE.sub(lambda match: chr(_BYTES + int(match[1], 16)), file))
    return _link(target, path.name) if os.path.lexists(target) else path


def renamed_links(message: str) -> str:
    """A message that calls files by their names instead of those of the links."""
    for folder in _folders:
        message = message.replace(f"{folder}{os.sep}", "")
    return message


def remove_links() -> None:
    """Remove the links, if there are any; called where a program ends without the functions of :mod:`atexit`."""
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)


_folders: list[str] = []


def _escape(surrogate: re.Match[str]) -> str:
    code = ord(surrogate[0])
    return f"\\x{code - _BYTES:02x}" if _BYTES + 0x80 <= code <= _BYTES + 0xFF else f"\\u{code:04x}"


@cache
def _link(target: str, name: str) -> Path:
    import tempfile  # only where it is needed: it takes a while to import

    folder = tempfile.mkdtemp(prefix="tui_importer-")
    if not _folders:
        atexit.register(remove_links)
    _folders.append(folder)
    link = Path(folder, name)
    link.symlink_to(target)
    return link
