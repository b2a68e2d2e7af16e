"""Tables that a plan creates."""

from __future__ import annotations

import pytest

from tui_importer.core.model.schemas import BUSINESSES
from tui_importer.core.model.types import TEXT, ColumnType, Kind
from tui_importer.core.planning.routes import ColumnRoute
from tui_importer.core.planning.tables import new_table, renamed_table, with_types
from tui_importer.errors import PlanError


def test_a_new_table_has_the_columns_of_the_routes() -> None:
    table = new_table("shop.orders", [ColumnRoute("Name", 0, "name", TEXT, required=True)])
    assert (table.schema, table.name) == ("shop", "orders")
    assert [(column.name, column.type, column.nullable) for column in table.columns] == [("name", TEXT, False)]


def test_indexes_of_a_renamed_table_are_renamed() -> None:
    table = renamed_table(BUSINESSES.table, "firms")
    assert table.name == "firms"
    assert {index.name for index in table.indexes} >= {"idx_firms_name", "idx_firms_city"}
    assert renamed_table(BUSINESSES.table, BUSINESSES.table.name) is BUSINESSES.table


def test_native_type_cannot_be_created() -> None:
    route = ColumnRoute("a", 0, "a", ColumnType(Kind.OTHER, native="uuid"), required=False)
    with pytest.raises(PlanError, match="cannot be created here"):
        with_types(new_table("t", [route]), [route])
