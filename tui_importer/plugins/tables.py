"""Chooses the tables of the imports of one run, where none is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui_importer.core.model.plan import Plan
from tui_importer.core.model.standard_input import source_path
from tui_importer.errors import ImporterError
from tui_importer.plugins.choice import choose, make_reader
from tui_importer.plugins.registry import Registry

if TYPE_CHECKING:
    from tui_importer.core.planning.shapes import Shape


def with_shared_tables(plans: Sequence[Plan], registry: Registry) -> tuple[Plan, ...]:
    """The plans of the imports of one run; those without a table that have the same shape go into the same one
    (:mod:`tui_importer.core.planning.shapes`).

    Opens the sources of several imports without a table. One that cannot be opened is left as it is: its import
    reports that. Raises :class:`tui_importer.errors.PlanError` if imports of different shapes would go into one table.
    """
    unnamed = [place for place, plan in enumerate(plans) if plan.target.table is None and plan.source.mends is None]
    if len(unnamed) < 2:
        return tuple(plans)
    shapes = {place: found for place in unnamed if (found := _shape(plans[place], registry)) is not None}
    from tui_importer.core.planning.shapes import in_table, tables_of

    tables = dict(zip(shapes, tables_of(list(shapes.values())), strict=True))
    if all(tables[place] == shape.table for place, shape in shapes.items()) and len({*tables.values()}) == len(tables):
        return tuple(plans)  # each goes where it goes alone
    return tuple(in_table(plan, tables[place]) if place in tables else plan for place, plan in enumerate(plans))


def _shape(plan: Plan, registry: Registry) -> Shape | None:
    # Here, since few runs have several imports, and this takes a while to import.
    from tui_importer.core.planning.shapes import shape_of
    from tui_importer.core.source.heads import open_head

    try:
        reader = make_reader(plan, choose(plan, registry).reader.name, registry)
        with open_head(source_path(plan.source.file), reader, plan.source) as source:
            return shape_of(plan, source)
    except (ImporterError, OSError):
        return None
    except Exception:  # noqa: BLE001  # third-party code may raise anything, and will again where that is reported
        return None
