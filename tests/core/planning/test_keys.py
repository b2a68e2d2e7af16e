"""The key of a write mode, against the columns that are imported and the table that is there."""

from __future__ import annotations

import pytest

from tui_importer.core.model.table import Constraint, ConstraintKind, Table, TableColumn
from tui_importer.core.model.types import ColumnType, Kind
from tui_importer.core.model.write_mode import OnConflict, WriteKind, WriteMode
from tui_importer.core.planning.keys import resolved_mode, with_key, with_required_key
from tui_importer.core.planning.routes import ColumnRoute
from tui_importer.errors import PlanError

TEXT = ColumnType(Kind.TEXT)
UPSERT = WriteKind.UPSERT
ROUTES = [
    ColumnRoute(header, place, target, TEXT, required=False)
    for place, (header, target) in enumerate((("Id", "id"), ("E-Mail, main", "email"), ("Name", "name")))
]
COLUMNS = tuple(TableColumn(route.target, TEXT) for route in ROUTES)
PRIMARY = Constraint(ConstraintKind.PRIMARY, ("id",))


def table(*declared: Constraint, identity: str | None = None) -> Table:
    return Table("t", COLUMNS, schema="s", declared=declared, identity=identity)


def test_the_key_is_the_primary_key_by_default() -> None:
    assert resolved_mode(WriteMode(UPSERT), ROUTES, table(PRIMARY), exists=True).key == ("id",)


def test_rows_that_are_only_added_or_skipped_need_no_key() -> None:
    for mode in (WriteMode(), WriteMode(on_conflict=OnConflict.SKIP)):
        assert resolved_mode(mode, ROUTES, table(), exists=True) == mode


@pytest.mark.parametrize("names", [("ID", "e-mail, MAIN"), ("email,id",), ("id", "email")])
def test_key_columns_may_be_named_by_header_or_table_column(names: tuple[str, ...]) -> None:
    unique = Constraint(ConstraintKind.UNIQUE, ("email", "id"))
    mode = resolved_mode(WriteMode(UPSERT, names, update=("NAME",)), ROUTES, table(unique), exists=True)
    assert set(mode.key) == {"id", "email"}
    assert mode.update == ("name",)


@pytest.mark.parametrize(
    ("mode", "declared", "exists", "message"),
    [
        (WriteMode(UPSERT), (), True, "table 's.t' has no primary key: name the columns that identify a row"),
        (WriteMode(UPSERT), (), False, "table 's.t' is not there yet: name the columns"),
        (
            WriteMode(UPSERT),
            (Constraint(ConstraintKind.PRIMARY, ("number",)),),
            True,
            "the primary key of table 's.t' is 'number', and no column of the sheet gives 'number'",
        ),
        (
            WriteMode(UPSERT, ("name", "id")),
            (PRIMARY,),
            True,
            'CREATE UNIQUE INDEX ON "s"."t" \\("name", "id"\\)',
        ),
        (
            WriteMode(UPSERT, ("name",)),
            (Constraint(ConstraintKind.UNIQUE, ("name",), partial=True),),
            True,
            "table 's.t' does not keep 'name' unique",
        ),
        (WriteMode(UPSERT, ("nane",)), (PRIMARY,), True, "--key: the sheet has no column 'nane': there are 'Id'"),
        (
            WriteMode(UPSERT, update=("nane",)),
            (PRIMARY,),
            True,
            "--update: the sheet has no column 'nane': there are 'Id'",
        ),
    ],
    ids=str,
)
def test_key_that_cannot_identify_rows_is_refused(
    mode: WriteMode, declared: tuple[Constraint, ...], exists: bool, message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        resolved_mode(mode, ROUTES, table(*declared), exists=exists)


def test_a_row_without_a_key_is_rejected() -> None:
    required = [route.target for route in with_required_key(ROUTES, WriteMode(UPSERT, ("email",))) if route.required]
    assert required == ["email"]


@pytest.mark.parametrize(
    ("identity", "kind"), [(None, ConstraintKind.PRIMARY), ("number", ConstraintKind.UNIQUE)], ids=str
)
def test_a_new_table_enforces_the_key(identity: str | None, kind: ConstraintKind) -> None:
    made = with_key(table(identity=identity), WriteMode(UPSERT, ("email",)))
    assert made.declared == (Constraint(kind, ("email",)),)
    assert [column.name for column in made.columns if not column.nullable] == ["email"]
    assert with_key(table(), WriteMode()) == table()
