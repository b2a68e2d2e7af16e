"""Names of tables with schemas, dots and quotes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.model.table import Table
from tui_importer.core.model.table_names import joined_table_name, split_table_name


@pytest.mark.parametrize(
    ("text", "schema", "table"),
    [
        ("orders", None, "orders"),
        ("shop.orders", "shop", "orders"),
        ("db.shop.orders", "db.shop", "orders"),
        ('"Mixed"."Case"', "Mixed", "Case"),
        ('shop."a.b"', "shop", "a.b"),
        ('"a.b"', None, "a.b"),
        ('"say ""hi"""', None, 'say "hi"'),
        ('"a.b".c', "a.b", "c"),
        ('we"ird', None, 'we"ird'),
        ('a.we"ird', "a", 'we"ird'),
    ],
)
def test_table_names_are_split_into_schema_and_table(text: str, schema: str | None, table: str) -> None:
    assert split_table_name(text) == (schema, table)


def test_simple_names_are_joined_without_quotes() -> None:
    assert Table("Orders", (), "Shop").qualified_name == "Shop.Orders"
    assert Table("a.b", (), "Shop").qualified_name == '"Shop"."a.b"'
    assert Table("a.b", ()).qualified_name == '"a.b"'


PART = st.text(st.sampled_from('ab."X é'), min_size=1, max_size=6)


@given(schema=PART, table=PART)
def test_quoted_names_are_split_literally(schema: str, table: str) -> None:
    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    assert split_table_name(f"{quoted(schema)}.{quoted(table)}") == (schema, table)
    if "." in table:
        assert split_table_name(joined_table_name(schema, table)) == (schema, table)
