"""Recognises a file of mended rejects, and finds the plan of the import that rejected them."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from tui_importer.core.model.mending import KEY_HEADER
from tui_importer.core.model.plan import Plan, Source
from tui_importer.core.model.standard_input import source_path
from tui_importer.core.planning.mending import plan_of_mended
from tui_importer.core.run.run_id import run_id_of, source_of
from tui_importer.errors import SourceError, UsageError
from tui_importer.recording.recordings import Recording, recordings_folder

#: Bytes of a part of a workbook in which its first rows are looked for: styles may come before them.
_HEAD_BYTES = 256 << 10
#: The parts of xlsx and ods files that hold the texts of the first sheet's first row.
_PARTS = ("xl/sharedStrings.xml", "xl/worksheets/sheet1.xml", "content.xml")
#: A key as it is written first: not part of a longer word.
_FIRST_KEY = re.compile(
    rb"(?<![0-9A-Za-z.-])(?P<run>[0-9]{8}-[0-9]{6}-[0-9a-f]{7}(?:\.[0-9]+)?):[1-9][0-9]{0,6}(?![0-9])"
)


def mended_run(path: Path) -> str | None:
    """The id of the import whose rejects come back mended in a file; None if it is another kind of file.

    Only the beginning of the file is looked at, for the header and the first key of the hidden column.
    """
    found: str | None = None
    for head in _heads(path):
        # A NUL after each character: UTF-16 in an xls workbook.
        text = head.replace(b"\0", b"")
        _, header, rest = text.partition(KEY_HEADER.encode())
        if header and (key := _FIRST_KEY.search(rest)):
            found = key["run"].decode("ascii")
            break
    return found


def mended_source(source: Source, run_id: str) -> Source:
    """The source of rejects of a run that come back: the header is where it was written."""
    return msgspec.structs.replace(source, mends=run_id, header_row=1)


def recorded_plan(source: Source, run_id: str, folder: Path) -> Plan | None:
    """The plan for rejects of a run that come back mended in a source; None if the run is not recorded in a folder of
    recordings."""
    given = Recording(folder / run_id_of(run_id)).plan(source_of(run_id) or 1)
    return None if given is None else plan_of_mended(given, mended_source(source, run_id))


def mended_plan(
    file: str | os.PathLike[str],
    *,
    database: str | None = None,
    recordings: Path | None = None,
) -> Plan:
    """The plan to import a reject workbook that was mended, as the import was told to that rejected its rows.

    ``database`` is the address with the password, if it needs one: recordings hold none. ``recordings`` is the folder
    in which the run is recorded, by default that of the user. Raises :class:`SourceError` for any other file, and
    :class:`UsageError` if the run is not recorded.
    """
    source = Source(file=file)
    run_id = mended_run(source_path(source.file))
    if run_id is None:
        raise SourceError(f"{source.file}: is no workbook of rejected rows, or the hidden column of their keys is gone")
    plan = recorded_plan(source, run_id, recordings or recordings_folder())
    if plan is None:
        raise UsageError(f"{source.file}: run {run_id}, which rejected these rows, is not recorded here")
    if database is None:
        return plan
    return msgspec.structs.replace(plan, target=msgspec.structs.replace(plan.target, database=database))


def check_alone(sources: int, file: str) -> None:
    """Raises :class:`UsageError` if a file of mended rejects is one of several."""
    if sources > 1:
        raise UsageError(f"{file}: is a workbook of rejected rows: import it by itself")


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
        with closing(zipfile.ZipFile(path)) as archive:
            names = set(archive.namelist())
            for name in _PARTS:
                if name in names:
                    with archive.open(name) as part:
                        yield part.read(_HEAD_BYTES)
    except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error, EOFError):
        return  # what is wrong with the file is said where it is imported
