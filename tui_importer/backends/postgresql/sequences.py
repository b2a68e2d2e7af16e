"""Advances PostgreSQL sequences that imported numbers have overtaken.

An INSERT with an explicit number does not advance the sequence of a serial or identity column. The next INSERT without
one would get a number that is already used (manual, 8.1.4 and 9.17).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from psycopg import sql

from tui_importer.backends.sql import tables
from tui_importer.core.model.table import Table

#: Maximum number of nextval() calls to advance a sequence: unlike setval(), nextval() cannot take back numbers that
#: others draw concurrently. This many take a tenth of a second. A wider gap needs setval(): nobody can draw that many
#: numbers between the evaluation of its argument and its effect.
MAX_STEPS = 100_000

#: The sequences that a column's default uses, and those of identity columns (manual, 53.7 and 53.18).
_SEQUENCES = sa.text(
    """
    SELECT a.attname, n.nspname, s.relname, q.seqstart, q.seqincrement, q.seqmin, q.seqmax, v.last_value,
        has_sequence_privilege(s.oid, 'USAGE') OR has_sequence_privilege(s.oid, 'SELECT') AS readable,
        has_sequence_privilege(s.oid, 'USAGE') OR has_sequence_privilege(s.oid, 'UPDATE') AS drawable,
        has_sequence_privilege(s.oid, 'UPDATE') AS settable,
        has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS visible
    FROM pg_attribute a
    JOIN (
        SELECT e.adnum AS number, d.refobjid AS sequence FROM pg_attrdef e JOIN pg_depend d
            ON d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid AND d.refclassid = 'pg_class'::regclass
            WHERE e.adrelid = CAST(:table AS regclass)
        UNION
        SELECT d.refobjsubid, d.objid FROM pg_depend d
            WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
            AND d.refobjid = CAST(:table AS regclass) AND d.deptype = 'i'
    ) AS drawn ON drawn.number = a.attnum
    JOIN pg_class s ON s.oid = drawn.sequence AND s.relkind = 'S'
    JOIN pg_namespace n ON n.oid = s.relnamespace
    JOIN pg_sequence q ON q.seqrelid = s.oid
    JOIN pg_sequences v ON v.schemaname = n.nspname AND v.sequencename = s.relname
    WHERE a.attrelid = CAST(:table AS regclass) AND a.attname = ANY(:columns)
    """
)
_DRAW = sa.text("SELECT count(nextval(CAST(:sequence AS regclass))) FROM generate_series(1, :steps)")
_SET = sa.text(
    "SELECT setval(CAST(:sequence AS regclass), {}(:reached, v.last_value)) FROM pg_sequences v "
    "WHERE v.schemaname = :schema AND v.sequencename = :name"
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


def advance_sequences(engine: sa.Engine, table: Table, columns: Sequence[str]) -> list[str]:
    """Advance the sequences of these columns that are behind the table; returns a sentence for each.

    If that is not permitted, the sentence gives the statement. Raises :class:`~tui_importer.errors.DatabaseError`.
    """
    names = [table.schema, table.name] if table.schema else [table.name]
    quoted = sql.Identifier(*names).as_string()
    with tables.one_line_errors(f"look at the sequences of table {table.qualified_name!r}"), engine.connect() as opened:
        # Each statement in its own transaction, so that our locks block no other session.
        connection = opened.execution_options(isolation_level="AUTOCOMMIT")
        found = connection.execute(_SEQUENCES, {"table": quoted, "columns": list(columns)}).all()
        sentences = (_advance(connection, quoted, sequence) for sequence in found)
        return [sentence for sentence in sentences if sentence is not None]


def _advance(connection: sa.Connection, table: str, found: sa.Row[tuple[object, ...]]) -> str | None:
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
    reached = connection.exec_driver_sql(
        f"SELECT min({column}) FROM {table} WHERE {column} >= {found.seqmin}"
        if descending
        else f"SELECT max({column}) FROM {table} WHERE {column} <= {found.seqmax}"
    ).scalar_one()
    following = found.seqstart if found.last_value is None else found.last_value + found.seqincrement
    steps = 0 if reached is None else (int(reached) - following) // found.seqincrement + 1
    if steps <= 0:
        return None
    if steps <= MAX_STEPS and found.drawable:
        connection.execute(_DRAW, {"sequence": sequence, "steps": steps})
    elif found.settable:
        order = "least" if descending else "greatest"
        setting = sa.text(_SET.text.format(order))
        connection.execute(
            setting, {"sequence": sequence, "reached": int(reached), "schema": found.nspname, "name": found.relname}
        )
    else:
        return (
            f"column {found.attname!r}: its sequence {name} is behind the imported numbers, and this user may not move "
            f"it on; its owner can: {numbered.statement}"
        )
    return (
        f"column {found.attname!r}: its sequence {name} was behind the imported numbers and goes on after {reached:,}"
    )
