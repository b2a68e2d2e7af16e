"""Where the workbook of rejects goes: known before there is one, and without what writes it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tui_importer.core.model.files import cannot_be_written, check_new_file
from tui_importer.errors import UsageError

#: The only kind of file written: in CSV nothing can keep a spreadsheet program from running a cell that begins with
#: "=" but a change to the cell's text, and then it would not read back as it was.
SUFFIX = ".xlsx"

#: Bytes of a source's name kept in the reject file's: 255 is the limit of most file systems, endings included.
_MAX_STEM = 200
#: The comment of the ZIP archive. A spreadsheet program that saves the workbook leaves it out, so a file that has it
#: holds nobody's mending.
MARK = b"tui-importer: rejects"
#: A comment is the last of an archive; before it stand its length and the rest of the end record (APPNOTE 4.3.16).
_END = b"PK\x05\x06"

_REJECTS_ENDING = re.compile(r"\.rejects(-\d+)?$")


def check_reject_path(path: Path, source: Path | None = None) -> None:
    """Make sure up front that rejects can go there; raises :class:`UsageError`.

    Only ``.xlsx`` is written, and the folder has to take it. A file that is there is replaced where it is a reject
    workbook as this program left it, so that the same command can be given again; any other is not: somebody may be
    mending it, or it is the source itself.
    """
    if path.suffix.lower() != SUFFIX:
        raise UsageError(f"{path}: rejects are written as an Excel workbook, so its name has to end in {SUFFIX}")
    check_new_file(path, "the rejects")
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise UsageError(f"{path}: is the file being imported; name another one for the rejects")
    if os.path.lexists(path) and not _is_untouched(path):
        raise UsageError(
            f"{path}: is there already, and no reject workbook as it was written: name another file for the rejects, "
            "or move it"
        )


def _is_untouched(path: Path) -> bool:
    """Whether the file is a reject workbook that nobody has saved since."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - len(MARK) - 22))
            tail = file.read()
    except OSError:
        return False
    return tail.startswith(_END) and tail.endswith(MARK)


def check_default_place() -> None:
    """Make sure up front that rejects can go into the current folder; raises :class:`UsageError`."""
    try:
        why = cannot_be_written(Path.cwd())
    except FileNotFoundError:
        why = "it is gone"
    if why:
        raise UsageError(f"rejected rows cannot be written into the current folder ({why}): say where with --rejects")


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
