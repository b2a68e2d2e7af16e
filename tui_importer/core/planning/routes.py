"""Where each column of the sheet goes: by a plan, by the names of a table or of a schema, or into a new table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from tui_importer.core.conversion.findings import finding_notes
from tui_importer.core.conversion.inference import Inferred
from tui_importer.core.model.cells import column_index, column_letters
from tui_importer.core.model.formats import PLAIN, ColumnFormat
from tui_importer.core.model.names import normalized, target_names
from tui_importer.core.model.plan import ColumnPlan, ExtraColumns
from tui_importer.core.model.schemas import Schema
from tui_importer.core.model.suggest import closest
from tui_importer.core.model.table import Table
from tui_importer.core.model.types import ColumnType
from tui_importer.core.planning.formats import proven_format
from tui_importer.core.source.layout import Layout
from tui_importer.errors import PlanError


class ColumnRoute(msgspec.Struct, frozen=True):
    """How one source column maps to a target column, before its conversion is known.

    ``position`` is the sheet column (from 0), ``format`` what its texts have proven.
    """

    header: str
    position: int
    target: str
    type: ColumnType
    required: bool
    format: ColumnFormat = PLAIN


def known_headers(schema: Schema) -> dict[str, str]:
    """The columns of a schema by their headers in normalized form."""
    return {normalized(header): target for header, target in schema.headers}


def shown_headers(layout: Layout) -> tuple[str, ...]:
    """The headers; a blank one is replaced by its column's letter."""
    return tuple(
        header or f"column {column_letters(layout.first_column + offset)}"
        for offset, header in enumerate(layout.headers)
    )


def skipped_headers(skip: Sequence[str], headers: Sequence[str]) -> frozenset[str]:
    """The headers of ``--skip`` in normalized form; raises :class:`PlanError` for an unknown one."""
    known = {normalized(header): header for header in headers}
    for name in skip:
        if normalized(name) not in known:
            raise PlanError(f"--skip: {no_such_column(name, headers)}")
    return frozenset(map(normalized, skip))


def no_such_column(name: str, headers: Sequence[str]) -> str:
    """What is said of a column that the sheet does not have."""
    close = closest(name, headers)
    hint = f"did you mean {close!r}?" if close else f"there are {', '.join(map(repr, headers[:20]))}"
    return f"the sheet has no column {name!r}: {hint}"


def planned_routes(columns: Sequence[ColumnPlan], layout: Layout, headers: Sequence[str]) -> list[ColumnRoute]:
    """The routes of a plan file: by header if it is unique, otherwise by letter."""
    places = [normalized(header) for header in headers]
    routes = []
    for column in columns:
        choice = normalized(column.source)
        if places.count(choice) == 1:
            offset = places.index(choice)
        else:
            try:
                offset = column_index(column.letter) - layout.first_column
            except ValueError as error:
                raise PlanError(f"column {column.source!r}: {error}") from error
            if not (0 <= offset < len(headers) and places[offset] == choice):
                raise PlanError(no_such_column(column.source, headers))
        type_ = ColumnType.parse(column.type)
        routes.append(
            ColumnRoute(
                headers[offset], layout.first_column + offset, column.target, type_, column.required, column.format
            )
        )
    return routes


def matched_routes(
    headers: Sequence[str],
    first_column: int,
    skipped: frozenset[str],
    table: Table,
    schema: Schema | None,
    renamed: Mapping[str, str],
    extra_columns: ExtraColumns,
    notes: list[str],
) -> list[ColumnRoute]:
    """Match columns by name: as they are renamed, as the schema specifies, otherwise by equal names.

    Columns that the table does not have are left out. Raises :class:`PlanError` for them if ``extra_columns`` says so.
    """
    targets = {normalized(column.name): column.name for column in table.columns}
    by_schema = known_headers(schema) if schema else {}
    routes, unmatched = [], []
    for offset, header in enumerate(headers):
        name = normalized(header)
        if name in skipped:
            continue
        target = table.column(renamed.get(name) or by_schema.get(name) or targets.get(name, ""))
        if target is None and name in renamed and extra_columns != "add":
            raise no_such_target(renamed[name], table)
        if target is None:
            unmatched.append(f"{header!r} (column {column_letters(first_column + offset)})")
        else:
            routes.append(
                fitting_route(
                    ColumnRoute(header, first_column + offset, target.name, target.type, required=False), table
                )
            )
    if unmatched and extra_columns == "ignore":
        which = "it is" if len(unmatched) == 1 else "they are"
        notes.append(f"table {table.qualified_name!r} has no column for {', '.join(unmatched)}: {which} left out")
    elif unmatched and extra_columns == "fail":
        raise PlanError(
            f"table {table.qualified_name!r} has no column for {', '.join(unmatched)}: say where it goes (--rename), "
            "leave it out (--skip), or add it to the table (--extra-columns add)"
        )
    return routes


def renamed_headers(rename: Mapping[str, str], headers: Sequence[str]) -> dict[str, str]:
    """The targets of ``--rename`` by their headers in normalized form.

    Raises :class:`PlanError` for an unknown header."""
    known = set(map(normalized, headers))
    for name in rename:
        if normalized(name) not in known:
            raise PlanError(f"--rename: {no_such_column(name, headers)}")
    return {normalized(name): target for name, target in rename.items()}


def with_renamed(routes: Sequence[ColumnRoute], renamed: Mapping[str, str]) -> list[ColumnRoute]:
    """The routes into a table that is not there yet, with the targets of ``--rename``."""
    return [replace(route, target=renamed.get(normalized(route.header), route.target)) for route in routes]


def no_such_target(name: str, table: Table) -> PlanError:
    """The error of a column that the table does not have."""
    close = closest(name, [column.name for column in table.columns])
    hint = f": did you mean {close!r}?" if close else ""
    return PlanError(f"table {table.qualified_name!r} has no column {name!r}{hint}")


def fitting_route(route: ColumnRoute, table: Table) -> ColumnRoute:
    """The route with the type and NOT NULL of the table's column. A blank that takes the default is not missing."""
    column = table.column(route.target)
    if column is None:
        raise no_such_target(route.target, table)
    if not column.writable:
        raise PlanError(
            f"column {route.target!r} of table {table.qualified_name!r} is filled by the database itself: "
            f"leave {route.header!r} out with --skip"
        )
    return replace(route, type=column.type, required=route.required or not (column.nullable or column.default))


def inferred_routes(
    layout: Layout,
    headers: Sequence[str],
    skipped: frozenset[str],
    inferred: Sequence[Inferred],
    notes: list[str],
) -> list[ColumnRoute]:
    """The routes into a new table whose columns have the types of all cells; notes on them go to ``notes``."""
    kept = [
        offset
        for offset, (header, found) in enumerate(zip(layout.headers, inferred, strict=True))
        # A column without a header and without cells is only a gap in the sheet.
        if normalized(headers[offset]) not in skipped and (header or found.cells > found.blanks)
    ]
    positions = [layout.first_column + offset for offset in kept]
    names = target_names([layout.headers[offset] for offset in kept], positions=positions)
    notes += names.notes
    notes += finding_notes((headers[offset], inferred[offset].findings) for offset in kept)
    return [
        ColumnRoute(
            headers[offset],
            layout.first_column + offset,
            name,
            inferred[offset].type,
            required=False,
            format=proven_format(inferred[offset].type, inferred[offset]),
        )
        for offset, name in zip(kept, names.names, strict=True)
    ]


def in_shared_table(
    routes: Sequence[ColumnRoute], types: Mapping[str, str], inferred: Mapping[int, Inferred]
) -> list[ColumnRoute]:
    """The routes into a new table with the names and types that its columns have for all imports that fill it."""
    shared = {normalized(name): (name, ColumnType.parse(text)) for name, text in types.items()}
    found = list[ColumnRoute]()
    for route in routes:
        name, type_ = shared.get(normalized(route.target), (route.target, route.type))
        # How the texts of this source are written is for themselves to say.
        found.append(replace(route, target=name, type=type_, format=proven_format(type_, inferred[route.position])))
    return found


def with_given_types(
    routes: list[ColumnRoute],
    types: Mapping[str, str],
    notes: list[str],
    existing: Table | None,
    inferred: Mapping[int, Inferred],
) -> list[ColumnRoute]:
    """The routes with the types of ``--type``, by header or target name."""
    places = {normalized(name): place for place, route in enumerate(routes) for name in (route.target, route.header)}
    routes = list(routes)
    for name, text in types.items():
        place = places.get(normalized(name))
        if place is None:
            raise PlanError(f"--type: {no_such_column(name, [route.header for route in routes])}")
        type_ = ColumnType.parse(text)
        if existing is None:
            position = routes[place].position
            format_ = proven_format(type_, inferred[position]) if position in inferred else routes[place].format
            routes[place] = replace(routes[place], type=type_, format=format_)
        elif type_ != routes[place].type:
            notes.append(
                f"--type {name}={text} has no effect: table {existing.qualified_name!r} is there already and says "
                f"{routes[place].type}"
            )
    return routes


def check_targets(routes: Sequence[ColumnRoute], table: Table, set_targets: Sequence[str] = ()) -> None:
    """Raise :class:`PlanError` if two columns have the same target, or a required target has none.

    ``set_targets`` are filled with a value instead of a column.
    """
    filled = [*(route.target for route in routes), *set_targets]
    for route in routes:
        if filled.count(route.target) > 1:
            other = "--set" if route.target in set_targets else "another column of the sheet"
            raise PlanError(f"{route.header!r} and {other} go into {route.target!r}: leave one out (--skip)")
    missing = [
        repr(column.name)
        for column in table.columns
        if not (column.nullable or column.default or column.name in filled)
        and column.name != table.identity
        and column.name not in table.timestamps
    ]
    if missing:
        raise PlanError(
            f"table {table.qualified_name!r} needs a value in {', '.join(missing)}, "
            "and no column of the sheet gives one"
        )
