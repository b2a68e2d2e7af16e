"""The columns of a new table that several imports fill: their names, and types that hold the values of all sources.

Without them, the first import would decide the types by its own cells, and the others' cells would be rejected.
"""

from __future__ import annotations

from tui_importer.core.conversion.common_type import common_type
from tui_importer.core.conversion.inference import ColumnInference, Inferred
from tui_importer.core.model.names import normalized
from tui_importer.core.model.plan import Plan
from tui_importer.core.planning.formats import formats_by_position
from tui_importer.core.planning.routes import (
    inferred_routes,
    renamed_headers,
    shown_headers,
    skipped_headers,
    with_renamed,
)
from tui_importer.core.source.open_source import OpenSource, results


class SharedTypes:
    """Collects the columns of the sources one by one. Of the cells, only what their types follow from is kept."""

    def __init__(self) -> None:
        self._columns: dict[str, tuple[str, list[tuple[ColumnInference, Inferred]]]] = {}

    def add(self, plan: Plan, source: OpenSource) -> None:
        """Read a source whose types follow from its cells. Raises what
        :func:`~tui_importer.core.planning.resolution.resolve` raises."""
        given = formats_by_position(plan.formats, source.layout)
        columns = source.inferences(lambda position: given.get(position, plan.formats.all))
        found, layout = results(columns), source.layout
        headers = shown_headers(layout)
        routes = inferred_routes(layout, headers, skipped_headers(plan.options.skip, headers), found, [])
        for route in with_renamed(routes, renamed_headers(plan.options.rename, headers)):
            offset = route.position - layout.first_column
            _, known = self._columns.setdefault(normalized(route.target), (route.target, []))
            known.append((columns[offset], found[offset]))

    def types(self) -> dict[str, str]:
        """The type of each column, by its name in the table."""
        return {name: str(common_type(columns)) for name, columns in self._columns.values()}
