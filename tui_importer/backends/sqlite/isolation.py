"""Finding the refused rows of a batch in SQLite: rows go in one by one, and what follows a refused one goes on.

A statement that a constraint refuses takes back what it did itself and nothing else (SQLite documentation, "The ON
CONFLICT Clause", ABORT), so no savepoint is needed between rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tui_importer.core.writing.backend import IsolatedRows
from tui_importer.errors import DataFault


class _Cursor(Protocol):
    @property
    def rowcount(self) -> int: ...


class _Connection(Protocol):
    @property
    def in_transaction(self) -> bool: ...

    @property
    def total_changes(self) -> int: ...


class PendingRows:
    """The rows of a batch from ``start`` on, for as many calls of ``executemany`` as end with a refused row: each takes
    them up behind the last one that it was given."""

    def __init__(self, connection: _Connection, records: Sequence[Sequence[Any]], start: int) -> None:
        self._connection = connection
        self._records = records
        self._start = start
        self._next = 0
        self._cursor: _Cursor | None = None
        self._inserted = self._inserted_before = 0
        self._changes = 0
        self._refused: list[tuple[int, DataFault]] = []

    def __bool__(self) -> bool:
        """Whether there is a row left to try."""
        return self._next < len(self._records)

    def through(self, cursor: _Cursor) -> PendingRows:
        """The rows that are left, to be executed by this cursor."""
        self._cursor = cursor
        self._inserted_before = self._inserted
        return self

    def __iter__(self) -> PendingRows:
        return self

    def __next__(self) -> Sequence[Any]:
        self._note()
        if self._next == len(self._records):
            raise StopIteration
        record = self._records[self._next]
        self._next += 1
        return record

    def refuse(self, fault: DataFault) -> None:
        """The row that was given last is refused; raises the fault where more than that has happened."""
        connection = self._connection
        # ROLLBACK and FAIL, of a trigger's RAISE or a constraint's ON CONFLICT, undo everything or less than the row.
        if not connection.in_transaction or connection.total_changes != self._changes:
            raise fault
        self._refused.append((self._start + self._next - 1, fault))

    def isolated(self) -> IsolatedRows:
        """What became of the rows."""
        return IsolatedRows(self._inserted, self._refused)

    def _note(self) -> None:
        """What is in before the next row is tried. The cursor counts along, but forgets its count when a row fails."""
        assert self._cursor is not None
        self._inserted = self._inserted_before + max(0, self._cursor.rowcount)
        self._changes = self._connection.total_changes
