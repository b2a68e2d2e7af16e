"""Selects the plugins for a plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tui_importer.core.model.plan import Plan, database_of
from tui_importer.core.model.standard_input import source_path
from tui_importer.core.model.table_names import split_table_name
from tui_importer.core.model.url import DatabaseAddress, parse_address
from tui_importer.core.planning.expansion import expand
from tui_importer.core.source.content import head_of, may_be_packed
from tui_importer.core.source.reader import Reader, SheetInfo, described
from tui_importer.errors import PlanError, UsageError
from tui_importer.plugins.options import OptionSet
from tui_importer.plugins.registry import Registry
from tui_importer.plugins.specs import BackendSpec, ReaderSpec, StrategySpec

if TYPE_CHECKING:
    from tui_importer.core.run.context import Components
    from tui_importer.core.writing.backend import Backend, ConnectionSettings


class Chosen(NamedTuple):
    """The plugins selected for a plan."""

    reader: ReaderSpec
    strategy: StrategySpec
    backend: BackendSpec


def choose(plan: Plan, registry: Registry) -> Chosen:
    """Select the plugins that a plan names, or that match its file and its database; none is created yet.

    Raises :class:`tui_importer.errors.UsageError` for an unknown name, for a file that no reader opens, and for options
    that a plugin does not have or take.
    """
    registry.options.check(plan.options.plugin_options)
    strategy = registry.strategy(plan.options.strategy)
    address = parse_address(database_of(plan))
    backend = registry.backend_for(address.scheme)
    try:
        backend.check_url(address.text)
    except UsageError as error:
        raise PlanError(str(error)) from error
    if plan.options.ledger_schema is not None and not backend.schemas:
        raise PlanError(f"{backend.name} has no schemas: leave --ledger-schema out")
    if plan.target.table is not None and backend.schemas:
        schema, table = split_table_name(plan.target.table)
        if schema is None and "." in table:
            raise PlanError(f"table {plan.target.table}: a table with a dot in its name needs its schema before it")
    source = plan.source
    reader = registry.reader(source.reader) if source.reader else registry.reader_for(source_path(source.file))
    return Chosen(reader, strategy, backend)


def make_reader(plan: Plan, name: str, registry: Registry) -> Reader:
    """Create the reader with that name for a plan's source: for its text as the user describes it, packed or not."""
    reader = described(registry.make_reader(name, plan.options.plugin_options), plan.source, name)
    path = source_path(plan.source.file)
    if not may_be_packed(path.name, head_of(path)):
        return reader
    from tui_importer.core.source.packed import UnpackingReader, packed  # few files need it

    return reader if packed(path) is None else UnpackingReader(reader)


def sheets_of(plan: Plan, registry: Registry) -> Sequence[SheetInfo]:
    """The sheets of the plan's file."""
    with make_reader(plan, choose(plan, registry).reader.name, registry).open(
        source_path(plan.source.file)
    ) as workbook:
        return tuple(workbook.sheets)


def imports_of(plans: Iterable[Plan], registry: Registry) -> tuple[Plan, ...]:
    """The plans of the imports of one run (:func:`tui_importer.core.planning.expansion.expand`)."""
    return expand(plans, lambda plan: sheets_of(plan, registry))


def options_of(chosen: Chosen, registry: Registry) -> tuple[OptionSet, ...]:
    """The options of the selected plugins, for those that have any."""
    found = (registry.options.of(kind, spec.name) for kind, spec in zip(Chosen._fields, chosen, strict=True))
    return tuple(options for options in found if options is not None)


def unused_options(plan: Plan, chosen: Chosen, registry: Registry) -> tuple[str, ...]:
    """A note on each plugin that the plan has options for, but that it does not select."""
    names = {kind: spec.name for kind, spec in zip(Chosen._fields, chosen, strict=True)}
    names["executor"] = plan.options.executor
    given = dict.fromkeys(registry.options.named(plugin) for plugin in plan.options.plugin_options)
    return tuple(
        f"the options of {each.plugin!r} are not used: the {each.kind} of this import is {names[each.kind]!r}"
        for each in given
        if each.plugin != names[each.kind]
    )


def components_of(plan: Plan, registry: Registry) -> Components:
    """The plugins that carry out a plan's import, ready to be used."""
    from tui_importer.core.run.context import Components  # not before the source is being opened

    chosen, values = choose(plan, registry), plan.options.plugin_options
    reader, strategy, backend = chosen

    def open_backend(settings: ConnectionSettings) -> Backend:
        registry.set_up_backend(backend.name, reader.name)
        return registry.make_backend(backend.name, settings, values)

    return Components(
        reader_name=reader.name,
        reader=make_reader(plan, reader.name, registry),
        strategy_name=strategy.name,
        strategy=registry.make_strategy(strategy.name, values),
        backend_name=backend.name,
        open_backend=open_backend,
        address=target_address(plan),
        notes=unused_options(plan, chosen, registry),
    )


def target_address(plan: Plan) -> DatabaseAddress:
    """The address of the plan's database; by default an SQLite file in the current folder, named after the source."""
    return parse_address(database_of(plan))
