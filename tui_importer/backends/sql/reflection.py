"""Reads definitions of tables through SQLAlchemy, for every backend that it knows. Nothing else of a run needs it, and
it is not imported for a table that is not there."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.schema import CreateTable

from tui_importer.backends.sql.dialects import SqlDialect
from tui_importer.core.model.table import Constraint, ConstraintKind, Table, TableColumn
from tui_importer.core.model.types import ColumnType, Kind

T = TypeVar("T")


def reflect(connection: sa.Connection, dialect: SqlDialect, name: str, schema: str | None) -> Table | None:
    """The table or view of this name; None if there is none."""
    inspector = sa.inspect(connection)
    try:
        columns = inspector.get_columns(name, schema=schema)
    except NoSuchTableError:
        return None
    if not columns:
        return None
    declared = (
        *_keys(inspector, name, schema),
        *_foreign_keys(inspector, name, schema),
        *_checks(inspector, name, schema, [column["name"] for column in columns]),
    )
    primary = next((key.columns for key in declared if key.kind is ConstraintKind.PRIMARY), ())
    reflected = []
    for column in columns:
        computed = "computed" in column
        identity = column.get("identity")
        # SQLite does not enforce a declared length, but whoever declared one meant it, and gets the same rejects as
        # with any other database.
        type_ = _column_type(column["type"])
        numbered = column.get("autoincrement") is True  # as in MySQL and MariaDB
        numbered = numbered or dialect.numbers(column["name"], type_, primary)
        reflected.append(
            TableColumn(
                name=column["name"],
                type=dataclasses.replace(type_, bits=dialect.integer_bits or type_.bits),
                nullable=bool(column["nullable"]),
                default=column.get("default") is not None or computed or identity is not None or numbered,
                default_sql=column.get("default"),
                writable=not computed and not (identity is not None and identity.get("always", False)),
            )
        )
    return Table(name=name, schema=schema, columns=tuple(reflected), declared=declared)


def create_stage(connection: sa.Connection, dialect: SqlDialect, table: Table, stage: Table) -> None:
    """Create a staging table with the columns of ``stage``, the native types of ``table``, and those constraints of it
    that use only these columns.

    Foreign keys, and unique indexes on expressions or for some rows only, are checked when the rows are moved.
    """
    staged = {column.name: column for column in stage.columns}
    names = frozenset(staged)
    parts: list[sa.schema.SchemaItem] = [
        sa.Column(column["name"], column["type"], nullable=staged[column["name"]].nullable)
        for column in sa.inspect(connection).get_columns(table.name, schema=table.schema)
        if column["name"] in staged
    ]
    checkable = [each for each in table.declared if names.issuperset(each.columns) and not each.partial]
    keys = {each.columns for each in checkable if each.kind in (ConstraintKind.PRIMARY, ConstraintKind.UNIQUE)}
    parts += [sa.UniqueConstraint(*columns) for columns in sorted(keys)]
    for each in checkable:
        if each.kind is ConstraintKind.CHECK and each.condition is not None:
            # PostgreSQL and SQLite allow a check with the same name in another table.
            name = each.name if dialect.checks_named_per_table else None
            parts.append(sa.CheckConstraint(sa.text(each.condition), name=name))
    connection.execute(CreateTable(sa.Table(stage.name, sa.MetaData(), *parts, schema=stage.schema)))


def referring_tables(connection: sa.Connection, table: Table) -> list[str]:
    """The names of the tables in the table's schema that have foreign keys to it, without the table itself."""
    found = sa.inspect(connection).get_multi_foreign_keys(schema=table.schema)
    return sorted(
        name
        for (_, name), keys in found.items()
        if name != table.name
        and any(
            (key["referred_schema"] or table.schema, key["referred_table"]) == (table.schema, table.name)
            for key in keys
        )
    )


def _keys(inspector: Inspector, table: str, schema: str | None) -> Iterator[Constraint]:
    """The primary key, and whatever else is unique."""
    primary = inspector.get_pk_constraint(table, schema=schema)
    if primary["constrained_columns"]:
        yield Constraint(ConstraintKind.PRIMARY, tuple(primary["constrained_columns"]), primary["name"])
    names = {None, primary["name"]}
    for unique in _inspected(inspector.get_unique_constraints, table, schema):
        names.add(unique["name"])
        yield Constraint(ConstraintKind.UNIQUE, tuple(unique["column_names"]), unique["name"])
    for index in inspector.get_indexes(table, schema=schema):
        if index["unique"] and index["name"] not in names:  # some databases report a constraint's index too
            columns = tuple(name for name in index["column_names"] if name is not None)
            filtered = any(option.endswith("_where") for option in index.get("dialect_options", {}))
            partial = filtered or len(columns) < len(index["column_names"])
            yield Constraint(ConstraintKind.UNIQUE, columns, index["name"], partial=partial)


def _foreign_keys(inspector: Inspector, table: str, schema: str | None) -> Iterator[Constraint]:
    for foreign in inspector.get_foreign_keys(table, schema=schema):
        yield Constraint(ConstraintKind.FOREIGN, tuple(foreign["constrained_columns"]), foreign["name"])


def _checks(inspector: Inspector, table: str, schema: str | None, columns: Sequence[str]) -> Iterator[Constraint]:
    for check in _inspected(inspector.get_check_constraints, table, schema):
        condition = check["sqltext"]
        yield Constraint(ConstraintKind.CHECK, _named_in(condition, columns), check["name"], condition)


def _inspected(method: Callable[[str, str | None], Sequence[T]], table: str, schema: str | None) -> Sequence[T]:
    """The inspector's answer about a table; nothing if its dialect does not implement the question."""
    try:
        return method(table, schema)
    except NotImplementedError:
        return ()


def _named_in(sqltext: str, columns: Iterable[str]) -> tuple[str, ...]:
    """The columns that an SQL expression mentions."""
    without_literals = re.sub(r"'[^']*'", "''", sqltext)
    return tuple(
        column for column in columns if re.search(rf"(?<!\w){re.escape(column)}(?!\w)", without_literals, re.IGNORECASE)
    )


def _column_type(type_: sa.types.TypeEngine[Any]) -> ColumnType:
    """Map a database type to one of ours; the database parses the values of types that are not listed."""
    match type_:
        case sa.Enum():
            return ColumnType(Kind.OTHER, native=str(type_))
        case sa.String():
            return ColumnType(Kind.TEXT, length=type_.length)
        case sa.Boolean():
            return ColumnType(Kind.BOOLEAN)
        case sa.SmallInteger():
            return ColumnType(Kind.INTEGER, bits=16)
        case sa.BigInteger():
            return ColumnType(Kind.INTEGER)
        case sa.Integer():
            return ColumnType(Kind.INTEGER, bits=32)
        case sa.Float():
            return ColumnType(Kind.FLOAT, bits=32 if isinstance(type_, sa.REAL) else 64)
        case sa.Numeric():
            return ColumnType(Kind.NUMERIC, precision=type_.precision, scale=type_.scale)
        case sa.DateTime():
            return ColumnType(Kind.TIMESTAMP, timezone=bool(type_.timezone))
        case sa.Date():
            return ColumnType(Kind.DATE)
        case sa.Time() if not type_.timezone:
            return ColumnType(Kind.TIME)
        case sa.Interval():
            return ColumnType(Kind.INTERVAL)
        case _ if type_.__visit_name__ == "INTERVAL":
            return ColumnType(Kind.INTERVAL)
        case _:
            return ColumnType(Kind.OTHER, native=str(type_))
