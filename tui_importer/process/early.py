"""The file of an import, opened before the rest of the program is imported."""

from __future__ import annotations

from pathlib import Path

from tui_importer.core.opening import Opening
from tui_importer.core.plan import Plan
from tui_importer.core.url import parse_address
from tui_importer.plugins.registry import Registry

#: How long further imports wait for the reader, in seconds: it has both cores for so long with 100,000 rows, which are
#: read in 0.6 s then instead of 0.7.
_BEGUN_WITHIN = 0.3


def open_early(plan: Plan, registry: Registry) -> Opening:
    """Open the plan's file once it is known that the request makes sense; raises
    :class:`tui_importer.errors.UsageError` where it does not."""
    registry.strategy(plan.options.strategy)
    if plan.target.database is not None:
        registry.backend_for(parse_address(plan.target.database).scheme)
    source = plan.source
    reader = registry.reader(source.reader) if source.reader else registry.reader_for(Path(source.file))
    opening = Opening(registry.make_reader(reader.name), source)
    opening.wait_until_begun(_BEGUN_WITHIN)
    return opening
