"""Advancing sequences past imported numbers, so that numbers assigned later do not collide with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from tui_importer.core.conversion.mapping import ColumnMapping
from tui_importer.core.model.table import Table
from tui_importer.core.model.types import Kind
from tui_importer.core.writing.backend import Backend


class SequenceKeeper(Protocol):
    """A :class:`~tui_importer.core.writing.backend.Backend` whose sequences do not follow imported numbers by
    themselves."""

    def advance_sequences(self, table: Table, columns: Sequence[str]) -> Sequence[str]:
        """Advance the sequences of these columns past the highest number in the table; never set them back.

        Called once all rows are committed. Returns notes for the user.
        """


def advance(backend: Backend, mapping: ColumnMapping) -> Sequence[str]:
    """Advance the sequences of the imported columns; returns notes for the user.

    Raises :class:`~tui_importer.errors.DatabaseError`.
    """
    advance_sequences: Callable[[Table, Sequence[str]], Sequence[str]] | None
    advance_sequences = getattr(backend, "advance_sequences", None)
    filled = {column.target for column in mapping.columns}
    numbered = [
        column.name
        for column in mapping.table.columns
        if column.name in filled and column.default and column.type.kind in (Kind.INTEGER, Kind.NUMERIC)
    ]
    return advance_sequences(mapping.table, numbered) if advance_sequences is not None and numbered else ()
