"""Advancing sequences past imported numbers, so that numbers assigned later do not collide with them."""

from __future__ import annotations

from collections.abc import Sequence

from tui_importer.core.conversion.mapping import ColumnMapping
from tui_importer.core.model.types import Kind
from tui_importer.core.writing.catalog import Catalog


def advance(catalog: Catalog, mapping: ColumnMapping) -> Sequence[str]:
    """Advance the sequences of the imported columns; returns notes for the user.

    Raises :class:`~tui_importer.errors.DatabaseError`.
    """
    filled = frozenset(mapping.targets)
    numbered = [
        column.name
        for column in mapping.table.columns
        if column.name in filled and column.default and column.type.kind in (Kind.INTEGER, Kind.NUMERIC)
    ]
    return catalog.advance_sequences(mapping.table, numbered) if numbered else ()
