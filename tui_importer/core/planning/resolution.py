"""Resolving a plan from the sheet's header, a known schema, the types of all cells and the existing table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import msgspec

from tui_importer.core.conversion.convert import Conversion
from tui_importer.core.conversion.findings import finding_notes
from tui_importer.core.conversion.inference import Inferred
from tui_importer.core.conversion.mapping import ColumnMapping, MappedColumn
from tui_importer.core.model.cells import column_index, column_letters
from tui_importer.core.model.formats import PLAIN, ColumnFormat, Formats
from tui_importer.core.model.names import normalized, table_name, target_names
from tui_importer.core.model.plan import ColumnPlan, Plan
from tui_importer.core.model.schemas import SCHEMAS, Schema, check_schema
from tui_importer.core.model.suggest import closest
from tui_importer.core.model.table import Index, Table, TableColumn
from tui_importer.core.model.types import ColumnType, Kind
from tui_importer.core.planning.formats import (
    effective_format,
    formats_by_position,
    given_format,
    is_proven_by_texts,
    notes_on_texts,
    proven_format,
)
from tui_importer.core.source.layout import Layout
from tui_importer.core.source.open_source import GivenFormat
from tui_importer.errors import PlanError

#: Default names of sheets in spreadsheet programs; the file's name is used as the table's name instead.
_DEFAULT_SHEET = re.compile(r"(?:sheet|tabelle|feuil|hoja|foglio|planilha|blad|arkusz|лист|sayfa)\s*\d*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TargetChoice:
    """The table's name, and the known schema that the sheet matches, if any."""

    name: str
    schema: Schema | None


@dataclass(frozen=True, slots=True)
class ResolvedPlan:
    """A plan with all defaults resolved.

    ``create``: the table is to be created, with the ``indexes`` of its schema. ``notes`` are for the user.
    """

    plan: Plan
    mapping: ColumnMapping
    create: bool
    indexes: tuple[Index, ...] = ()
    inferred: tuple[Inferred, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnRoute:
    """How one source column maps to a target column, before its conversion is known.

    ``position`` is the sheet column (from 0), ``format`` what its texts have proven.
    """

    header: str
    position: int
    target: str
    type: ColumnType
    required: bool
    format: ColumnFormat = PLAIN


class NamedSource(Protocol):
    """What a plan is resolved against: an open source, or one that was inspected before."""

    layout: Layout

    @property
    def path(self) -> Path: ...

    @property
    def name(self) -> str: ...

    def infer(self, given: GivenFormat) -> Sequence[Inferred]: ...

    def prove(self, given: Mapping[int, ColumnFormat]) -> Mapping[int, Inferred]: ...


@dataclass
class KnownSource:
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
        name = plan.target.table
    elif schema:
        name = schema.table.name
    elif _DEFAULT_SHEET.fullmatch(source.name):
        name = table_name(source.path.stem)
    else:
        name = table_name(source.name)
    return TargetChoice(name, schema)


def resolve(plan: Plan, source: NamedSource, choice: TargetChoice, existing: Table | None) -> ResolvedPlan:
    """Resolve every column.

    ``existing`` is the target table if it exists; its types, lengths, NOT NULL constraints and keys then apply. Raises
    :class:`PlanError` naming the column that cannot be mapped.
    """
    notes = list[str]()
    inferred: tuple[Inferred, ...] = ()
    if plan.columns is None and existing is None and choice.schema is None:
        inferred = infer_types(source, plan.formats)
    if plan.columns is not None:
        source.layout = source.layout.stretched(_positions(plan.columns))
    layout = source.layout
    headers = _shown_headers(layout)
    skipped = _skipped(plan.options.skip, headers)
    if existing is not None and plan.target.write_mode.needs_new_table:
        raise PlanError(f"table {existing.qualified_name!r} exists already, and --mode create makes a new one")
    if plan.columns is not None:
        routes = _planned(plan.columns, layout, headers)
        table = existing or _new_table(choice.name, routes)
        if existing is not None:
            routes = [_fitting(route, existing) for route in routes]
    elif existing is not None:
        table = existing
        routes = _matched(headers, layout.first_column, skipped, existing, choice.schema, notes)
    elif choice.schema is not None:
        table = _renamed(choice.schema.table, choice.name)
        notes.append(f"the header is that of schema {choice.schema.name!r}: its table and types are used")
        routes = _matched(headers, layout.first_column, skipped, table, choice.schema, notes)
    else:
        routes = _inferred(layout, headers, skipped, inferred, notes)
        table = _new_table(choice.name, routes)
    if not routes:
        raise PlanError("no column is left to import")
    routes = _overridden(
        routes, plan.options.types, notes, existing, dict(enumerate(inferred, start=layout.first_column))
    )
    given = _given_formats(plan.formats, routes, headers)
    if inferred:
        by_position = dict(enumerate(inferred, start=layout.first_column))
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
    if existing is None:
        table = _with_types(table, routes)
    _check_targets(routes, table)
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
                    effective_format(route.type, given[route.position], route.format),
                ),
            )
            for route in routes
        ),
        table=table,
    )
    indexes = _renamed(choice.schema.table, choice.name).indexes if choice.schema else ()
    return ResolvedPlan(
        _resolved(plan, source, table, routes), mapping, existing is None, indexes, inferred, tuple(notes)
    )


def infer_types(source: NamedSource, formats: Formats) -> tuple[Inferred, ...]:
    """The types of all columns of the source, whose layout may be extended by this."""
    given = formats_by_position(formats, source.layout)
    return tuple(source.infer(lambda position: given.get(position, formats.all)))


def _given_formats(formats: Formats, routes: Sequence[ColumnRoute], headers: Sequence[str]) -> dict[int, ColumnFormat]:
    """The user's format for each column, by its position; raises :class:`PlanError` for a column that there is not."""
    known = {normalized(name) for name in (*headers, *(route.target for route in routes))}
    for name in formats.columns:
        if normalized(name) not in known:
            raise PlanError(f"formats: {_no_column(name, headers)}")
    return {route.position: given_format(formats, route.header, route.target) for route in routes}


def _schema(choice: str, layout: Layout) -> Schema | None:
    if choice == "infer":
        return None
    if choice == "auto":
        headers = sorted(normalized(header) for header in layout.headers)
        return next((schema for schema in SCHEMAS.values() if sorted(_known(schema)) == headers), None)
    check_schema(choice)
    return SCHEMAS[choice]


def _known(schema: Schema) -> dict[str, str]:
    return {normalized(header): target for header, target in schema.headers}


def _shown_headers(layout: Layout) -> tuple[str, ...]:
    """The headers; a blank one is replaced by its column's letter."""
    return tuple(
        header or f"column {column_letters(layout.first_column + offset)}"
        for offset, header in enumerate(layout.headers)
    )


def _skipped(skip: Sequence[str], headers: Sequence[str]) -> frozenset[str]:
    known = {normalized(header): header for header in headers}
    for name in skip:
        if normalized(name) not in known:
            raise PlanError(f"--skip: {_no_column(name, headers)}")
    return frozenset(map(normalized, skip))


def _no_column(name: str, headers: Sequence[str]) -> str:
    close = closest(name, headers)
    hint = f"did you mean {close!r}?" if close else f"there are {', '.join(map(repr, headers[:20]))}"
    return f"the sheet has no column {name!r}: {hint}"


def _positions(columns: Sequence[ColumnPlan]) -> list[int]:
    """The sheet columns (from 0) of a plan's columns, without those whose letter is invalid."""
    positions = []
    for column in columns:
        with suppress(ValueError):  # reported where the letter is needed
            positions.append(column_index(column.letter))
    return positions


def _planned(columns: Sequence[ColumnPlan], layout: Layout, headers: Sequence[str]) -> list[ColumnRoute]:
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
                raise PlanError(_no_column(column.source, headers))
        type_ = ColumnType.parse(column.type)
        routes.append(
            ColumnRoute(
                headers[offset], layout.first_column + offset, column.target, type_, column.required, column.format
            )
        )
    return routes


def _matched(
    headers: Sequence[str],
    first_column: int,
    skipped: frozenset[str],
    table: Table,
    schema: Schema | None,
    notes: list[str],
) -> list[ColumnRoute]:
    """Match columns by name: as the schema specifies, otherwise by equal names."""
    targets = {normalized(column.name): column.name for column in table.columns}
    by_schema = _known(schema) if schema else {}
    routes, unmatched = [], []
    for offset, header in enumerate(headers):
        name = normalized(header)
        if name in skipped:
            continue
        target = table.column(by_schema.get(name) or targets.get(name, ""))
        if target is None:
            unmatched.append(f"{header!r} (column {column_letters(first_column + offset)})")
        else:
            routes.append(
                _fitting(ColumnRoute(header, first_column + offset, target.name, target.type, required=False), table)
            )
    if unmatched:
        raise PlanError(
            f"table {table.qualified_name!r} has no column for {', '.join(unmatched)}: leave it out with --skip, "
            "or say where it goes in a plan file (tui-importer inspect FILE --save plan.toml)"
        )
    return routes


def _fitting(route: ColumnRoute, table: Table) -> ColumnRoute:
    """The route with the type and NOT NULL of the table's column. A blank that takes the default is not missing."""
    column = table.column(route.target)
    if column is None:
        names = [column.name for column in table.columns]
        close = closest(route.target, names)
        hint = f": did you mean {close!r}?" if close else ""
        raise PlanError(f"table {table.qualified_name!r} has no column {route.target!r}{hint}")
    if not column.writable:
        raise PlanError(
            f"column {route.target!r} of table {table.qualified_name!r} is filled by the database itself: "
            f"leave {route.header!r} out with --skip"
        )
    return replace(route, type=column.type, required=route.required or not (column.nullable or column.default))


def _inferred(
    layout: Layout,
    headers: Sequence[str],
    skipped: frozenset[str],
    inferred: Sequence[Inferred],
    notes: list[str],
) -> list[ColumnRoute]:
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


def _overridden(
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
            raise PlanError(f"--type: {_no_column(name, [route.header for route in routes])}")
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


def _new_table(name: str, routes: Sequence[ColumnRoute]) -> Table:
    schema, _, bare = name.rpartition(".")
    columns = tuple(TableColumn(route.target, route.type, nullable=not route.required) for route in routes)
    return Table(name=bare, schema=schema or None, columns=columns)


def _with_types(table: Table, routes: Sequence[ColumnRoute]) -> Table:
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


def _renamed(table: Table, name: str) -> Table:
    if name == table.name:
        return table
    schema, _, bare = name.rpartition(".")
    indexes = tuple(
        Index(table_name(f"idx_{bare}_{'_'.join(index.columns)}"), index.columns, index.unique)
        for index in table.indexes
    )
    return replace(table, name=bare, schema=schema or None, indexes=indexes)


def _check_targets(routes: Sequence[ColumnRoute], table: Table) -> None:
    """Raise :class:`PlanError` if two columns have the same target, or a required target has none."""
    filled = [route.target for route in routes]
    for route in routes:
        if filled.count(route.target) > 1:
            raise PlanError(f"two columns of the sheet go into {route.target!r}: leave one out (--skip)")
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


def _resolved(plan: Plan, source: NamedSource, table: Table, routes: Sequence[ColumnRoute]) -> Plan:
    return msgspec.structs.replace(
        plan,
        source=msgspec.structs.replace(plan.source, sheet=source.name, header_row=source.layout.header_row),
        target=msgspec.structs.replace(plan.target, table=table.qualified_name),
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
