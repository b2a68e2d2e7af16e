"""psycopg's errors as ours: by SQLSTATE, and never by message text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tui_importer.backends.postgresql.isolation import data_fault
from tui_importer.backends.sql.faults import ErrorTranslation, first_line, is_about_data, is_transient
from tui_importer.core.model.patterns import pattern
from tui_importer.errors import DatabaseError, DataFault, TransientFault, UnreachableError

#: The context of a COPY error: ``COPY businesses, line 3, column phone: ...``; the word for line is in the server's
#: language.
_COPY_CONTEXT = pattern(r"COPY .+?, \S+ (?P<line>[0-9]+)(?:, \S+ (?P<column>[^:\n]+))?")


@contextmanager
def connection_errors() -> Iterator[None]:
    """Raise an error of a new connection as one of ours."""
    try:
        yield
    except psycopg.Error as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise UnreachableError(f"no connection to the database: {'; '.join(lines)}", sqlstate=error.sqlstate) from error


def _translated_any(error: Exception) -> DatabaseError | None:
    if isinstance(error, psycopg.Error):
        return translated(error)
    if isinstance(error, UnicodeError | OverflowError):
        return DataFault(f"cannot be sent to PostgreSQL: {error}")
    return None


#: Raises the errors of a statement as ours.
STATEMENT_ERRORS = ErrorTranslation(_translated_any)


def translated(error: psycopg.Error) -> DatabaseError:
    """psycopg's error as one of ours."""
    diagnosis, sqlstate = error.diag, error.sqlstate
    message = diagnosis.message_primary or first_line(error)
    if sqlstate is None:
        # Raised on the client: a value that psycopg cannot adapt, or a connection that is gone.
        if isinstance(error, psycopg.DataError):
            return DataFault(message)
        return TransientFault(f"the connection was lost: {message}")
    if is_about_data(sqlstate):
        where = _COPY_CONTEXT.search(diagnosis.context or "")
        return data_fault(
            message,
            diagnosis.message_detail,
            sqlstate,
            diagnosis.context,
            offset=int(where["line"]) - 1 if where else None,
            column=diagnosis.column_name or (where["column"] if where else None),
            constraint=diagnosis.constraint_name,
        )
    if is_transient(error):
        return TransientFault(message, sqlstate=sqlstate)
    return DatabaseError(message, sqlstate=sqlstate)
