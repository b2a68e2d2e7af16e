"""The hooks by which SQL databases differ, and that nothing else asks which database it talks to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

import tui_importer
from tests.backends.test_ledger import opened
from tui_importer.backends.generic.backend import Generic
from tui_importer.backends.postgresql.backend import PostgreSQL
from tui_importer.backends.sql.database import SqlDatabase
from tui_importer.backends.sql.dialects import Part, PostgreSQLDialect, Sql, SQLiteDialect
from tui_importer.backends.sql.ledger_tables import LedgerTables, insertion
from tui_importer.backends.sql.sqlalchemy_database import SQLAlchemyDatabase, SQLAlchemyDialect
from tui_importer.backends.sqlite.backend import SQLite
from tui_importer.core.model.table import Constraint, ConstraintKind, Index, Table, TableColumn
from tui_importer.core.model.types import (
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    INTERVAL,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    ColumnType,
    Kind,
)
from tui_importer.errors import DatabaseError

if TYPE_CHECKING:
    from tests.conftest import Database

BACKENDS = Path(tui_importer.__file__).parent / "backends"

#: Every type that a table can be created with, in a table whose names no driver may misread.
TYPES = {
    "id": INTEGER,
    "a :b": TEXT,
    "50 %s": ColumnType(Kind.TEXT, length=9),
    "{c}": ColumnType(Kind.INTEGER, bits=16),
    'd"e': ColumnType(Kind.INTEGER, bits=32),
    "select": ColumnType(Kind.NUMERIC),
    "money": ColumnType(Kind.NUMERIC, precision=8, scale=2),
    "f": FLOAT,
    "g": BOOLEAN,
    "h": DATE,
    "i": TIME,
    "j": TIMESTAMP,
    "k": TIMESTAMPTZ,
    "l": INTERVAL,
}
COLUMNS = tuple(TableColumn(name, type_, nullable=name != "a :b") for name, type_ in TYPES.items())
ODD = Table(
    'Odd :t "100 %s" {u}',
    COLUMNS,
    identity="id",
    timestamps=("k",),
    declared=(Constraint(ConstraintKind.UNIQUE, ("a :b", "50 %s")),),
    comment="it's \\ 100 %s of :these {and} \\'those",
)
INDEX = Index("odd :index 5 %", ('d"e', "a :b"), unique=True)


@contextmanager
def databases(database: Database) -> Iterator[list[SqlDatabase]]:
    """The database through its driver and through SQLAlchemy."""
    if database.kind == "postgresql":
        url = database.url.replace("postgresql:", "postgresql+psycopg:")
    else:
        url = f"sqlite:///{database.url.removeprefix('sqlite+pysqlite:///')}"
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with opened(database) as (backend, _):
        assert isinstance(backend, PostgreSQL | SQLite | Generic)
        yield [backend._database, SQLAlchemyDatabase(engine)]
    engine.dispose()


def test_definitions_are_those_of_sqlalchemy(database: Database) -> None:
    """What is created without SQLAlchemy has the definition that SQLAlchemy would give it."""
    definitions = []
    with databases(database) as both:
        for each in both:
            with each.transaction("create it") as connection:
                for statement in each.dialect.creation(ODD):
                    connection.execute(statement)
                assert not each.dialect.has_index(connection, ODD, INDEX.name)
                connection.execute(each.dialect.index_creation(ODD, INDEX))
                added = TableColumn("m :n 5 %", ColumnType(Kind.NUMERIC, precision=3))
                for statement in each.dialect.column_additions(ODD, [added]):
                    connection.execute(statement)
                assert each.dialect.has_table(connection, ODD.name, None)
                assert each.dialect.has_index(connection, ODD, INDEX.name)
            with each.inspecting("look at it") as inspected:
                inspector = sa.inspect(inspected)
                definitions.append(
                    (
                        [{**column, "type": str(column["type"])} for column in inspector.get_columns(ODD.name)],
                        inspector.get_pk_constraint(ODD.name)["constrained_columns"],
                        [key["column_names"] for key in inspector.get_unique_constraints(ODD.name)],
                        [(index["name"], index["column_names"]) for index in inspector.get_indexes(ODD.name)],
                        inspector.get_table_comment(ODD.name) if database.kind == "postgresql" else ODD.comment,
                    )
                )
            with each.transaction("drop it") as connection:
                connection.execute(each.dialect.compose("DROP TABLE {table}", table=ODD))
    ours, theirs = (re.sub(r"now\(\)|CURRENT_TIMESTAMP", "now", str(found)) for found in definitions)
    assert ours == theirs
    assert "{'text': \"it's" in ours or database.kind != "postgresql"


def test_names_are_never_read_as_parameters(database: Database) -> None:
    with databases(database) as both:
        for each in both:
            dialect = each.dialect
            with each.transaction("write it") as connection:
                for statement in dialect.creation(ODD):
                    connection.execute(statement)
                template = "INSERT INTO {table} ({names}) VALUES (:first, :second)"
                statement = dialect.compose(template, table=ODD, names=("a :b", "50 %s"))
                connection.execute_many(statement, [{"first": "x :y %s", "second": str(row)} for row in range(5)])
                ids, values = dialect.listed("id", ["1", "3"])
                query = dialect.compose(
                    "SELECT {a}, {b} FROM {t} WHERE {b} IN ({ids})", a="a :b", b="50 %s", t=ODD, ids=ids
                )
                assert [tuple(row) for row in connection.rows(query, values)] == [("x :y %s", "1"), ("x :y %s", "3")]
            with each.reading("read it") as connection:
                everything = dialect.compose("SELECT {b} FROM {t} ORDER BY {b}", b="50 %s", t=ODD)
                assert [len(chunk) for chunk in connection.stream(everything, 2)] == [2, 2, 1]
                assert connection.value(dialect.limited(everything, 1)) == "0"
            with each.transaction("empty it") as connection:
                connection.execute(dialect.emptying(ODD))
                assert connection.row(everything) is None
                connection.execute(dialect.compose("DROP TABLE {table}", table=ODD))


def execute(database: SqlDatabase, *statements: str) -> None:
    with database.transaction("write it") as connection:
        for statement in statements:
            connection.execute(statement, {"n": 1})


def test_nothing_of_a_transaction_that_fails_is_left(database: Database) -> None:
    table = Table("t", (TableColumn("n", INTEGER),))
    with databases(database) as both:
        for each in both:
            with each.transaction("create it") as connection:
                connection.execute(each.dialect.creation(table)[0])
            with pytest.raises(DatabaseError, match="cannot write it"):
                execute(each, insertion(each.dialect, table, ["n"]), "nonsense")
            with each.transaction("drop it") as connection:
                assert connection.value(each.dialect.compose("SELECT count(*) FROM {t}", t=table)) == 0
                connection.execute(each.dialect.compose("DROP TABLE {t}", t=table))


def test_insert_ignoring_conflicts_leaves_existing_key(database: Database) -> None:
    database.execute("CREATE TABLE t (id bigint PRIMARY KEY, a text)")
    database.execute("INSERT INTO t VALUES (1, 'old')")
    table = Table("t", ())
    with databases(database) as both:
        for number, each in enumerate(both, start=2):
            statement = each.dialect.insert_ignore(insertion(each.dialect, table, ["id", "a"]))
            with each.transaction("write it") as connection:
                connection.execute_many(statement, [{"id": key, "a": "new"} for key in (1, number)])
    assert database.fetch("SELECT * FROM t ORDER BY id") == [(1, "old"), (2, "new"), (3, "new")]


def test_unknown_database_has_no_assumed_capabilities() -> None:
    dialect = SQLAlchemyDialect(sa.create_engine("sqlite://").dialect)
    assert dialect.insert_ignore("INSERT INTO t (id) VALUES (:id)") == "INSERT INTO t (id) VALUES (:id)"
    assert dialect.integer_bits is None
    assert not dialect.numbers("id", INTEGER, ["id"])
    assert (dialect.for_update, dialect.for_share) == ("", "")  # SQLite has neither
    assert dialect.limited("SELECT 1", 3) == "SELECT 1 LIMIT 3 OFFSET 0"


@pytest.mark.parametrize(
    ("scheme", "share", "limit"),
    [
        ("postgresql+psycopg", " FOR SHARE", " LIMIT 3"),
        ("mysql", " LOCK IN SHARE MODE", " LIMIT 3"),
        ("oracle", " FOR UPDATE", " FETCH FIRST 3 ROWS ONLY"),
        ("mssql", "", ""),
    ],
)
def test_statements_are_those_of_any_dialect_of_sqlalchemy(scheme: str, share: str, limit: str) -> None:
    made: list[sa.Engine] = []
    engine = sa.create_mock_engine(f"{scheme}://", made.append)
    dialect = SQLAlchemyDialect(engine.dialect)
    assert dialect.for_share == share
    assert dialect.limited("SELECT 1", 3) == f"SELECT 1{limit}"
    ledger = LedgerTables.of("ledger")
    for table in (ledger.run, ledger.batch, ledger.reject, ledger.mended, replace(ODD, schema="s")):
        [statement, *_] = dialect.creation(table)
        assert statement.startswith("CREATE TABLE")


def test_names_are_quoted_for_people_only_where_they_must_be() -> None:
    for dialect in (PostgreSQLDialect(), SQLiteDialect()):
        assert [dialect.display(name) for name in ("plain", "Mixed", "select", '5 % "x"')] == [
            "plain",
            '"Mixed"',
            '"select"',
            '"5 % ""x"""',
        ]


def test_parts_are_composed_and_parameters_written_for_the_driver() -> None:
    template = "SELECT {names}, x::text FROM {table} WHERE a = :a{for_update}"
    parts: dict[str, Part] = {"names": ("a%", "b"), "table": Table("t", (), schema="s")}
    postgresql = PostgreSQLDialect().compose(template, **parts)
    assert postgresql == 'SELECT "a%%", "b", x::text FROM "s"."t" WHERE a = %(a)s FOR UPDATE'
    assert isinstance(postgresql, Sql)
    sqlite = SQLiteDialect().compose(template, **parts)
    assert sqlite == 'SELECT "a%", "b", x::text FROM "s"."t" WHERE a = :a'


def test_only_dialect_hooks_depend_on_the_database_name() -> None:
    asks = re.compile(r"dialect\.name\b|drivername|with_variant|backend_name")
    asking = [
        f"{path.relative_to(BACKENDS)}: {line.strip()}"
        for path in sorted(BACKENDS.rglob("*.py"))
        for line in path.read_text().splitlines()
        if asks.search(line)
    ]
    assert len(asking) == 1
    assert asking[0].startswith("sql/sqlalchemy_database.py: known = _DIALECTS.get(")
