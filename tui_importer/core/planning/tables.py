"""The table that a plan writes to, where it does not exist yet."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from msgspec.structs import replace

from tui_importer.core.model.names import normalized, table_name
from tui_importer.core.model.table import Index, Table, TableColumn
from tui_importer.core.model.table_names import split_table_name
from tui_importer.core.model.types import Kind
from tui_importer.core.planning.routes import ColumnRoute
from tui_importer.errors import PlanError


def new_table(name: str, routes: Sequence[ColumnRoute]) -> Table:
    """A table of these columns. ``name`` may hold a schema."""
    schema, bare = split_table_name(name)
    columns = tuple(TableColumn(route.target, route.type, nullable=not route.required) for route in routes)
    return Table(name=bare, schema=schema, columns=columns)


def with_added_columns(table: Table, routes: Sequence[ColumnRoute]) -> tuple[Table, tuple[TableColumn, ...]]:
    """The table with a column for each route that has none, and these columns."""
    added = tuple(TableColumn(route.target, route.type) for route in routes if table.column(route.target) is None)
    return replace(table, columns=(*table.columns, *added)), added


def has_shape(table: Table, headers: Iterable[str], skipped: Container[str], renamed: Mapping[str, str]) -> bool:
    """Whether the columns of the sheet, without those that are skipped, are exactly those that the table needs."""
    kept = [header for header in headers if normalized(header) not in skipped]
    targets = {normalized(renamed.get(normalized(header), header)) for header in kept}
    known = {normalized(column.name) for column in table.columns}
    needed = {normalized(column.name) for column in table.columns if column.writable and not column.default}
    return needed <= targets <= known


def with_types(table: Table, routes: Sequence[ColumnRoute]) -> Table:
    """The table with the types of the routes; raises :class:`PlanError` for a type that only a database knows."""
    types = {route.target: route.type for route in routes}
    for route in routes:
        if route.type.kind is Kind.OTHER:
            raise PlanError(
                f"column {route.target!r}: a table with a column of type {route.type} cannot be created here"
            )
    return replace(
        table,
        columns=tuple(replace(column, type=types.get(column.name, column.type)) for column in table.columns),
    )


def renamed_table(table: Table, name: str) -> Table:
    """The table of a schema under another name, with indexes named after it."""
    if name == table.name:
        return table
    schema, bare = split_table_name(name)
    indexes = tuple(
        Index(table_name(f"idx_{bare}_{'_'.join(index.columns)}"), index.columns, index.unique)
        for index in table.indexes
    )
    return replace(table, name=bare, schema=schema, indexes=indexes)
