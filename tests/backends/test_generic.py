"""What other databases say when they refuse a row, and what can be told from it."""

from __future__ import annotations

import pytest

from tui_importer.backends.generic.errors import violated
from tui_importer.core.model.table import Constraint, ConstraintKind, Table, TableColumn
from tui_importer.core.model.types import ColumnType, Kind

ITEMS = Table(
    name="items",
    columns=tuple(TableColumn(name, ColumnType(Kind.TEXT)) for name in ("low", "label")),
    declared=(
        Constraint(ConstraintKind.PRIMARY, ("label", "low")),  # the database gave it no name
        Constraint(ConstraintKind.CHECK, ("low",), "in_order", "low < 10"),
        Constraint(ConstraintKind.UNIQUE, ("label",), "label_key"),
        Constraint(ConstraintKind.CHECK, ("low",), None, "low > 0"),
    ),
)


@pytest.mark.parametrize(
    ("message", "column", "constraint"),
    [
        ("(3819, \"Check constraint 'in_order' is violated.\")", None, "in_order"),
        ("(1062, \"Duplicate entry 'a' for key 'items.label_key'\")", None, "label_key"),
        ('The INSERT statement conflicted with the CHECK constraint "in_order".', None, "in_order"),
        ("ORA-02290: check constraint (SHOP.IN_ORDER) violated", None, "in_order"),
        ("CHECK constraint failed: low > 0", None, "low > 0"),
        ("CHECK constraint failed: low > 07", None, None),
        ("UNIQUE constraint failed: items.label, items.low", "label", None),
        # A value that is called like a constraint: nothing is guessed.
        ("(1062, \"Duplicate entry 'in_order' for key 'items.label_key'\")", None, None),
        ("(1048, \"Column 'low' cannot be null\")", None, None),
        ("", None, None),
    ],
)
def test_violated_constraint_is_parsed_from_the_error_message(
    message: str, column: str | None, constraint: str | None
) -> None:
    assert violated(message, ITEMS) == (column, constraint)
