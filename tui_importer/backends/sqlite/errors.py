"""sqlite3's errors as ours: by result code, and never by message text."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from operator import length_hint
from pathlib import Path

from tui_importer.backends.sql.faults import (
    SQLITE_BUSY_CODES,
    SQLITE_DATA_CODES,
    SQLITE_TRANSIENT_CODES,
    ErrorTranslation,
)
from tui_importer.errors import DatabaseError, DataFault, TransientFault, UnreachableError


@contextmanager
def connection_errors(path: Path) -> Iterator[None]:
    """Raise an error of a new connection as one of ours."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in SQLITE_BUSY_CODES:
            raise TransientFault(f"another process has locked the SQLite database {path}") from error
        reason = why_read_only(path) or f"cannot open the SQLite database {path}: {error}"
        raise UnreachableError(reason) from error


def _permits(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def why_read_only(path: Path) -> str | None:
    """Why the database cannot be written, as far as the system tells. A missing file is not created."""
    if path.exists() and not _permits(path, os.W_OK):
        return f"the SQLite database {path} is read-only: let yourself write it (chmod u+w), or name another with --db"
    if not _permits(path.parent, os.W_OK | os.X_OK):
        return (
            f"the folder {path.parent} is read-only, and SQLite keeps a journal beside the database {path.name}: let "
            "yourself write it (chmod u+wx), or name a database in another with --db"
        )
    return None


def _translated(error: Exception, offset: int | None = None) -> DatabaseError | None:
    """Our error for one of sqlite3's; ``offset`` is the place of the bad row among those that were sent."""
    if not isinstance(error, sqlite3.Error | UnicodeError | OverflowError):
        return None
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(error, UnicodeError | OverflowError | sqlite3.DataError) or (
        code is not None and code & 0xFF in SQLITE_DATA_CODES
    ):
        violated = str(error).partition(" constraint failed: ")[2]
        check = code == sqlite3.SQLITE_CONSTRAINT_CHECK
        column = None if check else _first_column(violated)
        return DataFault(str(error), offset=offset, column=column, constraint=violated if check else None)
    if code is not None and code & 0xFF in SQLITE_TRANSIENT_CODES:
        return TransientFault(str(error))
    return DatabaseError(str(error))


#: Raises the errors of a statement as ours.
STATEMENT_ERRORS = ErrorTranslation(_translated)


def errors_of_rows(rows: int, untaken: Iterator[object]) -> ErrorTranslation:
    """As :data:`STATEMENT_ERRORS`, for ``rows`` that executemany takes one by one: the last that it took is bad.

    ``untaken`` has an item for each row that it has not taken yet.
    """
    return ErrorTranslation(lambda error: _translated(error, rows - length_hint(untaken) - 1))


def _first_column(violated: str) -> str | None:
    """The first column in SQLite's list ``table.column, table.column``."""
    return violated.split(", ")[0].rpartition(".")[2] if "." in violated else None
