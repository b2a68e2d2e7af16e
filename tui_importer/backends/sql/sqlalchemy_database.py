"""A database that SQLAlchemy knows: its connections, and the hooks of its dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateSchema, CreateTable, SetTableComment

from tui_importer.backends.sql.database import NO_PARAMETERS, Parameters, SqlConnection, SqlDatabase
from tui_importer.backends.sql.dialects import PostgreSQLRules, Quote, SqlDialect, SQLiteRules
from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.model.table import ConstraintKind, Index, Table, TableColumn
from tui_importer.core.model.types import ColumnType, Kind

#: SQLAlchemy keeps the row count of an INSERT only on request.
COUNTED: dict[str, Any] = {"preserve_rowcount": True}


class SQLAlchemyConnection(SqlConnection):
    """A connection of an engine."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, parameters: Parameters = NO_PARAMETERS) -> int:
        result = self._connection.execute(sa.text(statement), parameters, execution_options=COUNTED)
        return int(result.rowcount)

    def execute_many(self, statement: str, parameters: Sequence[Parameters]) -> None:
        self._connection.execute(sa.text(statement), parameters)

    def execute_script(self, script: str) -> None:
        self._connection.execution_options(no_parameters=True).exec_driver_sql(script)

    def rows(self, query: str, parameters: Parameters = NO_PARAMETERS) -> Sequence[Sequence[Any]]:
        return self._connection.execute(sa.text(query), parameters).all()

    def row(self, query: str, parameters: Parameters = NO_PARAMETERS) -> Sequence[Any] | None:
        return self._connection.execute(sa.text(query), parameters).first()

    def stream(self, query: str, rows: int) -> Iterator[Sequence[Sequence[Any]]]:
        streaming = self._connection.execution_options(yield_per=rows)
        yield from streaming.execute(sa.text(query)).partitions(rows)

    def commit(self) -> None:
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()

    @property
    def closed(self) -> bool:
        return self._connection.closed or self._connection.invalidated


class SQLAlchemyDatabase(SqlDatabase):
    """The database of an engine."""

    def __init__(self, engine: sa.Engine, dialect: SQLAlchemyDialect | None = None) -> None:
        """``dialect`` has the hooks of a database that differs from what SQLAlchemy tells."""
        self.engine = engine
        known = _DIALECTS.get(engine.dialect.name, SQLAlchemyDialect)
        self.dialect: SQLAlchemyDialect = dialect or known(engine.dialect)
        self.dialect.prepare(engine)
        super().__init__(self.dialect)

    def connect(self) -> SQLAlchemyConnection:
        return SQLAlchemyConnection(self.engine.connect())

    @contextmanager
    def connection(self) -> Iterator[SqlConnection]:
        with self.engine.connect() as connection:
            yield SQLAlchemyConnection(connection)

    @contextmanager
    def inspected(self) -> Iterator[sa.Connection]:
        with self.engine.connect() as connection:
            yield connection

    def cause(self, error: Exception) -> tuple[BaseException, bool] | None:
        return sqlalchemy_cause(error)


def sqlalchemy_cause(error: Exception) -> tuple[BaseException, bool] | None:
    """As :meth:`SqlDatabase.cause`, of SQLAlchemy's errors."""
    if isinstance(error, DBAPIError):
        return error.orig or error, error.connection_invalidated
    return (error, False) if isinstance(error, SQLAlchemyError) else None


class SQLAlchemyDialect(SqlDialect):
    """A database of which nothing is known but SQLAlchemy's dialect."""

    def __init__(self, dialect: sa.Dialect) -> None:
        # Text has no placeholders of the driver, for which it would want each % twice.
        make_dialect: type[Any] = type(dialect)
        self._shown: sa.Dialect = make_dialect(paramstyle="named")
        self.key_type = str(self.integer_key().compile(dialect=self._shown))
        self.for_update = self._ending(lambda query: query.with_for_update())
        self.for_share = self._ending(lambda query: query.with_for_update(read=True))

    def prepare(self, engine: sa.Engine) -> None:
        """Prepare an engine that was made from a URL alone."""

    def quote(self, name: str) -> str:
        return self.display(name)

    def display(self, name: str) -> str:
        return self._shown.identifier_preparer.quote(name)

    def escape(self, text: str) -> str:
        return text.replace(":", r"\:")

    def has_table(self, connection: SqlConnection, name: str, schema: str | None) -> bool:
        return inspector_of(connection).has_table(name, schema=schema)

    def has_schema(self, connection: SqlConnection, name: str) -> bool:
        return name in inspector_of(connection).get_schema_names()

    def has_index(self, connection: SqlConnection, table: Table, name: str) -> bool:
        found = inspector_of(connection).get_indexes(table.name, schema=table.schema)
        return name in {index["name"] for index in found}

    def type_name(self, type_: ColumnType) -> str:
        return str(self.sql_type(type_).compile(dialect=self._shown))

    def integer_key(self) -> sa.types.TypeEngine[Any]:
        """The type of an integer in a primary key."""
        return sa.BigInteger()

    def limited(self, query: str, rows: int) -> str:
        """Databases that limit a result otherwise than at the end of a query return all of it."""
        return query + self._ending(lambda select: select.limit(rows))

    def insert_defaults(self, table: Table) -> str:
        return self.escape(str(sa.insert(self._described(table)).values().compile(dialect=self._shown)))

    def creation(self, table: Table, quote: Quote | None = None) -> list[str]:
        described = self._described(table)
        made: list[sa.schema.ExecutableDDLElement] = [CreateTable(described)]
        if table.comment is not None and self._shown.supports_comments and not self._shown.inline_comments:
            made.append(SetTableComment(described))
        return [self._written(each, quote) for each in made]

    def schema_creation(self, name: str, quote: Quote | None = None) -> str:
        return self._written(CreateSchema(name, if_not_exists=quote is None), quote)

    def column_additions(self, table: Table, columns: Iterable[TableColumn], quote: Quote | None = None) -> list[str]:
        described = sa.Table(table.name, sa.MetaData(), schema=table.schema)
        name, statements = self._shown.identifier_preparer.format_table(described), list[str]()
        for column in columns:
            added = sa.Column(column.name, self.sql_type(column.type))
            described.append_column(added)
            text = f"ALTER TABLE {name} ADD COLUMN {CreateColumn(added).compile(dialect=self._shown)}"
            statements.append(text if quote else self.escape(text))
        return statements

    def index_creation(self, table: Table, index: Index, quote: Quote | None = None) -> str:
        described = self._described(table)
        columns = [described.c[column] for column in index.columns]
        return self._written(CreateIndex(sa.Index(index.name, *columns, unique=index.unique)), quote)

    def sql_type(self, type_: ColumnType) -> sa.types.TypeEngine[Any]:
        """SQLAlchemy's type of a column."""
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
                sql = sa.Interval()
            case Kind.OTHER:
                sql = sa.types.NullType()  # bound as text
        return sql

    def _described(self, table: Table) -> sa.Table:
        columns: list[sa.Column[Any]] = []
        for column in table.columns:
            if column.name == table.identity:
                columns.append(sa.Column(column.name, self.integer_key(), sa.Identity(), primary_key=True))
                continue
            default: Any = None if column.default_sql is None else sa.text(column.default_sql)
            if column.name in table.timestamps:
                default = sa.func.now()
            type_, nullable = self.sql_type(column.type), column.nullable
            columns.append(
                sa.Column(column.name, type_, nullable=nullable, server_default=default, autoincrement=False)
            )
        keys = {ConstraintKind.PRIMARY: sa.PrimaryKeyConstraint, ConstraintKind.UNIQUE: sa.UniqueConstraint}
        declared = [keys[each.kind](*each.columns) for each in table.declared if each.kind in keys]
        return sa.Table(table.name, sa.MetaData(), *columns, *declared, schema=table.schema, comment=table.comment)

    def _written(self, statement: sa.schema.ExecutableDDLElement, quote: Quote | None) -> str:
        lines = str(statement.compile(dialect=self._shown)).strip().expandtabs(4).splitlines()
        text = "\n".join(line.rstrip() for line in lines)
        return text if quote else self.escape(text)

    def _ending(self, changed: Callable[[sa.Select[Any]], sa.Select[Any]]) -> str:
        """What SQLAlchemy writes at the end of a query that is changed so."""
        query: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(sa.table("t"))
        plain, longer = (
            str(each.compile(dialect=self._shown, compile_kwargs={"literal_binds": True}))
            for each in (query, changed(query))
        )
        ending = longer.removeprefix(plain).split() if longer.startswith(plain) else []
        return "".join(f" {word}" for word in ending)


class _PostgreSQL(PostgreSQLRules, SQLAlchemyDialect):
    """PostgreSQL through any driver. SQLAlchemy would escape backslashes in a comment, unless it has asked the server
    whether to."""


class _SQLite(SQLiteRules, SQLAlchemyDialect):
    """SQLite through any driver."""

    def prepare(self, engine: sa.Engine) -> None:
        """Make the driver open transactions where we say so: by default it opens none before a SAVEPOINT (SQLAlchemy's
        documentation of the SQLite dialect, "Serializable isolation / Savepoints / Transactional DDL")."""

        @sa.event.listens_for(engine, "connect")
        def _on_connect(connection: Any, record: object) -> None:
            connection.isolation_level = None

        @sa.event.listens_for(engine, "begin")
        def _on_begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN")

    def integer_key(self) -> sa.types.TypeEngine[Any]:
        return sa.Integer()  # only INTEGER PRIMARY KEY is numbered

    def sql_type(self, type_: ColumnType) -> sa.types.TypeEngine[Any]:
        return IntervalText() if type_.kind is Kind.INTERVAL else super().sql_type(type_)


class IntervalText(sa.types.TypeDecorator[Any]):
    """Intervals as text, for databases without an interval type."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        """The value to bind for a cell."""
        return None if value is None else as_text(value)


def inspector_of(connection: SqlConnection) -> sa.Inspector:
    """SQLAlchemy's inspector of a connection of its own."""
    if not isinstance(connection, SQLAlchemyConnection):
        raise TypeError(f"{connection!r} is not a connection of SQLAlchemy")
    return sa.inspect(connection._connection)


#: The hooks of the databases that differ, by SQLAlchemy's name of their dialect.
_DIALECTS: dict[str, type[SQLAlchemyDialect]] = {"postgresql": _PostgreSQL, "sqlite": _SQLite}
