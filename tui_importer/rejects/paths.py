"""Where the workbook of rejects goes: known before there is one, and without what writes it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tui_importer.errors import UsageError

#: The only kind of file written: in CSV nothing can keep a spreadsheet program from running a cell that begins with
#: "=" but a change to the cell's text, and then it would not read back as it was.
SUFFIX = ".xlsx"

#: Bytes of a source's name kept in the reject file's: 255 is the limit of most file systems, endings included.
_MAX_STEM = 200
_REJECTS_ENDING = re.compile(r"\.rejects(-\d+)?$")


def check_reject_path(path: Path, source: Path | None = None) -> None:
    """Make sure up front that rejects can go there; raises :class:`UsageError`.

    Only ``.xlsx`` is written, the folder has to exist, and the source itself is never overwritten.
    """
    if path.suffix.lower() != SUFFIX:
        raise UsageError(f"{path}: rejects are written as an Excel workbook, so its name has to end in {SUFFIX}")
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name a file for the rejects")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"{path}: the folder {path.parent} cannot be written to")
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise UsageError(f"{path}: is the file being imported; name another one for the rejects")


def default_reject_path(source: Path, folder: Path) -> Path:
    """``NAME.rejects.xlsx`` in ``folder``, or ``NAME.rejects-2.xlsx`` and so on where that exists: somebody may be
    mending it. A reject file's own rejects keep the first file's name."""
    stem = _REJECTS_ENDING.sub("", source.stem)
    while len(os.fsencode(stem)) > _MAX_STEM:
        stem = stem[:-1]
    number = 1
    while True:
        path = folder / f"{stem}.rejects{'' if number == 1 else f'-{number}'}{SUFFIX}"
        if not os.path.lexists(path):
            return path
        number += 1
