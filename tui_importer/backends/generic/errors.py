"""SQLAlchemy's errors as ours: by the exception classes of PEP 249."""

from __future__ import annotations

import re

from sqlalchemy import exc

from tui_importer.backends.sql.faults import ErrorTranslation, first_line, is_transient
from tui_importer.core.model.table import Table
from tui_importer.errors import DatabaseError, DataFault, TransientFault


def statement_errors(table: Table | None = None) -> ErrorTranslation:
    """Raises the errors of a statement as ours. ``table`` is the target of the rows, used to name the violated
    constraint."""
    return ErrorTranslation(lambda error: _translated(error, table))


def _translated(error: Exception, table: Table | None) -> DatabaseError | None:
    if isinstance(error, exc.DBAPIError):
        cause: BaseException = error.orig or error
        sqlstate = getattr(cause, "sqlstate", None)
        if isinstance(error, exc.IntegrityError | exc.DataError):
            message = first_line(cause)
            column, constraint = violated(message, table) if table is not None else (None, None)
            return DataFault(message, sqlstate=sqlstate, column=column, constraint=constraint, kind=_kind(cause))
        if error.connection_invalidated:
            return TransientFault(f"the connection was lost: {first_line(cause)}", sqlstate=sqlstate)
        kind = TransientFault if is_transient(cause) else DatabaseError
        return kind(first_line(cause), sqlstate=sqlstate)
    if isinstance(error, exc.StatementError):
        # Raised on the client: a value that the driver or the type cannot adapt.
        return DataFault(first_line(error.orig or error))
    if isinstance(error, UnicodeError | OverflowError):
        return DataFault(str(error))
    return None


def _kind(error: BaseException) -> str | None:
    """The driver's error number, if it is the first argument of the error, as in MySQL's drivers."""
    number = error.args[0] if error.args else None
    return f"{type(error).__name__} {number}" if isinstance(number, int) else None


def violated(message: str, table: Table) -> tuple[str | None, str | None]:
    """The column and the constraint that an error message names. PEP 249 has no attribute for either, but most
    databases put them into the message. The message may also hold values, so an ambiguous one names nothing."""
    labels = (constraint.label for constraint in table.declared)
    named = [label for label in labels if label is not None and _place(label, message) is not None]
    if len(named) == 1:
        return None, named[0]
    places = {column.name: _place(f"{table.name}.{column.name}", message) for column in table.columns}
    mentioned = [(place, name) for name, place in places.items() if place is not None]
    return (min(mentioned)[1] if mentioned else None), None


def _place(name: str, message: str) -> int | None:
    found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", message, re.IGNORECASE)
    return found.start() if found else None
