"""Advances PostgreSQL sequences that imported numbers have overtaken.

An INSERT with an explicit number does not advance the sequence of a serial or identity column. The next INSERT without
one would get a number that is already used (manual, 8.1.4 and 9.17).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from psycopg import sql

from tui_importer.backends.sql.database import SqlConnection, SqlDatabase
from tui_importer.core.model.table import Table

#: Maximum number of nextval() calls to advance a sequence: unlike setval(), nextval() cannot take back numbers that
#: others draw concurrently. This many take a tenth of a second. A wider gap needs setval(): nobody can draw that many
#: numbers between the evaluation of its argument and its effect.
MAX_STEPS = 100_000

#: The sequences that a column's default uses, and those of identity columns (manual, 53.7 and 53.18).
_SEQUENCES = """
    SELECT a.attname, n.nspname, s.relname, q.seqstart, q.seqincrement, q.seqmin, q.seqmax, v.last_value,
        has_sequence_privilege(s.oid, 'USAGE') OR has_sequence_privilege(s.oid, 'SELECT') AS readable,
        has_sequence_privilege(s.oid, 'USAGE') OR has_sequence_privilege(s.oid, 'UPDATE') AS drawable,
        has_sequence_privilege(s.oid, 'UPDATE') AS settable,
        has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS visible
    FROM pg_attribute a
    JOIN (
        SELECT e.adnum AS number, d.refobjid AS sequence FROM pg_attrdef e JOIN pg_depend d
            ON d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid AND d.refclassid = 'pg_class'::regclass
            WHERE e.adrelid = CAST(%(table)s AS regclass)
        UNION
        SELECT d.refobjsubid, d.objid FROM pg_depend d
            WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
            AND d.refobjid = CAST(%(table)s AS regclass) AND d.deptype = 'i'
    ) AS drawn ON drawn.number = a.attnum
    JOIN pg_class s ON s.oid = drawn.sequence AND s.relkind = 'S'
    JOIN pg_namespace n ON n.oid = s.relnamespace
    JOIN pg_sequence q ON q.seqrelid = s.oid
    JOIN pg_sequences v ON v.schemaname = n.nspname AND v.sequencename = s.relname
    WHERE a.attrelid = CAST(%(table)s AS regclass) AND a.attname = ANY(%(columns)s)
"""
_DRAW = "SELECT count(nextval(CAST(%(sequence)s AS regclass))) FROM generate_series(1, %(steps)s)"
_SET = (
    "SELECT setval(CAST(%(sequence)s AS regclass), {order}(%(reached)s, v.last_value)) FROM pg_sequences v "
    "WHERE v.schemaname = %(schema)s AND v.sequencename = %(name)s"
)


class _NumberedColumn(msgspec.Struct, frozen=True):
    """A column of ``table`` and the sequence that numbers it; identifiers are quoted."""

    table: str
    column: str
    sequence: str
    descending: bool

    @property
    def statement(self) -> str:
        """The statement with which the owner can advance the sequence."""
        sequence = sql.Literal(self.sequence).as_string()
        end, of = ("min", "least") if self.descending else ("max", "greatest")
        return (
            f"SELECT setval({sequence}, {of}((SELECT {end}({self.column}) FROM {self.table}), "
            f"(SELECT last_value FROM {self.sequence})))"
        )


class _Sequence(NamedTuple):
    """A row of :data:`_SEQUENCES`."""

    attname: str
    nspname: str
    relname: str
    seqstart: int
    seqincrement: int
    seqmin: int
    seqmax: int
    last_value: int | None
    readable: bool
    drawable: bool
    settable: bool
    visible: bool


def advance_sequences(database: SqlDatabase, table: Table, columns: Sequence[str]) -> list[str]:
    """Advance the sequences of these columns that are behind the table; returns a sentence for each.

    If that is not permitted, the sentence gives the statement. Raises :class:`~tui_importer.errors.DatabaseError`.
    """
    names = [table.schema, table.name] if table.schema else [table.name]
    quoted = sql.Identifier(*names).as_string()
    with database.reading(f"look at the sequences of table {table.qualified_name!r}") as connection:
        rows = connection.rows(_SEQUENCES, {"table": quoted, "columns": list(columns)})
        connection.commit()
        sentences = (_advance(connection, quoted, _Sequence(*row)) for row in rows)
        return [sentence for sentence in sentences if sentence is not None]


def _advance(connection: SqlConnection, table: str, found: _Sequence) -> str | None:
    """Each statement in its own transaction, so that our locks block no other session."""
    name = f"{found.nspname}.{found.relname}"
    descending = found.seqincrement < 0
    column, sequence = (
        sql.Identifier(*parts).as_string() for parts in ([found.attname], [found.nspname, found.relname])
    )
    numbered = _NumberedColumn(table, column, sequence, descending)
    if not (found.visible and found.readable):
        return (
            f"column {found.attname!r}: its sequence {name} may be behind the imported numbers, and this user may not "
            f"look; its owner can move it on: {numbered.statement}"
        )
    # Numbers beyond the sequence's own maximum are never reached.
    query = (
        f"SELECT min({column}) FROM {table} WHERE {column} >= {found.seqmin}"
        if descending
        else f"SELECT max({column}) FROM {table} WHERE {column} <= {found.seqmax}"
    )
    reached = connection.value(query.replace("%", "%%"))
    connection.commit()
    following = found.seqstart if found.last_value is None else found.last_value + found.seqincrement
    steps = 0 if reached is None else (int(reached) - following) // found.seqincrement + 1
    if steps <= 0:
        return None
    if steps <= MAX_STEPS and found.drawable:
        connection.rows(_DRAW, {"sequence": sequence, "steps": steps})
    elif found.settable:
        values = {"sequence": sequence, "reached": int(reached), "schema": found.nspname, "name": found.relname}
        connection.rows(_SET.format(order="least" if descending else "greatest"), values)
    else:
        return (
            f"column {found.attname!r}: its sequence {name} is behind the imported numbers, and this user may not move "
            f"it on; its owner can: {numbered.statement}"
        )
    connection.commit()
    return (
        f"column {found.attname!r}: its sequence {name} was behind the imported numbers and goes on after {reached:,}"
    )
