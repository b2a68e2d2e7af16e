"""Whether python-calamine survives a file: where it does not find room for what a file claims, it ends the process.

In xlsx and xlsm sheets what it must not see is found beforehand (:mod:`tui_importer.readers.reach`). Other formats are
parsed in a child process first, which may end. That takes as long again as to read them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tui_importer.errors import SourceError
from tui_importer.readers.package import damaged

#: Ends with 1 for what python-calamine says in an orderly way: it will say it again.
_PROGRAM = """
import os, resource, sys
from python_calamine import CalamineWorkbook
memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
_, most = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (memory if most < 0 else min(memory, most), most))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
try:
    workbook = CalamineWorkbook.from_path(sys.argv[1])
    for name in sys.argv[2:]:
        workbook.get_sheet_by_name(name)
except Exception:
    sys.exit(1)
except BaseException:
    sys.exit(2)
os._exit(0)
"""


def probe(path: Path, *sheets: str) -> None:
    """Open the file, and these sheets of it, in a child process; raises :class:`SourceError` where that ends it."""
    child = subprocess.run(  # noqa: S603  # our own interpreter and program
        [sys.executable, "-P", "-c", _PROGRAM, str(path.absolute()), *sheets],
        start_new_session=True,  # a signal for us is not for it
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if child.returncode < 0:
        raise SourceError(f"{path}: claims more than there is memory for: save it as .xlsx in a spreadsheet program")
    if child.returncode > 1:
        raise damaged(path, "python-calamine gave up")
