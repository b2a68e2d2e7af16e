"""What differs between SQL databases, as hooks: nothing else asks which database it talks to.

Statements are composed from templates: ``:name`` is a parameter, which the driver binds, and ``{name}`` a part, which
:meth:`SqlDialect.compose` quotes. Templates are constants of this program; what users name comes in as parts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui_importer.core.model.patterns import pattern
from tui_importer.core.model.table import ConstraintKind, Index, Table, TableColumn
from tui_importer.core.model.types import ColumnType, Kind

if TYPE_CHECKING:
    from tui_importer.backends.sql.database import SqlConnection

#: Quotes an identifier.
Quote = Callable[[str], str]

#: A parameter of a template; ``::`` is PostgreSQL's cast.
_PARAMETER = pattern(r"(?<![:\w]):([a-z]\w*)")

_KEYS = {ConstraintKind.PRIMARY: "PRIMARY KEY", ConstraintKind.UNIQUE: "UNIQUE"}


class Sql(str):
    """A composed part of a statement, which is not quoted again."""

    __slots__ = ()


#: What stands for ``{name}`` in a template: a table, a name, a list of names, or what is composed already.
Part = Table | str | Sequence[str] | Sql


class SqlDialect(ABC):
    """How a kind of SQL database differs from others, beginning with standard SQL."""

    #: The width in bits of every integer column, whatever its declared type; None: that of the declared type.
    integer_bits: int | None = None
    #: Whether tables may have CHECK constraints of the same name as those of other tables.
    checks_named_per_table = False
    #: Whether the driver executes several statements in one text.
    takes_scripts = False
    #: Whether a dot in a table's name separates it from its schema.
    schemas = True
    #: What ends a SELECT that locks its rows against other writers, and against those who would lock them for update.
    for_update = ""
    for_share = ""
    #: The statement that opens a transaction, if the driver opens none by itself or one of another kind.
    begin: str | None = None
    #: The type of a number in a primary key, and what makes the database number it.
    key_type = "BIGINT"
    numbering = ""

    def quote(self, name: str) -> str:
        """The identifier for the database (ISO/IEC 9075-2, delimited identifier)."""
        doubled = name.replace('"', '""')
        return f'"{doubled}"'

    @abstractmethod
    def display(self, name: str) -> str:
        """The identifier for people: quoted only where the database needs it."""

    def compose(self, template: str, **parts: Part) -> Sql:
        """A statement for the driver. ``{for_update}`` and ``{for_share}`` need not be given."""
        named = {"for_update": Sql(self.for_update), "for_share": Sql(self.for_share), **parts}
        text = _PARAMETER.sub(lambda found: self.parameter(found[1]), template)
        return Sql(text.format(**{name: self._composed(part) for name, part in named.items()}))

    def listed(self, name: str, values: Sequence[str]) -> tuple[Sql, dict[str, str]]:
        """A list of parameters, as in ``IN ({list})``, and their values."""
        named = {f"{name}_{number}": value for number, value in enumerate(values)}
        return Sql(", ".join(map(self.parameter, named))), named

    def parameter(self, name: str) -> str:
        """A named parameter for the driver."""
        return f":{name}"

    def escape(self, text: str) -> str:
        """A name or a text in which the driver would look for parameters, so that it finds none."""
        return text

    def name_of(self, table: Table, quote: Quote | None = None) -> str:
        """The table's name with its schema, quoted."""
        return ".".join((quote or self._quoted)(part) for part in (table.schema, table.name) if part)

    @abstractmethod
    def has_table(self, connection: SqlConnection, name: str, schema: str | None) -> bool:
        """Whether there is a table or view of this name, in a schema or where names without a schema are looked up."""

    @abstractmethod
    def has_schema(self, connection: SqlConnection, name: str) -> bool:
        """Whether there is a schema of this name."""

    @abstractmethod
    def has_index(self, connection: SqlConnection, table: Table, name: str) -> bool:
        """Whether the table has an index of this name."""

    @abstractmethod
    def type_name(self, type_: ColumnType) -> str:
        """The name of a type; that of one that only the database knows is not needed."""

    def numbers(self, column: str, type_: ColumnType, primary_key: Sequence[str]) -> bool:
        """Whether the database numbers this column by itself, although the column has no default."""
        return False

    def insert_ignore(self, statement: str) -> str:
        """An INSERT that leaves out rows whose key is there already; without such a statement, one that fails for
        them."""
        return statement

    def limited(self, query: str, rows: int) -> str:
        """A query for the first rows of its result."""
        return f"{query} LIMIT {rows}"

    def insert_defaults(self, table: Table) -> str:
        """The INSERT of a row in which every column takes its default."""
        return self.compose("INSERT INTO {table} DEFAULT VALUES", table=table)

    def emptying(self, table: Table) -> str:
        """The statement that removes all rows of a table."""
        return self.compose("DELETE FROM {table}", table=table)

    def dropping(self, table: Table) -> str:
        """The statement that drops a table."""
        return self.compose("DROP TABLE {table}", table=table)

    def creation(self, table: Table, quote: Quote | None = None) -> list[str]:
        """The statements that create the table, without its indexes. ``quote`` is for people; a driver needs none."""
        quote = quote or self._quoted
        lines = [self._definition(table, column, quote) for column in table.columns]
        lines += [
            f"{_KEYS[each.kind]} ({', '.join(map(quote, each.columns))})"
            for each in table.constraints
            if each.kind in _KEYS
        ]
        body = "".join(f"\n    {line}," for line in lines).removesuffix(",")
        return [f"CREATE TABLE {self.name_of(table, quote)} ({body}\n)"]

    def schema_creation(self, name: str, quote: Quote | None = None) -> str:
        """The statement that creates a schema unless it is there."""
        missing = "" if quote else "IF NOT EXISTS "
        return f"CREATE SCHEMA {missing}{(quote or self._quoted)(name)}"

    def column_additions(self, table: Table, columns: Iterable[TableColumn], quote: Quote | None = None) -> list[str]:
        """The statements that add these columns to the table."""
        quoted, name = quote or self._quoted, self.name_of(table, quote)
        return [f"ALTER TABLE {name} ADD COLUMN {quoted(each.name)} {self.type_name(each.type)}" for each in columns]

    def index_creation(self, table: Table, index: Index, quote: Quote | None = None) -> str:
        """The statement that creates an index of the table."""
        quoted, unique = quote or self._quoted, "UNIQUE " if index.unique else ""
        columns = ", ".join(map(quoted, index.columns))
        return f"CREATE {unique}INDEX {quoted(index.name)} ON {self.name_of(table, quote)} ({columns})"

    def _definition(self, table: Table, column: TableColumn, quote: Quote) -> str:
        if column.name == table.identity:
            return f"{quote(column.name)} {self.key_type}{self.numbering} NOT NULL"
        default = "CURRENT_TIMESTAMP" if column.name in table.timestamps else column.default_sql
        parts = (
            quote(column.name),
            self.type_name(column.type),
            *(() if default is None else ("DEFAULT", default)),
            *(() if column.nullable else ("NOT NULL",)),
        )
        return " ".join(parts)

    def _quoted(self, name: str) -> str:
        return self.escape(self.quote(name))

    def _composed(self, part: Part) -> str:
        match part:
            case Sql():
                return part
            case Table():
                return self.name_of(part)
            case str():
                return self._quoted(part)
            case _:
                return ", ".join(map(self._quoted, part))


class OnConflictDialect(SqlDialect, ABC):
    """A database whose INSERT has ON CONFLICT."""

    def insert_ignore(self, statement: str) -> str:
        return f"{statement} ON CONFLICT DO NOTHING"


class PostgreSQLRules(OnConflictDialect, ABC):
    """PostgreSQL, whatever its driver."""

    takes_scripts = True
    checks_named_per_table = True

    def creation(self, table: Table, quote: Quote | None = None) -> list[str]:
        """The comment is written whatever standard_conforming_strings is (manual, 4.1.2.2)."""
        statements = super().creation(replace(table, comment=None), quote)
        if table.comment is not None:
            doubled = table.comment.replace("'", "''")
            escaped = doubled.replace("\\", "\\\\")
            text = f"'{doubled}'" if escaped == doubled else f"E'{escaped}'"
            name = self.name_of(table, quote)
            statements.append(f"COMMENT ON TABLE {name} IS {text if quote else self.escape(text)}")
        return statements

    def emptying(self, table: Table) -> str:
        """TRUNCATE can be undone like any other statement (manual, TRUNCATE)."""
        return self.compose("TRUNCATE TABLE {table}", table=table)


class SQLiteRules(OnConflictDialect, ABC):
    """SQLite, whatever its driver."""

    integer_bits = 64  # SQLite documentation, "Datatypes In SQLite"
    checks_named_per_table = True

    def numbers(self, column: str, type_: ColumnType, primary_key: Sequence[str]) -> bool:
        """A single INTEGER PRIMARY KEY is the rowid (SQLite documentation, "ROWIDs and the INTEGER PRIMARY KEY")."""
        return list(primary_key) == [column] and type_.kind is Kind.INTEGER


#: The kinds are tables, also partitioned and foreign ones, and views (manual, 52.11).
_RELATION = """
    SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = :name AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND CASE
        WHEN CAST(:schema AS text) IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
        ELSE n.nspname = :schema END
"""
_SCHEMAS = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = :name)"
_INDEXES = """
    SELECT EXISTS (
        SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = CAST(:table AS regclass) AND c.relname = :name)
"""


class PostgreSQLDialect(PostgreSQLRules):
    """PostgreSQL through psycopg."""

    for_update = " FOR UPDATE"
    for_share = " FOR SHARE"
    numbering = " GENERATED BY DEFAULT AS IDENTITY"

    def display(self, name: str) -> str:
        from sqlalchemy.dialects.postgresql.base import PGDialect  # it has the reserved words

        return str(PGDialect(paramstyle="named").identifier_preparer.quote(name))  # type: ignore[no-untyped-call]

    def parameter(self, name: str) -> str:
        return f"%({name})s"

    def escape(self, text: str) -> str:
        return text.replace("%", "%%")

    def has_table(self, connection: SqlConnection, name: str, schema: str | None) -> bool:
        return self.relation(connection, name, schema) is not None

    def relation(self, connection: SqlConnection, name: str, schema: str | None) -> int | None:
        """The OID of a table or view (:meth:`has_table`), or None."""
        oid: int | None = connection.value(self.compose(_RELATION), {"name": name, "schema": schema})
        return oid

    def has_schema(self, connection: SqlConnection, name: str) -> bool:
        return bool(connection.value(self.compose(_SCHEMAS), {"name": name}))

    def has_index(self, connection: SqlConnection, table: Table, name: str) -> bool:
        quoted = self.name_of(table, self.quote)
        return bool(connection.value(self.compose(_INDEXES), {"table": quoted, "name": name}))

    def type_name(self, type_: ColumnType) -> str:
        match type_.kind:
            case Kind.TIME:
                return "TIME WITHOUT TIME ZONE"
            case Kind.TIMESTAMP:
                return f"TIMESTAMP WITH{'' if type_.timezone else 'OUT'} TIME ZONE"
            case Kind.FLOAT:
                return "DOUBLE PRECISION"
            case _:
                return common_type_name(type_)


class SQLiteDialect(SQLiteRules):
    """SQLite through sqlite3."""

    schemas = False
    begin = "BEGIN IMMEDIATE"
    key_type = "INTEGER"  # a single INTEGER PRIMARY KEY is numbered

    def display(self, name: str) -> str:
        from sqlalchemy.dialects.sqlite.base import SQLiteDialect as Dialect  # it has the reserved words

        return str(Dialect().identifier_preparer.quote(name))

    def has_table(self, connection: SqlConnection, name: str, schema: str | None) -> bool:
        return connection.row(self.compose("SELECT 1 FROM pragma_table_info(:name)"), {"name": name}) is not None

    def has_schema(self, connection: SqlConnection, name: str) -> bool:
        return False

    def has_index(self, connection: SqlConnection, table: Table, name: str) -> bool:
        query = self.compose("SELECT 1 FROM pragma_index_list(:table) WHERE name = :name")
        return connection.row(query, {"table": table.name, "name": name}) is not None

    def type_name(self, type_: ColumnType) -> str:
        match type_.kind:
            case Kind.TIME | Kind.INTERVAL:
                return "TIME" if type_.kind is Kind.TIME else "TEXT"
            case Kind.TIMESTAMP:
                return "DATETIME"
            case Kind.FLOAT:
                return "DOUBLE"
            case _:
                return common_type_name(type_)


def common_type_name(type_: ColumnType) -> str:
    """The name of a type that databases call the same."""
    match type_.kind:
        case Kind.TEXT:
            return f"VARCHAR({type_.length})" if type_.length else "TEXT"
        case Kind.INTEGER:
            return {16: "SMALLINT", 32: "INTEGER", 64: "BIGINT"}[type_.bits]
        case Kind.NUMERIC if type_.precision is not None:
            return (
                f"NUMERIC({type_.precision})" if type_.scale is None else f"NUMERIC({type_.precision}, {type_.scale})"
            )
        case _:
            return type_.kind.value.upper()
