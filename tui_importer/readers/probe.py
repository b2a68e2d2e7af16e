"""Checks that python-calamine survives a file: if it cannot allocate what a file claims, it aborts the process.

xlsx and xlsm sheets are checked beforehand (:mod:`tui_importer.readers.cell_extent`). Other formats are first parsed in
a child process with limits, which may die. That takes as long as reading them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from tui_importer.errors import SourceError
from tui_importer.readers.files import is_zip
from tui_importer.readers.package import Package, damaged, not_understood

#: Memory for any file, and for each further sheet: 17 million cells each (the maximum of an xls), most of them blank.
#: The file is open here while a child opens a sheet: both together stay within 2 GB.
_BASE_BYTES, _SHEET_BYTES = 704 << 20, 512 << 20
#: Bytes of memory per byte of a file, unpacked and packed: real files take a third of it.
_BYTES_PER_BYTE, _BYTES_PER_PACKED_BYTE = 24, 200
#: Seconds of CPU time for any file, and unpacked bytes per further second: a tenth of the usual speed.
_BASE_SECONDS, _BYTES_PER_SECOND = 5, 4 << 20
#: Seconds of wall-clock time per second of CPU time: the machine may be busy.
_CLOCK_FACTOR = 3

#: Exits with 1 and a message on stdout if python-calamine reports an error.
_PROGRAM = """
import os, resource, sys
from python_calamine import CalamineWorkbook
memory, cpu = map(int, sys.argv[1:3])
for name, limit in ("AS", memory), ("DATA", memory), ("CPU", cpu), ("CORE", 0):
    kind = getattr(resource, "RLIMIT_" + name)
    _, hard = resource.getrlimit(kind)
    try:
        resource.setrlimit(kind, (limit if hard < 0 else min(limit, hard), hard))
    except (OSError, ValueError):
        pass  # not every system limits memory
try:
    workbook = CalamineWorkbook.from_path(sys.argv[3])
    for name in sys.argv[4:]:
        workbook.get_sheet_by_name(name)
except MemoryError:
    sys.exit(3)
except Exception as error:
    sys.stdout.buffer.write(str(error).encode("utf-8", "backslashreplace")[:1000])
    sys.stdout.buffer.flush()
    os._exit(1)
except BaseException:
    sys.exit(2)
os._exit(0)
"""


class Limits(msgspec.Struct, frozen=True):
    """Limits for parsing a file: bytes of memory, seconds of CPU time, seconds of wall-clock time."""

    memory: int
    cpu: int
    clock: int


def limits(path: Path, sheets: int = 0) -> Limits:
    """The limits for a file and a number of its sheets: more than any real file of this size takes, up to the machine's
    memory."""
    packed = unpacked = path.stat().st_size
    if is_zip(path):
        unpacked = sum(member.file_size for member in Package(path).members())
    memory = _BASE_BYTES + sheets * _SHEET_BYTES + min(unpacked * _BYTES_PER_BYTE, packed * _BYTES_PER_PACKED_BYTE)
    cpu = _BASE_SECONDS + unpacked // _BYTES_PER_SECOND
    return Limits(min(memory, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")), cpu, cpu * _CLOCK_FACTOR)


def probe(path: Path, *sheets: str) -> None:
    """Open the file and these sheets in a child process; raises :class:`SourceError` if that fails."""
    most = limits(path, len(sheets))
    program = [sys.executable, "-P", "-c", _PROGRAM, str(most.memory), str(most.cpu), str(path.absolute()), *sheets]
    try:
        child = subprocess.run(  # noqa: S603  # our own interpreter and program
            program,
            start_new_session=True,  # signals for us must not reach it
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=most.clock,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _excessive(path, "time") from None
    match child.returncode:
        case 0:
            return
        case 1:  # opening it here as well would be without limits
            raise not_understood(path, child.stdout.decode("utf-8", "replace"))
        case 2:
            raise damaged(path, "python-calamine gave up")
        case code:
            raise _excessive(path, "time" if code == -signal.SIGXCPU else "memory")


def _excessive(path: Path, what: str) -> SourceError:
    return SourceError(
        f"{path}: takes more {what} to read than a workbook of its size can, it may be damaged: "
        "save it as .xlsx in a spreadsheet program"
    )
