"""The file of an import, opened before the rest of the program is imported."""

from __future__ import annotations

from tui_importer.core.model.plan import Plan
from tui_importer.core.source.opening import Opening
from tui_importer.plugins.choice import choose
from tui_importer.plugins.registry import Registry

#: How long further imports wait for the reader, in seconds: it has both cores for so long with 100,000 rows, which are
#: read in 0.6 s then instead of 0.7.
_BEGUN_WITHIN = 0.3


def open_early(plan: Plan, registry: Registry) -> Opening:
    """Open the plan's file once it is known that the request makes sense; raises
    :class:`tui_importer.errors.UsageError` where it does not."""
    opening = Opening(registry.make_reader(choose(plan, registry).reader.name), plan.source)
    opening.wait_until_begun(_BEGUN_WITHIN)
    return opening
