"""From a plan to the imports of a run: each import reads one source.

This is the one place where several sources are found behind what a plan names.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tui_importer.core.model.plan import Plan
from tui_importer.errors import PlanError


def expand(plans: Iterable[Plan]) -> tuple[Plan, ...]:
    """The plans of the imports of one run, each of one source, in the order of the given plans and their sources."""
    return tuple(
        msgspec.structs.replace(plan, source=source, further_sources=()) if plan.further_sources else plan
        for plan in plans
        for source in plan.sources
    )


def only_import(plan: Plan) -> Plan:
    """The plan of a single import. Raises :class:`PlanError` if the given plan has several."""
    imports = expand([plan])
    if len(imports) > 1:
        raise PlanError(f"the plan has {len(imports)} sources: look at them one by one")
    return imports[0]
