"""The file of an import, opened before the rest of the program is imported."""

from __future__ import annotations

from pathlib import Path

from tui_importer.core.opening import Opening
from tui_importer.core.plan import Plan, database_of
from tui_importer.core.url import parse_address
from tui_importer.errors import PlanError
from tui_importer.plugins.registry import Registry
from tui_importer.plugins.specs import ReaderSpec

#: How long further imports wait for the reader, in seconds: it has both cores for so long with 100,000 rows, which are
#: read in 0.6 s then instead of 0.7.
_BEGUN_WITHIN = 0.3


def open_early(plan: Plan, registry: Registry) -> Opening:
    """Open the plan's file once it is known that the request makes sense; raises
    :class:`tui_importer.errors.UsageError` where it does not."""
    reader = check_names(plan, registry)
    opening = Opening(registry.make_reader(reader.name), plan.source)
    opening.wait_until_begun(_BEGUN_WITHIN)
    return opening


def check_names(plan: Plan, registry: Registry) -> ReaderSpec:
    """The plan's reader, once it is known that whatever the plan names is there; raises
    :class:`tui_importer.errors.UsageError` where it is not."""
    registry.strategy(plan.options.strategy)
    backend = registry.backend_for(parse_address(database_of(plan)).scheme)
    if plan.options.ledger_schema is not None and not backend.schemas:
        raise PlanError(f"{backend.name} has no schemas: leave --ledger-schema out")
    source = plan.source
    return registry.reader(source.reader) if source.reader else registry.reader_for(Path(source.file))
