"""Which plugins a plan means."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tui_importer.core.model.plan import Plan, database_of
from tui_importer.core.model.url import parse_address
from tui_importer.errors import PlanError, UsageError
from tui_importer.plugins.registry import Registry
from tui_importer.plugins.specs import BackendSpec, ReaderSpec, StrategySpec


class Chosen(NamedTuple):
    """The plugins of a plan."""

    reader: ReaderSpec
    strategy: StrategySpec
    backend: BackendSpec


def choose(plan: Plan, registry: Registry) -> Chosen:
    """The plugins that a plan names, or that its file and its database want; none of them is made.

    Raises :class:`tui_importer.errors.UsageError` for a name that is not known and a file that no reader opens.
    """
    strategy = registry.strategy(plan.options.strategy)
    address = parse_address(database_of(plan))
    backend = registry.backend_for(address.scheme)
    try:
        backend.check_url(address.text)
    except UsageError as error:
        raise PlanError(str(error)) from error
    if plan.options.ledger_schema is not None and not backend.schemas:
        raise PlanError(f"{backend.name} has no schemas: leave --ledger-schema out")
    source = plan.source
    reader = registry.reader(source.reader) if source.reader else registry.reader_for(Path(source.file))
    return Chosen(reader, strategy, backend)
