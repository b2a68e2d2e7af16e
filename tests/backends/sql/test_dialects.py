"""The hooks by which SQL databases differ, and that nothing else asks which database it talks to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

import tui_importer
from tui_importer.backends.sql.dialects import SqlDialect, dialect_of

if TYPE_CHECKING:
    from tests.conftest import Database

BACKENDS = Path(tui_importer.__file__).parent / "backends"

TABLE = sa.Table(
    "t",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("a", sa.Text),
    sa.Column("b", sa.Text),
)


def engine_of(database: Database) -> sa.Engine:
    if database.kind == "postgresql":
        url = database.url.replace("postgresql:", "postgresql+psycopg:")
    else:
        url = f"sqlite:///{database.url}"
    return sa.create_engine(url, poolclass=sa.NullPool)


@pytest.fixture(params=["postgres", "sqlite"])
def known(request: pytest.FixtureRequest) -> Database:
    """A database with hooks of its own."""
    found: Database = request.getfixturevalue(request.param)
    found.execute("CREATE TABLE t (id bigint PRIMARY KEY, a text, b text)")
    found.execute("INSERT INTO t VALUES (1, 'old', 'old')")
    return found


ROWS = [{"id": 1, "a": "new", "b": "new"}, {"id": 2, "a": "new", "b": "new"}]


def test_insert_ignoring_conflicts_leaves_existing_key(known: Database) -> None:
    engine = engine_of(known)
    with engine.begin() as connection:
        connection.execute(dialect_of(engine).insert_ignore(TABLE), ROWS)
    assert known.fetch("SELECT * FROM t ORDER BY id") == [(1, "old", "old"), (2, "new", "new")]


def test_unknown_database_has_no_assumed_capabilities() -> None:
    dialect = SqlDialect()
    assert str(dialect.insert_ignore(TABLE)) == "INSERT INTO t (id, a, b) VALUES (:id, :a, :b)"
    assert dialect.integer_bits is None
    assert not dialect.numbers("id", sa.Integer(), ["id"])


def test_only_dialect_hooks_depend_on_the_database_name() -> None:
    asks = re.compile(r"dialect\.name|drivername|with_variant|backend_name")
    asking = [
        f"{path.relative_to(BACKENDS)}: {line.strip()}"
        for path in sorted(BACKENDS.rglob("*.py"))
        for line in path.read_text().splitlines()
        if asks.search(line)
    ]
    assert asking == ["sql/dialects.py: return _DIALECTS.get(engine.dialect.name, _UNKNOWN)"]
