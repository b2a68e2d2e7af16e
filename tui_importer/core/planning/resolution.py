"""Resolving a plan from the sheet's header, a known schema, the types of all cells and the existing table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import msgspec
from msgspec.structs import replace

from tui_importer.core.conversion.convert import Conversion
from tui_importer.core.conversion.inference import Inferred
from tui_importer.core.conversion.mapping import ColumnMapping, MappedColumn
from tui_importer.core.conversion.set_columns import filled_in
from tui_importer.core.model.cells import column_index, column_letters
from tui_importer.core.model.formats import ColumnFormat, Formats
from tui_importer.core.model.names import normalized, table_name
from tui_importer.core.model.patterns import pattern
from tui_importer.core.model.plan import ColumnPlan, Plan
from tui_importer.core.model.schemas import SCHEMAS, Schema, check_schema
from tui_importer.core.model.table import Index, Table, TableColumn
from tui_importer.core.model.table_names import joined_table_name, split_table_name
from tui_importer.core.model.write_mode import WriteKind, WriteMode
from tui_importer.core.planning.formats import (
    effective_format,
    formats_by_position,
    given_format,
    is_proven_by_texts,
    notes_on_texts,
    proven_format,
)
from tui_importer.core.planning.keys import resolved_mode, with_key, with_required_key
from tui_importer.core.planning.routes import (
    ColumnRoute,
    check_targets,
    fitting_route,
    in_shared_table,
    inferred_routes,
    known_headers,
    matched_routes,
    no_such_column,
    planned_routes,
    renamed_headers,
    shown_headers,
    skipped_headers,
    with_given_types,
    with_renamed,
)
from tui_importer.core.planning.set_columns import other_types, resolved_set_columns
from tui_importer.core.planning.tables import has_shape, new_table, renamed_table, with_added_columns, with_types
from tui_importer.core.source.layout import Layout
from tui_importer.core.source.open_source import GivenFormat
from tui_importer.errors import PlanError

#: Default names of sheets in spreadsheet programs; the file's name is used as the table's name instead.
_DEFAULT_SHEET = pattern(r"(?:sheet|tabelle|feuil|hoja|foglio|planilha|blad|arkusz|лист|sayfa)\s*\d*", re.IGNORECASE)


#: Nothing is known of other imports.
_NO_TYPES: Mapping[str, str] = MappingProxyType({})


class TargetChoice(msgspec.Struct, frozen=True):
    """The table's name, and the known schema that the sheet matches, if any."""

    name: str
    schema: Schema | None


class ResolvedPlan(msgspec.Struct, frozen=True):
    """A plan with all defaults resolved.

    ``create``: the table is to be created, with the ``indexes`` of its schema; ``replaces``: in place of one that
    exists. ``added`` are columns that are to be
    added to a table that exists. ``notes`` are for the user.
    """

    plan: Plan
    mapping: ColumnMapping
    create: bool
    replaces: bool = False
    added: tuple[TableColumn, ...] = ()
    indexes: tuple[Index, ...] = ()
    inferred: tuple[Inferred, ...] = ()
    notes: tuple[str, ...] = ()


class NamedSource(Protocol):
    """What a plan is resolved against: an open source, or one that was inspected before."""

    layout: Layout

    @property
    def path(self) -> Path: ...

    @property
    def name(self) -> str: ...

    def infer(self, given: GivenFormat) -> Sequence[Inferred]: ...

    def prove(self, given: Mapping[int, ColumnFormat]) -> Mapping[int, Inferred]: ...


class KnownSource(msgspec.Struct):
    """A source whose layout is known from an earlier inspection; it cannot infer types any more."""

    path: Path
    name: str
    layout: Layout

    def infer(self, given: GivenFormat) -> Sequence[Inferred]:
        return ()

    def prove(self, given: Mapping[int, ColumnFormat]) -> Mapping[int, Inferred]:
        return {}


def check_fit(plan: Plan, source: KnownSource, existing: Table | None) -> None:
    """Raise what :func:`resolve` would raise for an inspected source and the table as it is now."""
    choice = choose_target(plan, source.layout, source)
    if not (plan.columns is None and existing is None and choice.schema is None):  # otherwise only the sheet matters
        resolve(plan, source, choice, existing)


def choose_target(plan: Plan, layout: Layout, source: NamedSource) -> TargetChoice:
    """Choose the target table's name, from the plan, the schema, the sheet or the file."""
    schema = None if plan.columns is not None else _schema(plan.options.schema, layout)
    if plan.target.table:
        name = named_table(plan.target.table, source.path, source.name)
    elif schema:
        name = schema.table.name
    elif _DEFAULT_SHEET.fullmatch(source.name):
        name = table_name(source.path.stem)
    else:
        name = table_name(source.name)
    return TargetChoice(name, schema)


def named_table(table: str, path: Path, sheet: str) -> str:
    """The table of a plan that names it, for a file and its sheet."""
    places = {"file": table_name(path.stem), "sheet": table_name(sheet)}
    return joined_table_name(*split_table_name(filled_in(table, places, "--table")))


def resolve(
    plan: Plan,
    source: NamedSource,
    choice: TargetChoice,
    existing: Table | None,
    run_id: str = "",
    shared_types: Mapping[str, str] = _NO_TYPES,
) -> ResolvedPlan:
    """Resolve every column.

    ``existing`` is the target table if it exists; its types, lengths, NOT NULL constraints and keys then apply.
    ``run_id`` is the run's, if there is one already. ``shared_types`` are the columns of a new table that other imports
    fill, too (:mod:`tui_importer.core.planning.shared_types`). Raises :class:`PlanError` naming the column that cannot
    be mapped.
    """
    notes = list[str]()
    inferred: tuple[Inferred, ...] = ()
    if plan.columns is None and existing is None and choice.schema is None:
        inferred = infer_types(source, plan.formats)
    if plan.columns is not None:
        source.layout = source.layout.stretched(_positions(plan.columns))
    layout = source.layout
    headers = shown_headers(layout)
    skipped = skipped_headers(plan.options.skip, headers)
    renamed, extra_columns = renamed_headers(plan.options.rename, headers), plan.options.extra_columns
    added: tuple[TableColumn, ...] = ()
    set_names = list(plan.options.set_columns)
    replaces = (
        existing is not None
        and plan.target.write_mode.kind is WriteKind.REPLACE
        and not has_shape(existing, [*_imported_headers(plan, headers), *set_names], skipped, renamed)
    )
    if replaces:
        existing = None
        if plan.columns is None and choice.schema is None:
            inferred = infer_types(source, plan.formats)
    if existing is not None and plan.target.write_mode.needs_new_table:
        raise PlanError(f"table {existing.qualified_name!r} exists already, and --mode create makes a new one")
    if plan.columns is not None:
        routes = with_renamed(planned_routes(plan.columns, layout, headers), renamed)
        table = existing or new_table(choice.name, routes)
        if existing is not None and extra_columns == "add":
            existing, added = with_added_columns(existing, routes)
            table = existing
        if existing is not None:
            routes = [fitting_route(route, existing) for route in routes]
    elif existing is not None:
        table = existing
        routes = matched_routes(
            headers, layout.first_column, skipped, existing, choice.schema, renamed, extra_columns, notes
        )
        if extra_columns == "add" and len(routes) + len(skipped) < len(headers):
            matched = {route.position for route in routes}
            new = inferred_routes(layout, headers, skipped, infer_types(source, plan.formats), [])
            routes += [route for route in with_renamed(new, renamed) if route.position not in matched]
            existing, added = with_added_columns(existing, routes)
            table = existing
    elif choice.schema is not None:
        table = renamed_table(choice.schema.table, choice.name)
        notes.append(f"the header is that of schema {choice.schema.name!r}: its table and types are used")
        routes = matched_routes(
            headers, layout.first_column, skipped, table, choice.schema, renamed, extra_columns, notes
        )
    else:
        routes = with_renamed(inferred_routes(layout, headers, skipped, inferred, notes), renamed)
        routes = in_shared_table(routes, shared_types, dict(enumerate(inferred, start=layout.first_column)))
        table = new_table(choice.name, routes)
    if not routes:
        raise PlanError("no column is left to import")
    by_position = dict(enumerate(inferred, start=layout.first_column))
    types = other_types(plan.options.types, tuple(plan.options.set_columns))
    routes = with_given_types(routes, types, notes, existing, by_position)
    given = _given_formats(plan.formats, routes, headers)
    if inferred:
        notes += notes_on_texts(((each.header, each.type, by_position[each.position]) for each in routes), new=True)
    elif plan.columns is None:
        found = source.prove(
            {route.position: given[route.position] for route in routes if is_proven_by_texts(route.type)}
        )
        routes = [
            replace(route, format=proven_format(route.type, found[route.position]))
            if route.position in found
            else route
            for route in routes
        ]
        notes += notes_on_texts(
            ((each.header, each.type, found[each.position]) for each in routes if each.position in found), new=False
        )
    mode = resolved_mode(plan.target.write_mode, routes, table, exists=existing is not None)
    routes = with_required_key(routes, mode)
    if existing is None:
        table = replace(with_key(with_types(table, routes), mode), comment=plan.options.comment)
    table, set_columns = resolved_set_columns(
        plan, table, sheet=source.name, run_id=run_id, exists=existing is not None
    )
    check_targets(routes, table, [column.target for column in set_columns])
    mapping = ColumnMapping(
        sheet=source.name,
        first_column=layout.first_column,
        headers=headers,
        columns=tuple(
            MappedColumn(
                route.header,
                route.position,
                route.target,
                Conversion(
                    route.type,
                    route.required,
                    plan.options.error_cells,
                    plan.options.uncalculated,
                    effective_format(route.type, given[route.position], route.format),
                ),
            )
            for route in routes
        ),
        table=table,
        set_columns=set_columns,
    )
    indexes = renamed_table(choice.schema.table, choice.name).indexes if choice.schema else ()
    return ResolvedPlan(
        plan=_resolved(plan, source, table, routes, mode),
        mapping=mapping,
        create=existing is None,
        replaces=replaces,
        added=added,
        indexes=indexes,
        inferred=inferred,
        notes=tuple(notes),
    )


def _imported_headers(plan: Plan, headers: Sequence[str]) -> list[str]:
    """The headers of the sheet, or the targets of a plan that says which columns are imported."""
    return list(headers) if plan.columns is None else [column.target for column in plan.columns]


def infer_types(source: NamedSource, formats: Formats) -> tuple[Inferred, ...]:
    """The types of all columns of the source, whose layout may be extended by this."""
    given = formats_by_position(formats, source.layout)
    return tuple(source.infer(lambda position: given.get(position, formats.all)))


def _given_formats(formats: Formats, routes: Sequence[ColumnRoute], headers: Sequence[str]) -> dict[int, ColumnFormat]:
    """The user's format for each column, by its position; raises :class:`PlanError` for an unknown column."""
    known = {normalized(name) for name in (*headers, *(route.target for route in routes))}
    for name in formats.columns:
        if normalized(name) not in known:
            raise PlanError(f"formats: {no_such_column(name, headers)}")
    return {route.position: given_format(formats, route.header, route.target) for route in routes}


def _schema(choice: str, layout: Layout) -> Schema | None:
    if choice == "infer":
        return None
    if choice == "auto":
        headers = sorted(normalized(header) for header in layout.headers)
        return next((schema for schema in SCHEMAS.values() if sorted(known_headers(schema)) == headers), None)
    check_schema(choice)
    return SCHEMAS[choice]


def _positions(columns: Sequence[ColumnPlan]) -> list[int]:
    """The sheet columns (from 0) of a plan's columns, without those whose letter is invalid."""
    positions = []
    for column in columns:
        with suppress(ValueError):  # reported where the letter is needed
            positions.append(column_index(column.letter))
    return positions


def _resolved(plan: Plan, source: NamedSource, table: Table, routes: Sequence[ColumnRoute], mode: WriteMode) -> Plan:
    # A row of a joined header that is named would be taken alone.
    header_row = plan.source.header_row if source.layout.joined else source.layout.header_row
    return msgspec.structs.replace(
        plan,
        source=msgspec.structs.replace(plan.source, sheet=source.name, header_row=header_row),
        target=msgspec.structs.replace(
            plan.target if mode == WriteMode() else plan.target.in_mode(mode), table=table.qualified_name
        ),
        columns=tuple(
            ColumnPlan(
                source=route.header,
                letter=column_letters(route.position),
                target=route.target,
                type=str(route.type),
                required=route.required,
                format=route.format,
            )
            for route in routes
        ),
    )
