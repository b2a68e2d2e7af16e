"""Whether python-calamine survives a file: where it does not find room for what a file claims, it ends the process.

In xlsx and xlsm sheets what it must not see is found beforehand (:mod:`tui_importer.readers.cell_extent`). Other
formats are parsed in a child process first, which may end, and which has limits of its own. That takes as long again
as to read them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tui_importer.errors import SourceError
from tui_importer.readers.files import is_zip
from tui_importer.readers.package import Package, damaged

#: Memory for any file, and for one more sheet beside it: 17 million cells each, all there are in an xls, most of them
#: blank. While a child opens a sheet we have the file open ourselves: both together stay within 2 GB.
_BASE_BYTES, _SHEET_BYTES = 704 << 20, 512 << 20
#: Bytes of memory for each byte of a file, unpacked, and for each as it is packed: honest ones take a third of it.
_BYTES_PER_BYTE, _BYTES_PER_PACKED_BYTE = 24, 200
#: Seconds of processor time for any file, and bytes, unpacked, that one more second is for: a tenth of the usual pace.
_BASE_SECONDS, _BYTES_PER_SECOND = 5, 4 << 20
#: Seconds on the clock for each of the processor's: the machine may be busy.
_PATIENCE = 3

#: Ends with 1 for what python-calamine says in an orderly way, on stdout.
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


@dataclass(frozen=True, slots=True)
class Limits:
    """What it may take to parse a file: bytes of memory, seconds of the processor, seconds on the clock."""

    memory: int
    cpu: int
    clock: int


def limits(path: Path, sheets: int = 0) -> Limits:
    """More than any honest file of this size takes, and so many sheets of it, as far as the machine has it."""
    packed = unpacked = path.stat().st_size
    if is_zip(path):
        unpacked = sum(member.file_size for member in Package(path).members())
    memory = _BASE_BYTES + sheets * _SHEET_BYTES + min(unpacked * _BYTES_PER_BYTE, packed * _BYTES_PER_PACKED_BYTE)
    cpu = _BASE_SECONDS + unpacked // _BYTES_PER_SECOND
    return Limits(min(memory, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")), cpu, cpu * _PATIENCE)


def probe(path: Path, *sheets: str) -> None:
    """Open the file, and these sheets of it, in a child process; raises :class:`SourceError` where that fails."""
    most = limits(path, len(sheets))
    program = [sys.executable, "-P", "-c", _PROGRAM, str(most.memory), str(most.cpu), str(path.absolute()), *sheets]
    try:
        child = subprocess.run(  # noqa: S603  # our own interpreter and program
            program,
            start_new_session=True,  # a signal for us is not for it
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
        case 1:  # where we tried as well, it would be without limits
            raise damaged(path, child.stdout.decode("utf-8", "replace"))
        case 2:
            raise damaged(path, "python-calamine gave up")
        case code:
            raise _excessive(path, "time" if code == -signal.SIGXCPU else "memory")


def _excessive(path: Path, what: str) -> SourceError:
    return SourceError(
        f"{path}: takes more {what} to read than a workbook of its size can, it may be damaged: "
        "save it as .xlsx in a spreadsheet program"
    )
