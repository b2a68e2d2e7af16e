"""The types of new tables that several imports of a run fill: found from all of their sources, before the first import
begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tui_importer.core.model.plan import Plan, database_of
from tui_importer.core.model.standard_input import source_path
from tui_importer.core.planning.resolution import choose_target, named_table
from tui_importer.core.planning.shared_types import SharedTypes
from tui_importer.core.source.heads import open_head
from tui_importer.core.source.open_source import open_source
from tui_importer.core.source.reader import Reader
from tui_importer.errors import ImporterError


class Tables(Protocol):
    """What finding the types asks, and tells, of the imports by their places in the run (from 0)."""

    def exists(self, place: int, table: str) -> bool:
        """Whether there is such a table in the database of an import."""

    def begin(self, places: Sequence[int], table: str) -> bool:
        """The sources of these imports are read for the types of a new table; False if the run is being stopped."""


def shared_types(imports: Sequence[tuple[Plan, Reader]], tables: Tables) -> list[dict[str, str]]:
    """For each import, the types of the columns of its table that is not there yet and that others fill, too; empty if
    there is nothing that it has to know.

    A source that cannot be read has no say: its import reports that. Raises what ``tables`` raises.
    """
    found: list[dict[str, str]] = [{} for _ in imports]
    for (_, name), filling in _filled_by_several(imports).items():
        if tables.exists(filling[0], name):
            continue
        places = [place for place in filling if _is_to_be_read(*imports[place])]
        if len(places) < 2:
            continue
        if not tables.begin(places, name):
            break
        types = _types([imports[place] for place in places])
        for place in places:
            found[place] = types
    return found


def _filled_by_several(imports: Sequence[tuple[Plan, Reader]]) -> dict[tuple[str, str], list[int]]:
    """The places of the imports that fill one table with others, by their database and table."""
    found: dict[tuple[str, str], list[int]] = {}
    for place, (plan, reader) in enumerate(imports):
        if plan.columns is None and plan.source.mends is None and (name := _table(plan, reader)) is not None:
            found.setdefault((database_of(plan), name), []).append(place)
    return {table: places for table, places in found.items() if len(places) > 1}


def _table(plan: Plan, reader: Reader) -> str | None:
    """The table of an import; None if it is named by none, or not known without reading."""
    table, sheet = plan.target.table, plan.source.sheet
    if table is None:
        return None
    path = source_path(plan.source.file)
    try:
        if "{sheet}" in table and not isinstance(sheet, str):
            with open_head(path, reader, plan.source) as source:
                sheet = source.name
        return named_table(table, path, str(sheet))
    except (ImporterError, OSError):
        return None


def _is_to_be_read(plan: Plan, reader: Reader) -> bool:
    """Whether the types of a source follow from its cells."""
    try:
        with open_head(source_path(plan.source.file), reader, plan.source) as source:
            return choose_target(plan, source.layout, source).schema is None
    except (ImporterError, OSError):
        return False


def _types(imports: Sequence[tuple[Plan, Reader]]) -> dict[str, str]:
    shared = SharedTypes()
    for plan, reader in imports:
        try:
            with open_source(source_path(plan.source.file), reader, plan.source) as source:
                shared.add(plan, source)
        except (ImporterError, OSError):
            continue
    return shared.types()
