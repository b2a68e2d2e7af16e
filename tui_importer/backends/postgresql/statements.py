"""The statements of one destination."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from psycopg import sql

from tui_importer.backends.postgresql.conflicts import ROWS, ConflictClause, ConflictLoad
from tui_importer.backends.postgresql.copy_text import TEXT_COPY_FORMAT, binary_types, has_literals
from tui_importer.backends.postgresql.isolation import Isolation
from tui_importer.backends.sql.dialects import PostgreSQLDialect
from tui_importer.backends.sql.ledger_tables import (
    REJECT_COLUMNS,
    REJECT_TABLE,
    LedgerStatements,
    WorkerStatements,
    worker_statements,
)
from tui_importer.core.model.batch import Batch
from tui_importer.core.writing.backend import Destination
from tui_importer.core.writing.ledger import Claim


class Statements:
    """The statements that write rows into the columns of a destination.

    ``conflict_load`` is None if a row whose key is there already is an error; otherwise the COPY statements copy into
    its temporary table, and ``insert`` returns whether its row is new.
    """

    def __init__(self, destination: Destination, version: int) -> None:
        """``version`` is the server's."""
        table = destination.table
        name = sql.Identifier(*((table.schema, table.name) if table.schema else (table.name,)))
        columns = sql.SQL(", ").join(map(sql.Identifier, destination.columns))
        self.has_columns = bool(destination.columns)
        self.conflict_load: ConflictLoad | None = None
        copied: sql.Composable = name
        returning: sql.Composable = sql.SQL("")
        if destination.mode.order_matters:
            conflict = ConflictClause(destination)
            self.conflict_load = ConflictLoad(destination, name)
            copied = ROWS
            returning = sql.SQL(" {} RETURNING {}").format(conflict.clause, conflict.is_new(version))
        self._binary_types = binary_types(destination.types)
        self._types = destination.types
        self._copy_values = sql.SQL("COPY {} ({}) FROM STDIN").format(copied, columns)
        self.copy_binary = self._copy_values + sql.SQL(" (FORMAT BINARY)")
        self.copy_text = sql.SQL("COPY {} ({}) FROM STDIN {}").format(copied, columns, TEXT_COPY_FORMAT)
        # As bytes: psycopg puts anything else together again for every row, and takes a % in a name for a placeholder.
        into = sql.SQL("INSERT INTO {} AS target ({})" if self.has_columns else "INSERT INTO {} AS target")
        values = f"VALUES ({', '.join(['%s'] * len(destination.columns))})" if self.has_columns else "DEFAULT VALUES"
        self.insert = _escaped(into.format(name, columns)) + f" {values}".encode() + _escaped(returning)
        self.isolation = Isolation(destination, TEXT_COPY_FORMAT)

    def copy(self, batch: Batch) -> tuple[sql.Composed, Sequence[str]]:
        """The COPY statement for the values of a batch, and their types if it takes them in the binary format."""
        if self._binary_types and not has_literals(batch, self._types):
            return self.copy_binary, self._binary_types
        return self._copy_values, ()


def _escaped(part: sql.Composable) -> bytes:
    return part.as_bytes().replace(b"%", b"%%")


@cache
def rejects_copy(schema: str | None) -> sql.Composed:
    """The COPY statement for all rejects of an entry, into the ledger in this schema."""
    name = sql.Identifier(*((schema, REJECT_TABLE) if schema else (REJECT_TABLE,)))
    columns = sql.SQL(", ").join(map(sql.Identifier, REJECT_COLUMNS))
    return sql.SQL("COPY {} ({}) FROM STDIN").format(name, columns)


def ledger_statements(claim: Claim, codec: str) -> LedgerStatements[bytes]:
    """The ledger's statements under a claim; ``codec`` says which text the database can store."""
    return LedgerStatements(claim, compiled_ledger(claim.schema), codec)


@cache
def compiled_ledger(schema: str | None) -> WorkerStatements[bytes]:
    """The statements of the ledger in this schema."""
    return worker_statements(schema, PostgreSQLDialect(), str.encode)
