"""Rows that go into SQLite without becoming Python objects: a virtual table in the SQLite that Python has loaded."""

from __future__ import annotations

import _sqlite3
import logging

from tui_importer_native import _native

_log = logging.getLogger("tui_importer.libraries.native")


def register_rows_table() -> None:
    """Let every connection to SQLite that this process opens from now on read encoded rows.

    If Python's SQLite cannot be reached, as where it is part of the interpreter itself, rows are bound as Python
    objects.
    """
    library = getattr(_sqlite3, "__file__", None)
    if library is None or not _native.register_sqlite_rows(library):
        _log.info("the SQLite of this Python cannot be reached: its rows are bound one by one")
