"""Tables: their constraints carry their kind, and are found by what the database calls them."""

from __future__ import annotations

import pytest

from tui_importer.core.model.table import Constraint, ConstraintKind, Table, TableColumn
from tui_importer.core.model.types import INTEGER, TEXT

KEY = Constraint(ConstraintKind.UNIQUE, ("name", "city"), "t_key")
NAMELESS = Constraint(ConstraintKind.PRIMARY, ("id",))
CHECK = Constraint(ConstraintKind.CHECK, ("id",), None, "id > 0")
NAMED_CHECK = Constraint(ConstraintKind.CHECK, ("id",), "small", "id < 9")
TABLE = Table(
    "t",
    (TableColumn("id", INTEGER, nullable=False), TableColumn("name", TEXT, nullable=False), TableColumn("city", TEXT)),
    declared=(KEY, NAMELESS, CHECK, NAMED_CHECK),
)


def test_not_null_columns_are_constraints() -> None:
    not_null = [Constraint(ConstraintKind.NOT_NULL, (name,)) for name in ("id", "name")]
    assert TABLE.constraints == (KEY, NAMELESS, CHECK, NAMED_CHECK, *not_null)


def test_planned_table_has_its_key_constraint() -> None:
    table = Table("t", (TableColumn("id", INTEGER, nullable=False), TableColumn("name", TEXT)), identity="id")
    assert table.constraints == (NAMELESS, Constraint(ConstraintKind.NOT_NULL, ("id",)))


@pytest.mark.parametrize(
    ("label", "found"),
    [("t_key", KEY), ("id > 0", CHECK), ("small", NAMED_CHECK), ("id < 9", None), ("other", None), (None, None)],
)
def test_constraint_is_found_by_its_database_name(label: str | None, found: Constraint | None) -> None:
    assert TABLE.constraint(label) == found
