"""Reads the definition of a table from PostgreSQL's catalogs (manual, chapter 52)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tui_importer.backends.sql.database import SqlConnection
from tui_importer.backends.sql.dialects import PostgreSQLDialect
from tui_importer.core.model.table import Constraint, ConstraintKind, Table, TableColumn
from tui_importer.core.model.types import ColumnType, Kind

#: A domain has a type of its own, and may have a default and refuse NULL.
_COLUMNS = """
    SELECT a.attname, t.typname, t.typtype, t.typnamespace = 'pg_catalog'::regnamespace,
        pg_catalog.format_type(a.atttypid, a.atttypmod), a.atttypmod, a.attnotnull OR t.typnotnull,
        COALESCE(pg_catalog.pg_get_expr(d.adbin, d.adrelid), t.typdefault), a.attidentity, a.attgenerated
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
"""
#: The columns of a key in its order; those of a check have none.
_CONSTRAINTS = """
    SELECT c.contype, c.conname, pg_catalog.pg_get_expr(c.conbin, c.conrelid, true), ARRAY(
        SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k (number, place)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number
        ORDER BY CASE c.contype WHEN 'c' THEN a.attnum ELSE k.place END)
    FROM pg_catalog.pg_constraint c
    WHERE c.conrelid = %(oid)s AND c.contype IN ('p', 'u', 'f', 'c')
    ORDER BY c.conname
"""
#: Unique indexes that implement no constraint; columns that are only included (manual, 11.9) are not part of the key.
_UNIQUE_INDEXES = """
    SELECT r.relname, i.indpred IS NOT NULL OR i.indexprs IS NOT NULL, ARRAY(
        SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY AS k (number, place)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
        WHERE k.place <= i.indnkeyatts ORDER BY k.place)
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class r ON r.oid = i.indexrelid
    WHERE i.indrelid = %(oid)s AND i.indisunique
        AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u'))
    ORDER BY r.relname
"""

#: The types that are known by name; the database parses the values of all others.
_TYPES = {
    **dict.fromkeys(("text", "name", "char", "citext"), ColumnType(Kind.TEXT)),
    "bool": ColumnType(Kind.BOOLEAN),
    "int2": ColumnType(Kind.INTEGER, bits=16),
    "int4": ColumnType(Kind.INTEGER, bits=32),
    "int8": ColumnType(Kind.INTEGER),
    "float4": ColumnType(Kind.FLOAT, bits=32),
    "float8": ColumnType(Kind.FLOAT),
    "date": ColumnType(Kind.DATE),
    "time": ColumnType(Kind.TIME),
    "timestamp": ColumnType(Kind.TIMESTAMP),
    "timestamptz": ColumnType(Kind.TIMESTAMP, timezone=True),
    "interval": ColumnType(Kind.INTERVAL),
}
#: What the modifier of a type's length and precision is increased by (manual, 52.7: atttypmod).
_HEADER = 4

_KINDS = {
    "p": ConstraintKind.PRIMARY,
    "u": ConstraintKind.UNIQUE,
    "f": ConstraintKind.FOREIGN,
    "c": ConstraintKind.CHECK,
}


def reflect(connection: SqlConnection, name: str, schema: str | None) -> Table | None:
    """The table or view of this name; None if there is none."""
    oid = PostgreSQLDialect().relation(connection, name, schema)
    if oid is None:
        return None
    columns = tuple(_column(*row) for row in connection.rows(_COLUMNS, {"oid": oid}))
    if not columns:
        return None
    constraints = connection.rows(_CONSTRAINTS, {"oid": oid})
    indexes = connection.rows(_UNIQUE_INDEXES, {"oid": oid})
    return Table(name=name, schema=schema, columns=columns, declared=tuple(_declared(constraints, indexes)))


def _column(
    name: str,
    type_name: str,
    sort: str,
    built_in: bool,
    written: str,
    modifier: int,
    not_null: bool,
    default: str | None,
    identity: str,
    generated: str,
) -> TableColumn:
    computed = bool(generated)
    return TableColumn(
        name=name,
        type=_type(type_name, sort, built_in=built_in, written=written, modifier=modifier),
        nullable=not not_null,
        default=default is not None or bool(identity),
        default_sql=None if computed else default,
        writable=not computed and identity != "a",
    )


def _type(name: str, sort: str, *, built_in: bool, written: str, modifier: int) -> ColumnType:
    found: ColumnType | None = None
    if sort == "b" and (built_in or name == "citext"):
        found = _TYPES.get(name)
        if name in ("varchar", "bpchar"):
            found = ColumnType(Kind.TEXT, length=modifier - _HEADER if modifier > 0 else None)
        elif name == "numeric":
            found = _numeric(modifier)
    if found is None:
        return ColumnType(Kind.OTHER, native=written if sort in "ed" else written.upper())
    return found


def _numeric(modifier: int) -> ColumnType:
    """The scale is in the lower eleven bits of the modifier, with its sign, and the precision in the upper half."""
    if modifier < _HEADER:
        return ColumnType(Kind.NUMERIC)
    packed = modifier - _HEADER
    return ColumnType(Kind.NUMERIC, precision=packed >> 16 & 0xFFFF, scale=((packed & 0x7FF) ^ 0x400) - 0x400)


def _declared(constraints: Sequence[Sequence[Any]], indexes: Sequence[Sequence[Any]]) -> Iterator[Constraint]:
    """The constraints, keys first."""
    for kind in (ConstraintKind.PRIMARY, ConstraintKind.UNIQUE):
        for sort, name, _, names in constraints:
            if _KINDS[sort] is kind:
                yield Constraint(kind, tuple(names), name)
    for name, partial, names in indexes:
        yield Constraint(ConstraintKind.UNIQUE, tuple(names), name, partial=partial)
    for sort, name, condition, names in constraints:
        if _KINDS[sort] is ConstraintKind.FOREIGN:
            yield Constraint(ConstraintKind.FOREIGN, tuple(names), name)
        elif _KINDS[sort] is ConstraintKind.CHECK:
            yield Constraint(ConstraintKind.CHECK, tuple(names), name, condition)
