"""Whether a table takes a sheet's columns is known before the import: what the setup screen asks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from tui_importer import Options, Plan, Source, Target
from tui_importer.inspection import inspect_source, look_at_target
from tui_importer.process.messages import LookAtTargetRequest, Request

if TYPE_CHECKING:
    from tests.conftest import Database

TABLES = {
    "CREATE TABLE orders (number integer)": "has no column for 'customer' (column B)",
    "CREATE TABLE orders (number integer, customer text, vat text NOT NULL)": "needs a value in 'vat'",
    "CREATE TABLE orders (number integer, customer text, vat text)": None,
    None: None,
}


@pytest.mark.parametrize("table", TABLES)
def test_incompatible_table_is_reported_as_an_obstacle(
    tmp_path: Path, sqlite: Database, postgres: Database, table: str | None
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("number,customer\n1,a\n")
    for database in (sqlite, postgres):
        if table is not None:
            database.execute(table)
        plan = Plan(source=Source(file=path), target=Target(database=database.url, table="orders"))
        found = inspect_source(plan)
        plan = msgspec.structs.replace(plan, source=found.plan.source)
        request: LookAtTargetRequest = msgspec.json.decode(
            msgspec.json.encode(LookAtTargetRequest(plan=plan, layout=found.layout)), type=Request
        )
        seen = look_at_target(request.plan, layout=request.layout)
        assert (seen.exists, seen.rows) == (table is not None, 0)
        assert (seen.obstacle is None) == (TABLES[table] is None)
        assert (TABLES[table] or "") in (seen.obstacle or "")


def test_skipping_a_column_removes_the_obstacle(tmp_path: Path, sqlite: Database) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("number,customer\n1,a\n")
    sqlite.execute("CREATE TABLE orders (number integer)")
    plan = Plan(source=Source(file=path), target=Target(database=sqlite.url, table="orders"))
    found = inspect_source(plan)
    plan = msgspec.structs.replace(plan, source=found.plan.source)
    assert look_at_target(plan, layout=found.layout).obstacle is not None
    plan = msgspec.structs.replace(plan, options=Options(skip=("customer",)))
    assert look_at_target(plan, layout=found.layout).obstacle is None


def test_known_schema_requires_its_columns_before_the_table_exists(tmp_path: Path, sqlite: Database) -> None:
    path = tmp_path / "directory.csv"
    header = "Name,Category,Phone,Email,Address,City,Country,Website,Description"
    path.write_text(f"{header}\na,b,c,d,e,f,g,h,i\n")
    plan = Plan(source=Source(file=path), target=Target(database=sqlite.url, table="businesses"))
    found = inspect_source(plan)
    plan = msgspec.structs.replace(plan, source=found.plan.source, options=Options(skip=("Name",)))
    obstacle = look_at_target(plan, layout=found.layout).obstacle
    assert obstacle is not None
    assert "'name'" in obstacle
