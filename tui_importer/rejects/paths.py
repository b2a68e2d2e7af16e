"""Checks and chooses the path of the reject workbook, without importing what writes it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tui_importer.core.model.files import cannot_be_written, check_new_file, claim_free_name
from tui_importer.core.model.patterns import pattern
from tui_importer.errors import ImporterError, UsageError

#: The only suffix that is written. A CSV could keep a spreadsheet program from running a cell that begins with "=" only
#: by changing its text, and then it would not read back unchanged.
SUFFIX = ".xlsx"

#: Bytes of a source's name kept in the reject file's name: most file systems allow 255, including endings.
_MAX_STEM = 200
#: The comment of the ZIP archive. A spreadsheet program drops it when it saves the workbook, so a file that has it
#: contains no corrections by a user.
MARK = b"tui-importer: rejects"
#: A comment ends an archive; its length and the rest of the end record precede it (APPNOTE 4.3.16).
_END = b"PK\x05\x06"

_REJECTS_ENDING = pattern(r"\.rejects(-\d+)?$")


def private_folder(inside: Path | None = None) -> tempfile.TemporaryDirectory[str]:
    """A temporary folder for rejected rows, by default in the system's place for such.

    Raises :class:`ImporterError` if there is none.
    """
    try:
        return tempfile.TemporaryDirectory(prefix="tui_importer-rejects-", dir=inside)
    except OSError as error:
        raise ImporterError(f"no place to keep rejected rows: {error.strerror}; set TMPDIR") from error


def check_reject_path(path: Path, source: Path | None = None) -> None:
    """Check in advance that rejects can be written there; raises :class:`UsageError`.

    Only ``.xlsx`` is written, and the folder must be writable. An existing file is replaced if it is a reject workbook
    that nobody has changed, so that the same command can be repeated. Any other file is kept: a user may be correcting
    it, or it is the source itself.
    """
    if path.suffix.lower() != SUFFIX:
        raise UsageError(f"{path}: rejects are written as an Excel workbook, so its name has to end in {SUFFIX}")
    check_new_file(path, "the rejects")
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise UsageError(f"{path}: is the file being imported; name another one for the rejects")
    if os.path.lexists(path) and not is_untouched(path):
        raise UsageError(
            f"{path}: is there already, and no reject workbook as it was written: name another file for the rejects, "
            "or move it"
        )


def is_untouched(path: Path) -> bool:
    """Whether the file is a reject workbook that was not saved by another program since."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - len(MARK) - 22))
            tail = file.read()
    except OSError:
        return False
    return tail.startswith(_END) and tail.endswith(MARK)


@contextmanager
def written_whole(path: Path, what: str) -> Iterator[Path]:
    """A path to write a workbook to, which then takes the place of the file. It appears completely or not at all,
    readable by its owner only.

    Raises :class:`ImporterError` if ``what`` it is cannot be written.
    """
    temporary: Path | None = None
    try:
        # In the same folder, so that it can be renamed; created with mode 0600.
        handle, name = tempfile.mkstemp(prefix=".tui_importer-", suffix=SUFFIX, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise ImporterError(f"{path}: cannot write {what}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_default_place() -> None:
    """Check in advance that rejects can be written into the current folder; raises :class:`UsageError`."""
    try:
        why = cannot_be_written(Path.cwd())
    except FileNotFoundError:
        why = "it is gone"
    if why:
        raise UsageError(f"rejected rows cannot be written into the current folder ({why}): say where with --rejects")


@contextmanager
def claimed_reject_path(source: Path, folder: Path) -> Iterator[Path]:
    """Create an empty file, to be replaced by the rejects of ``source``; if that fails, it is removed.

    It is ``NAME.rejects.xlsx`` in ``folder``, or ``NAME.rejects-2.xlsx`` and so on if that exists: a user may be
    correcting it, or an import beside this one has claimed it. The rejects of a reject file keep the first file's name.
    Raises :class:`~tui_importer.errors.ImporterError` if no file can be created.
    """
    stem = _REJECTS_ENDING.sub("", source.stem)
    while len(os.fsencode(stem)) > _MAX_STEM:
        stem = stem[:-1]
    try:
        path = claim_free_name(folder, f"{stem}.rejects", SUFFIX)
    except OSError as error:
        raise ImporterError(f"{folder}: cannot write the rejects: {error.strerror or error}") from error
    try:
        yield path
    except BaseException:
        path.unlink(missing_ok=True)
        raise
