"""What is known of a source and of its table before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from tui_importer.core.conversion.findings import finding_notes
from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.model.cells import column_letters
from tui_importer.core.model.plan import Plan, checked, database_of
from tui_importer.core.model.preview import PREVIEW_COLUMNS, PREVIEW_ROWS, PREVIEW_TEXT, Preview
from tui_importer.core.model.standard_input import shown_source, source_path
from tui_importer.core.model.url import DatabaseAddress
from tui_importer.core.planning.expansion import only_import
from tui_importer.core.planning.resolution import KnownSource, check_fit, choose_target, infer_types, resolve
from tui_importer.core.run.context import Components
from tui_importer.core.run.import_history import has_grown
from tui_importer.core.run.shared_tables import shared_types
from tui_importer.core.source.layout import Layout
from tui_importer.core.source.open_source import OpenSource, open_source
from tui_importer.core.source.opening import sha256_of
from tui_importer.core.source.reader import SheetInfo
from tui_importer.core.writing.backend import Backend, ConnectionSettings
from tui_importer.errors import PlanError
from tui_importer.plugins.choice import components_of, sheets_of
from tui_importer.plugins.registry import Registry, load_registry

if TYPE_CHECKING:
    from tui_importer.core.run.difference import Difference


class Inspection(msgspec.Struct, frozen=True):
    """What is known of a source before anything is written.

    ``plan`` has all columns; ``evidence`` explains each column's type, by its letter. ``rows`` is None if the reader
    does not know it. ``notes`` are for the user; ``layout`` is that of the sheet.
    """

    plan: Plan
    reader: str
    sheets: tuple[SheetInfo, ...]
    rows: int | None
    evidence: dict[str, str]
    notes: tuple[str, ...]
    layout: Layout


def inspect_source(
    plan: Plan,
    *,
    ask_database: bool = False,
    registry: Registry | None = None,
    on_preview: Callable[[Preview], None] | None = None,
) -> Inspection:
    """Open the source and resolve its plan; nothing is written. All cells are read, whatever the schema.

    With ``ask_database``, the plan is resolved against the target table if it exists. ``on_preview`` is called with the
    first rows as soon as the file is open, before all cells are read. Raises the same errors as an import
    (:class:`tui_importer.errors.ImporterError`).
    """
    registry = registry or load_registry()
    plan = only_import(checked(plan), lambda each: sheets_of(each, registry))
    components = components_of(plan, registry)
    path = source_path(plan.source.file)
    with open_source(path, components.reader, plan.source) as source:
        if on_preview is not None:
            on_preview(_preview(source))
        layout = source.layout
        choice = choose_target(plan, layout, source)
        existing = None
        if ask_database:
            with _connected_backend(plan, components) as backend:
                existing = backend.catalog.reflect(choice.name)
        resolved = resolve(plan, source, choice, existing)
        inferred = resolved.inferred or infer_types(source, plan.formats)
        first = source.layout.first_column
        found_in = zip(resolved.mapping.headers, (found.findings for found in inferred), strict=True)
        findings = () if resolved.inferred else finding_notes(found_in)
        return Inspection(
            plan=_saveable(resolved.plan, components.address),
            reader=components.reader_name,
            sheets=tuple(source.workbook.sheets),
            rows=source.row_hint,
            evidence={column_letters(first + offset): found.evidence for offset, found in enumerate(inferred)},
            notes=(*components.reader.limits(path), *source.notes, *resolved.notes, *findings),
            layout=layout,
        )


class Definition(msgspec.Struct, frozen=True):
    """The statements that an import would execute before and after its rows, for its table; none if it is as it has to
    be. ``source`` is the file and its sheet, or several of them that go into the table."""

    source: str
    table: str
    statements: tuple[str, ...]


def table_definition(plan: Plan, *, registry: Registry | None = None) -> Definition:
    """Open the source and resolve its plan against the database; nothing is written.

    Raises the same errors as an import (:class:`tui_importer.errors.ImporterError`).
    """
    registry = registry or load_registry()
    return _definition(only_import(checked(plan), lambda each: sheets_of(each, registry)), {}, registry)


def table_definitions(plans: Sequence[Plan], *, registry: Registry | None = None) -> tuple[Definition, ...]:
    """The definitions for the imports of one run, whose tables are chosen; what several need is given once. As for
    :func:`table_definition`."""
    registry = registry or load_registry()
    types = shared_types([(each, components_of(each, registry).reader) for each in plans], _Tables(plans, registry))
    first: dict[tuple[str, str, tuple[str, ...]], Definition] = {}
    for plan, known in zip(plans, types, strict=True):
        found = _definition(plan, known, registry)
        # A new table is made by the first of the imports that share it.
        key = (database_of(plan), found.table, () if known else found.statements)
        before = first.get(key)
        first[key] = found if before is None else replace(before, source=f"{before.source}; {found.source}")
    return tuple(first.values())


@dataclass(frozen=True)
class _Tables:
    """Implements :class:`tui_importer.core.run.shared_tables.Tables` for imports that are not carried out."""

    plans: Sequence[Plan]
    registry: Registry

    def exists(self, place: int, table: str) -> bool:
        plan = self.plans[place]
        with _connected_backend(plan, components_of(plan, self.registry)) as backend:
            return backend.catalog.reflect(table) is not None

    def begin(self, places: Sequence[int], table: str) -> bool:
        return True


def _definition(plan: Plan, types: Mapping[str, str], registry: Registry) -> Definition:
    components = components_of(plan, registry)
    with (
        open_source(source_path(plan.source.file), components.reader, plan.source) as source,
        _connected_backend(plan, components) as backend,
    ):
        choice = choose_target(plan, source.layout, source)
        existing = backend.catalog.reflect(choice.name)
        resolved = resolve(plan, source, choice, existing, shared_types=types)
        table = resolved.mapping.table
        return Definition(
            source=f"{shown_source(plan.source.file)}, sheet {source.name}",
            table=table.qualified_name,
            statements=tuple(
                backend.catalog.definition_statements(
                    table, create=resolved.create, added=resolved.added, indexes=resolved.indexes
                )
            ),
        )


def compare_with_table(plan: Plan, *, registry: Registry | None = None) -> Difference:
    """Compare the source of a plan whose mode is upsert with its table, by the key; nothing is written.

    Raises the same errors as an import (:class:`tui_importer.errors.ImporterError`), and :class:`PlanError` if the
    table is not there.
    """
    from tui_importer.core.run.difference import difference  # no import needs it

    registry = registry or load_registry()
    plan = only_import(checked(plan), lambda each: sheets_of(each, registry))
    components = components_of(plan, registry)
    with (
        open_source(source_path(plan.source.file), components.reader, plan.source) as source,
        _connected_backend(plan, components) as backend,
    ):
        choice = choose_target(plan, source.layout, source)
        existing = backend.catalog.reflect(choice.name)
        if existing is None:
            raise PlanError(f"table {choice.name!r} is not there: name the one to compare with (--table)")
        resolved = resolve(plan, source, choice, existing)
        mode = resolved.plan.target.write_mode
        return difference(source, resolved.mapping, mode, backend.catalog, shown_source(plan.source.file))


class TargetTable(msgspec.Struct, frozen=True):
    """The state of a target before anything is written.

    ``exists``: there is such a table, with this many ``rows``. ``obstacle`` is why the plan cannot be carried out.
    ``doubles``: rows of an earlier version of the file are in the table, and would be there twice.
    """

    database: str
    table: str
    exists: bool
    rows: int
    obstacle: str | None = None
    doubles: bool = False


def look_at_target(plan: Plan, *, layout: Layout | None = None, registry: Registry | None = None) -> TargetTable:
    """Query the plan's target table, which must be named; nothing is written.

    With the ``layout`` of the plan's sheet, which must be named in the plan, it is also checked whether the table fits
    its columns. Raises :class:`tui_importer.errors.DatabaseError` if the database does not answer.
    """
    registry = registry or load_registry()
    plan = only_import(checked(plan), lambda each: sheets_of(each, registry))
    components = components_of(plan, registry)
    name = plan.target.table or ""
    with _connected_backend(plan, components) as backend:
        table = backend.catalog.reflect(name)
        rows = backend.catalog.count(table) if table else 0
        obstacle, doubles = None, False
        if isinstance(plan.source.sheet, str) and rows:
            doubles = _doubles(plan, backend, name)
        if layout is not None:
            try:
                check_fit(plan, KnownSource(source_path(plan.source.file), str(plan.source.sheet), layout), table)
            except PlanError as error:
                obstacle = str(error)
        shown = table.qualified_name if table else name
        return TargetTable(components.address.display, shown, table is not None, rows, obstacle, doubles)


def _doubles(plan: Plan, backend: Backend, table: str) -> bool:
    """Whether rows of an earlier version of the plan's file are in the table, and would be there twice."""
    path = source_path(plan.source.file)
    ledger = backend.ledger(plan.options.ledger_schema)
    try:
        past = ledger.history(table)
        mode = plan.target.write_mode
        return bool(past) and has_grown(past, str(path.absolute()), str(plan.source.sheet), sha256_of(path), mode)
    finally:
        ledger.close()


@contextmanager
def _connected_backend(plan: Plan, components: Components) -> Iterator[Backend]:
    """Open the plan's database for queries."""
    settings = ConnectionSettings(components.address.text, "tui_importer/inspect", plan.options.connect_timeout)
    backend = components.open_backend(settings)
    try:
        backend.connect()
        yield backend
    finally:
        backend.close()


def _preview(source: OpenSource) -> Preview:
    block = next(source.sheet.blocks(PREVIEW_ROWS), None)
    columns = block.columns[:PREVIEW_COLUMNS] if block else ()
    return Preview(
        sheets=tuple(sheet.name for sheet in source.workbook.sheets),
        sheet=source.name,
        first_row=block.first_row if block else 1,
        first_column=block.first_column if block else 0,
        rows=tuple(
            tuple((as_text(cell) or "")[:PREVIEW_TEXT] for cell in row)
            for row in zip(*(column.values() for column in columns), strict=True)
        ),
    )


def _saveable(plan: Plan, address: DatabaseAddress) -> Plan:
    """The plan without a password: an address with one is removed, to be given by --db or the environment."""
    if plan.target.database is None or address.display == plan.target.database:
        return plan
    return msgspec.structs.replace(plan, target=msgspec.structs.replace(plan.target, database=None))
