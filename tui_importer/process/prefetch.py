"""Opens the file of an import before the rest of the program is imported."""

from __future__ import annotations

from tui_importer.core.model.plan import Plan
from tui_importer.core.source.opening import Opening
from tui_importer.plugins.choice import choose, make_reader
from tui_importer.plugins.registry import Registry

#: How long further imports wait for the reader, in seconds: for so long it has both cores with 100,000 rows, which are
#: then read in 0.6 s instead of 0.7.
_BEGUN_WITHIN = 0.3


def open_early(plan: Plan, registry: Registry) -> Opening:
    """Open the plan's file after checking the request; raises :class:`tui_importer.errors.UsageError` if it makes no
    sense."""
    opening = Opening(make_reader(plan, choose(plan, registry).reader.name, registry), plan.source)
    opening.wait_until_begun(_BEGUN_WITHIN)
    return opening
