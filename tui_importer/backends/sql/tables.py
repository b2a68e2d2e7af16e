"""Table DDL and reflection through SQLAlchemy, shared by every backend. Identifiers are always quoted by SQLAlchemy."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.exc import DBAPIError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.schema import CreateColumn, CreateTable, DropTable

from tui_importer.backends.sql.dialects import SqlDialect
from tui_importer.backends.sql.faults import is_transient
from tui_importer.core.model.table import Constraint, ConstraintKind, Index, Table, TableColumn
from tui_importer.core.model.table_names import split_table_name
from tui_importer.core.model.types import ColumnType, Kind
from tui_importer.errors import DatabaseError, TransientFault

T = TypeVar("T")

#: SQLAlchemy keeps the row count of an INSERT only on request.
COUNTED: dict[str, Any] = {"preserve_rowcount": True}


@contextmanager
def one_line_errors(doing: str) -> Iterator[None]:
    """Convert errors of SQLAlchemy or the driver into one line that says what failed."""
    try:
        yield
    except DBAPIError as error:
        cause = error.orig or error
        sqlstate = getattr(cause, "sqlstate", None)
        transient = error.connection_invalidated or is_transient(cause)
        kind = TransientFault if transient else DatabaseError
        raise kind(f"cannot {doing}: {first_line(cause)}", sqlstate=sqlstate) from error
    except SQLAlchemyError as error:
        raise DatabaseError(f"cannot {doing}: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """The first non-empty line of an error's text, or the name of its class."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)


def reflect(engine: sa.Engine, dialect: SqlDialect, name: str, *, schemas: bool = True) -> Table | None:
    """Reflect a table or view of the database; None if there is none of that name. In a database without ``schemas``, a
    dot needs no quotes."""
    schema, table_name = split_table_name(name)
    if not schemas and schema is not None:
        schema, table_name = None, name
    with one_line_errors(f"read the definition of table {name!r}"), engine.connect() as connection:
        if not dialect.has_table(connection, table_name, schema):
            return None  # asked first: reading what is not there takes longer
        inspector = sa.inspect(connection)
        try:
            columns = inspector.get_columns(table_name, schema=schema)
        except NoSuchTableError:
            return None
        if not columns:
            return None
        declared = (
            *_keys(inspector, table_name, schema),
            *_foreign_keys(inspector, table_name, schema),
            *_checks(inspector, table_name, schema, [column["name"] for column in columns]),
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
        numbered = numbered or dialect.numbers(column["name"], column["type"], primary)
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
    return Table(name=table_name, schema=schema, columns=tuple(reflected), declared=declared)


def create_table(engine: sa.Engine, dialect: SqlDialect, table: Table) -> None:
    """Create the table without its indexes."""
    with one_line_errors(f"create table {table.qualified_name!r}"), engine.begin() as connection:
        for statement in creation(connection.dialect, dialect, table):
            connection.execute(statement)


def creation(driver: sa.Dialect, dialect: SqlDialect, table: Table) -> list[sa.schema.ExecutableDDLElement]:
    """The statements that create the table, without its indexes; its comment is left out where there are none."""
    described = sql_table(table, dialect)
    statements: list[sa.schema.ExecutableDDLElement] = [CreateTable(described)]
    if table.comment is not None and driver.supports_comments and not driver.inline_comments:
        statements.append(sa.schema.SetTableComment(described))
    return statements


def add_columns(engine: sa.Engine, dialect: SqlDialect, table: Table, columns: Sequence[TableColumn]) -> None:
    """Add those of these columns to the table that it does not have, in one transaction."""
    with one_line_errors(f"add columns to table {table.qualified_name!r}"), engine.begin() as connection:
        there = {column["name"] for column in sa.inspect(connection).get_columns(table.name, schema=table.schema)}
        missing = [column for column in columns if column.name not in there]
        for statement in _alterations(engine.dialect, dialect, table, missing):
            connection.exec_driver_sql(statement)


def definition_statements(
    engine: sa.Engine,
    dialect: SqlDialect,
    table: Table,
    *,
    create: bool,
    added: Sequence[TableColumn],
    indexes: Sequence[Index],
) -> list[str]:
    """The statements that make the table, or add columns to it, and make the indexes."""
    # Statements for people have no placeholders, for which a driver would want each % twice.
    make_dialect: type[Any] = type(engine.dialect)
    shown: sa.Dialect = make_dialect(paramstyle="named")
    if not create:
        return list(_alterations(shown, dialect, table, added))
    described = sql_table(table, dialect)
    made = creation(shown, dialect, table)
    if table.schema is not None and table.schema not in sa.inspect(engine).get_schema_names():
        made.insert(0, sa.schema.CreateSchema(table.schema))
    for index in indexes:
        columns = [described.c[name] for name in index.columns]
        made.append(sa.schema.CreateIndex(sa.Index(index.name, *columns, unique=index.unique)))
    return [_without_edges(str(each.compile(dialect=shown))) for each in made]


def _alterations(
    driver: sa.Dialect, dialect: SqlDialect, table: Table, columns: Iterable[TableColumn]
) -> Iterator[str]:
    """The statements that add these columns to the table."""
    described = sa.Table(table.name, sa.MetaData(), schema=table.schema)
    name = driver.identifier_preparer.format_table(described)
    for column in columns:
        added = sa.Column(column.name, sql_type(column.type, dialect))
        described.append_column(added)
        yield f"ALTER TABLE {name} ADD COLUMN {CreateColumn(added).compile(dialect=driver)}"


def _without_edges(statement: str) -> str:
    return "\n".join(line.rstrip() for line in statement.strip().splitlines())


def create_stage(engine: sa.Engine, dialect: SqlDialect, table: Table, stage: Table, *, exists: bool) -> None:
    """Create a staging table with the columns of ``stage`` and the constraints of ``table`` that use only these
    columns.

    If ``table`` ``exists``, its native types are reflected. Foreign keys, and unique indexes on expressions or for some
    rows only, are checked when the rows are moved.
    """
    doing = f"create the staging table {stage.qualified_name!r}"
    with one_line_errors(doing), engine.begin() as connection:
        if not exists:
            connection.execute(CreateTable(sql_table(stage, dialect)))
            return
        inspector = sa.inspect(connection)
        staged = {column.name: column for column in stage.columns}
        names = frozenset(staged)
        parts: list[sa.schema.SchemaItem] = [
            sa.Column(column["name"], column["type"], nullable=staged[column["name"]].nullable)
            for column in inspector.get_columns(table.name, schema=table.schema)
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


def move_rows(
    connection: sa.Connection,
    source: sa.TableClause,
    target: sa.TableClause,
    columns: Sequence[str],
    defaults: Sequence[str],
) -> int:
    """Insert the rows of one table into another; returns their number (-1 if the driver cannot tell).

    A NULL in one of the columns ``defaults`` takes the target's default: rows that lack the same columns are inserted
    together, without those columns.
    """
    moved = 0
    for lacking in _missing_columns(connection, source, defaults):
        nulls = (source.c[name].is_(None) if name in lacking else source.c[name].is_not(None) for name in defaults)
        rows = sa.and_(sa.true(), *nulls)
        kept = [name for name in columns if name not in lacking]
        if kept:
            chosen = sa.select(*(source.c[name] for name in kept)).select_from(source).where(rows)
            statement = sa.insert(target).from_select(kept, chosen)
            count = connection.execute(statement, execution_options=COUNTED).rowcount
            moved = -1 if count < 0 or moved < 0 else moved + count
        else:
            for _ in range(connection.execute(sa.select(sa.func.count()).select_from(source).where(rows)).scalar_one()):
                connection.execute(sa.insert(target).values())
                moved += 1
    return moved


def _missing_columns(connection: sa.Connection, source: sa.TableClause, columns: Sequence[str]) -> list[frozenset[str]]:
    """The sets of columns that are NULL together in some row of the table."""
    if not columns:
        return [frozenset()]
    blank = [sa.case((source.c[name].is_(None), 1), else_=0) for name in columns]
    found = connection.execute(sa.select(*blank).select_from(source).distinct())
    return [frozenset(name for name, is_blank in zip(columns, row, strict=True) if is_blank) for row in found]


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


def drop_table(engine: sa.Engine, table: Table) -> None:
    """Drop the table."""
    with one_line_errors(f"drop table {table.qualified_name!r}"), engine.begin() as connection:
        drop(connection, table)


def drop(connection: sa.Connection, table: Table) -> None:
    """Drop the table in the open transaction."""
    connection.execute(DropTable(sa.Table(table.name, sa.MetaData(), schema=table.schema)))


def create_index(engine: sa.Engine, dialect: SqlDialect, table: Table, index: Index) -> None:
    """Create one index of the table, unless one of that name exists."""
    described = sql_table(table, dialect)
    columns = [described.c[column] for column in index.columns]
    with one_line_errors(f"create index {index.name!r}"), engine.begin() as connection:
        made = {known["name"] for known in sa.inspect(connection).get_indexes(table.name, schema=table.schema)}
        if index.name not in made:
            connection.execute(sa.schema.CreateIndex(sa.Index(index.name, *columns, unique=index.unique)))


def sql_table(table: Table, dialect: SqlDialect) -> sa.Table:
    """The table as an SQLAlchemy object."""
    columns: list[sa.Column[Any]] = []
    for column in table.columns:
        if column.name == table.identity:
            columns.append(sa.Column(column.name, dialect.key_type(), sa.Identity(), primary_key=True))
            continue
        default = sa.func.now() if column.name in table.timestamps else None
        type_ = sql_type(column.type, dialect)
        nullable = column.nullable
        columns.append(sa.Column(column.name, type_, nullable=nullable, server_default=default, autoincrement=False))
    keys = {ConstraintKind.PRIMARY: sa.PrimaryKeyConstraint, ConstraintKind.UNIQUE: sa.UniqueConstraint}
    declared = [keys[each.kind](*each.columns) for each in table.declared if each.kind in keys]
    return sa.Table(table.name, sa.MetaData(), *columns, *declared, schema=table.schema, comment=table.comment)


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


def sql_type(type_: ColumnType, dialect: SqlDialect) -> sa.types.TypeEngine[Any]:
    """The SQLAlchemy type of a column."""
    match type_.kind:
        case Kind.TEXT:
            sql: sa.types.TypeEngine[Any] = sa.String(type_.length) if type_.length else sa.Text()
        case Kind.INTEGER:
            sql = {16: sa.SmallInteger, 32: sa.Integer, 64: sa.BigInteger}[type_.bits]()
        case Kind.NUMERIC:
            sql = sa.Numeric(type_.precision, type_.scale)
        case Kind.FLOAT:
            sql = sa.Double()
        case Kind.BOOLEAN:
            # Without a CHECK: the conversion already restricts the values.
            sql = sa.Boolean(create_constraint=False)
        case Kind.DATE:
            sql = sa.Date()
        case Kind.TIME:
            sql = sa.Time()
        case Kind.TIMESTAMP:
            sql = sa.DateTime(timezone=type_.timezone)
        case Kind.INTERVAL:
            sql = dialect.interval_type()
        case Kind.OTHER:
            sql = sa.types.NullType()  # bound as text
    return sql
