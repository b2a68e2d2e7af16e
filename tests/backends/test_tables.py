"""The reflection of tables: every database tells the same constraints of the same table."""

from __future__ import annotations

import pytest

from tests.backends.test_ledger import opened
from tests.conftest import Database
from tui_importer.core.model.table import Constraint, ConstraintKind

PRIMARY, UNIQUE, FOREIGN = ConstraintKind.PRIMARY, ConstraintKind.UNIQUE, ConstraintKind.FOREIGN
CHECK, NOT_NULL = ConstraintKind.CHECK, ConstraintKind.NOT_NULL


def constraints(database: Database, table: str = "t") -> list[Constraint]:
    with opened(database) as (backend, _):
        found = backend.catalog.reflect(table)
    assert found is not None
    return sorted(found.constraints, key=lambda each: (each.kind, each.columns, each.partial))


def kinds_and_columns(found: list[Constraint]) -> list[tuple[ConstraintKind, tuple[str, ...]]]:
    return [(each.kind, each.columns) for each in found]


def test_every_kind_of_constraint_is_reflected(database: Database) -> None:
    database.execute(
        "CREATE TABLE other (k integer PRIMARY KEY);"
        "CREATE TABLE t (a integer, b integer NOT NULL, c text UNIQUE, d integer REFERENCES other (k),"
        " CONSTRAINT t_small CHECK (a < b), CONSTRAINT t_pair PRIMARY KEY (b, a), CONSTRAINT t_cd UNIQUE (c, d))"
    )
    found = constraints(database)
    named = {each.name: (each.kind, each.columns) for each in found if each.name}
    assert named["t_pair"] == (PRIMARY, ("b", "a"))
    assert named["t_cd"] == (UNIQUE, ("c", "d"))
    assert named["t_small"] == (CHECK, ("a", "b"))
    assert (FOREIGN, ("d",)) in kinds_and_columns(found)
    assert (UNIQUE, ("c",)) in kinds_and_columns(found)
    assert (NOT_NULL, ("b",)) in kinds_and_columns(found)
    assert not any(each.partial for each in found)
    assert len([each for each in found if each.kind is UNIQUE]) == 2  # an index that implements one is not another


def test_unnamed_check_is_identified_by_its_condition(sqlite: Database) -> None:
    sqlite.execute("CREATE TABLE t (a integer CHECK (a > 0))")
    assert constraints(sqlite) == [Constraint(CHECK, ("a",), None, "a > 0")]


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection:sqlalchemy.exc.SAWarning")
def test_unique_indexes_are_keys_and_filtered_ones_are_partial(database: Database) -> None:
    database.execute("CREATE TABLE t (a integer, b text)")
    database.execute("CREATE UNIQUE INDEX t_a ON t (a)")
    database.execute("CREATE UNIQUE INDEX t_b ON t (b) WHERE a > 0")
    database.execute("CREATE UNIQUE INDEX t_ab ON t (a, lower(b))")
    database.execute("CREATE INDEX t_slow ON t (b)")
    whole = [each for each in constraints(database) if not each.partial]
    assert whole == [Constraint(UNIQUE, ("a",), "t_a")]
    partial = {each.name for each in constraints(database) if each.partial}
    # SQLAlchemy does not reflect indexes on expressions of SQLite.
    assert partial == ({"t_b", "t_ab"} if database.kind == "postgresql" else {"t_b"})


def test_no_constraints_are_reflected_for_a_table_without_any(database: Database) -> None:
    database.execute("CREATE TABLE t (a integer, b text)")
    assert constraints(database) == []
