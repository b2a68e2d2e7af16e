"""Standard input as a source, which is called ``-``.

It is read once, into a private file, because a source is read more than once: for its digest, its types and its rows.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
from functools import cache
from pathlib import Path

from tui_importer.core.model.undecodable_names import existing_path, remove_links, renamed_links
from tui_importer.errors import UsageError

#: What stands for standard input among files.
STANDARD_INPUT = "-"
#: The name of the copy, and so of the table and of the database if nothing else names them.
_NAME = "stdin"


def source_path(file: str) -> Path:
    """The file that is read for a source: that of its name, a link to it if its name is not text
    (:mod:`tui_importer.core.model.undecodable_names`), or the copy of standard input.

    Raises :class:`UsageError` if standard input is a terminal, is empty or cannot be copied.
    """
    return _copy() if file == STANDARD_INPUT else existing_path(file)


def shown_source(file: str) -> str:
    """A source as it is called in messages and reports."""
    return "standard input" if file == STANDARD_INPUT else file


def renamed_copy(message: str) -> str:
    """A message that calls a source by its name instead of that of the copy or link."""
    message = renamed_links(message)
    return message.replace(str(_folder() / _NAME), shown_source(STANDARD_INPUT)) if _is_made() else message


def remove_copy() -> None:
    """Remove the copy and the links, if there are any; called where a program ends without the functions of
    :mod:`atexit`."""
    remove_links()
    if _is_made():
        shutil.rmtree(_folder(), ignore_errors=True)


def _is_made() -> bool:
    return _folder.cache_info().currsize > 0


@cache
def _folder() -> Path:
    """The private folder of the copy."""
    import tempfile  # only where it is needed: it takes a while to import

    folder = Path(tempfile.mkdtemp(prefix="tui_importer-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _copy() -> Path:
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        raise UsageError("- is standard input, and nothing is piped into it: tui-importer - < FILE")
    path = _folder() / _NAME
    try:
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy, 1 << 20)
    except OSError as error:
        raise UsageError(f"- (standard input) cannot be copied to {path}: {error.strerror or error}") from error
    if path.stat().st_size == 0:
        raise UsageError("- (standard input) is empty")
    return path
