"""Classifies database errors as data errors or transient errors: by code, never by message text; and raises a driver's
errors as ours."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from tui_importer.errors import ImporterError

#: SQLSTATE classes and codes (PostgreSQL manual, appendix A) of errors about a row: data exceptions, integrity, WITH
#: CHECK OPTION, errors raised by triggers, and a row too big for an index.
DATA_CLASSES = frozenset({"22", "23", "44", "P0"})
DATA_STATES = frozenset({"54000"})
#: Transient errors: connections, rollbacks (deadlock, serialization), resources, operator intervention, statement and
#: transaction timeouts, locks.
TRANSIENT_CLASSES = frozenset({"08", "40", "53"})
TRANSIENT_STATES = frozenset({"25P03", "25P04", "55P03", "57014", "57P01", "57P02", "57P03", "57P05"})

#: Primary result codes (SQLite documentation, "Result and Error Codes"), the low byte of an extended one: BUSY, LOCKED;
#: INTERRUPT, IOERR, FULL; TOOBIG, CONSTRAINT, MISMATCH. As numbers, so that only its own backend imports SQLite.
SQLITE_BUSY_CODES = frozenset({5, 6})
SQLITE_TRANSIENT_CODES = SQLITE_BUSY_CODES | {9, 10, 13}
SQLITE_DATA_CODES = frozenset({18, 19, 20})


def is_about_data(sqlstate: str) -> bool:
    """Whether an SQLSTATE means that a row is rejected because of its values."""
    return sqlstate[:2] in DATA_CLASSES or sqlstate in DATA_STATES


def is_transient(error: BaseException) -> bool:
    """Whether a driver's error is transient, by its SQLSTATE or SQLite's result code."""
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate is not None:
        return sqlstate[:2] in TRANSIENT_CLASSES or sqlstate in TRANSIENT_STATES
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in SQLITE_TRANSIENT_CODES


def first_line(error: BaseException) -> str:
    """The first non-empty line of an error's text, or the name of its class."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)


class ErrorTranslation:
    """A context manager that raises a driver's errors as ours; it has no state, so it can be used again.

    ``translated`` returns our error for one of the driver's, and None for any other.
    """

    def __init__(self, translated: Callable[[Exception], ImporterError | None]) -> None:
        self._translated = translated

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Raise the translated error."""
        if isinstance(error, Exception):
            ours = self._translated(error)
            if ours is not None:
                raise ours from error
