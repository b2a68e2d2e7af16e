"""Moves staged rows into their table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tui_importer.backends.sql.database import SqlConnection
from tui_importer.backends.sql.dialects import Sql, SqlDialect
from tui_importer.core.model.table import Table


def move_rows(
    connection: SqlConnection,
    dialect: SqlDialect,
    source: Table,
    target: Table,
    columns: Sequence[str],
    defaults: Sequence[str],
) -> int:
    """Insert the rows of one table into another; returns their number (-1 if the driver cannot tell).

    A NULL in one of the columns ``defaults`` takes the target's default: rows that lack the same columns are inserted
    together, without those columns.
    """
    moved = 0
    for lacking in _missing_columns(connection, dialect, source, defaults):
        conditions = [
            dialect.compose("{name} IS NULL" if name in lacking else "{name} IS NOT NULL", name=name)
            for name in defaults
        ]
        rows = Sql(" AND ".join(conditions) or "1 = 1")
        kept = [name for name in columns if name not in lacking]
        if kept:
            insert = "INSERT INTO {target} ({kept}) SELECT {kept} FROM {source} WHERE {rows}"
            count = connection.execute(dialect.compose(insert, target=target, kept=kept, source=source, rows=rows))
            moved = -1 if count < 0 or moved < 0 else moved + count
        else:
            query = dialect.compose("SELECT count(*) FROM {source} WHERE {rows}", source=source, rows=rows)
            for _ in range(connection.value(query)):
                connection.execute(dialect.insert_defaults(target))
                moved += 1
    return moved


def _missing_columns(
    connection: SqlConnection, dialect: SqlDialect, source: Table, columns: Sequence[str]
) -> Iterator[frozenset[str]]:
    """The sets of columns that are NULL together in some row of the table."""
    if not columns:
        yield frozenset()
        return
    blanks = (dialect.compose("CASE WHEN {name} IS NULL THEN 1 ELSE 0 END", name=name) for name in columns)
    query = dialect.compose("SELECT DISTINCT {blanks} FROM {source}", blanks=Sql(", ".join(blanks)), source=source)
    for row in connection.rows(query):
        yield frozenset(name for name, is_blank in zip(columns, row, strict=True) if is_blank)
