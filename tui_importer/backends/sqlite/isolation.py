"""Finds the bad rows of a batch in SQLite: rows are inserted one by one, and the import continues after a bad one.

A statement that violates a constraint undoes only its own changes (SQLite documentation, "The ON CONFLICT Clause",
ABORT), so no savepoint is needed between rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tui_importer.core.writing.backend import IsolatedRows
from tui_importer.core.writing.loaded import Loaded
from tui_importer.errors import DataFault


class _Cursor(Protocol):
    @property
    def rowcount(self) -> int: ...


class _Connection(Protocol):
    @property
    def in_transaction(self) -> bool: ...

    @property
    def total_changes(self) -> int: ...


def check_only_row_undone(connection: _Connection, changes: int, fault: DataFault) -> None:
    """Raise the fault of a row unless exactly that row was undone; ``changes`` is the number of changes before it.

    ROLLBACK and FAIL, in a trigger's RAISE or a constraint's ON CONFLICT, undo everything or less than the row.
    """
    if not connection.in_transaction or connection.total_changes != changes:
        raise fault


class PendingRows:
    """Iterates over the rows of a batch from ``start`` on. Each call of ``executemany`` ends with a bad row or before a
    row that has another statement; the next call continues after it."""

    def __init__(
        self, connection: _Connection, records: Sequence[Sequence[Any]], statements: Sequence[str], start: int
    ) -> None:
        """``statements`` are the INSERT statements of the rows."""
        self._connection = connection
        self._records = records
        self._statements = statements
        self._start = start
        self._next = 0
        self._current = ""
        self._cursor: _Cursor | None = None
        self._inserted = self._inserted_before = 0
        self._changes = 0
        self._refused: list[tuple[int, DataFault]] = []

    def __bool__(self) -> bool:
        """Whether any rows are left to try."""
        return self._next < len(self._records)

    @property
    def statement(self) -> str:
        """The statement of the next row."""
        return self._statements[self._next]

    def through(self, cursor: _Cursor) -> PendingRows:
        """The remaining rows, to be executed by this cursor with :attr:`statement`."""
        self._cursor = cursor
        self._current = self.statement
        self._inserted_before = self._inserted
        return self

    def __iter__(self) -> PendingRows:
        return self

    def __next__(self) -> Sequence[Any]:
        self._count_inserted()
        if self._next == len(self._records) or self._statements[self._next] is not self._current:
            raise StopIteration
        record = self._records[self._next]
        self._next += 1
        return record

    def refuse(self, fault: DataFault) -> None:
        """Record that the row returned last was refused; raises the fault if more than this row was undone."""
        check_only_row_undone(self._connection, self._changes, fault)
        self._refused.append((self._start + self._next - 1, fault))

    def isolated(self) -> IsolatedRows:
        """The result for all rows."""
        taken = len(self._records) - len(self._refused)
        return IsolatedRows(Loaded.reported(taken, self._inserted), self._refused)

    def _count_inserted(self) -> None:
        """Count the rows inserted before the next one is tried. The cursor also counts, but loses its count when a row
        fails."""
        assert self._cursor is not None
        self._inserted = self._inserted_before + max(0, self._cursor.rowcount)
        self._changes = self._connection.total_changes
