"""Rows that the database accepts without an error but does not report as inserted.

A trigger may return NULL or raise IGNORE; a rule or a conflict clause of the table may do something else instead. Such
a row may be lost or stored elsewhere (by a trigger that fills partitions): the database does not say which.
"""

from __future__ import annotations

from tui_importer.core.model.batch_outcome import BatchOutcome
from tui_importer.core.model.completed_rows import Interval

#: The number of places that are named.
_PLACES = 3


class SuppressedRows:
    """Collects where the first suppressed rows of a run are."""

    def __init__(self) -> None:
        self._places: list[Interval] = []

    def add(self, outcome: BatchOutcome) -> None:
        """Add the outcome of a batch."""
        if not outcome.skipped or outcome.last_row is None:
            return
        exact = [Interval(row, row) for row in outcome.skipped_rows]
        found = sorted([*self._places, *(exact or [Interval(outcome.first_row, outcome.last_row)])])
        self._places = found[:_PLACES]

    def sentence(self, count: int, table: str) -> str:
        """The message about ``count`` such rows."""
        rows = "1 row was" if count == 1 else f"{count:,} rows were"
        them = "it" if count == 1 else "them"
        return (
            f"{rows} taken without an error, but the database did not report {them} as inserted: a trigger or rule of "
            f"table {table!r} kept {them} out, or put {them} elsewhere{self._where(count)}"
        )

    def _where(self, count: int) -> str:
        if not self._places:
            return ""
        named = ", ".join(map(_place, self._places))
        alone = all(place.first == place.last for place in self._places)
        more = " ..." if count > len(self._places) and alone else ""
        return f" ({'row' if count == 1 else 'rows'} {named}{more})" if alone else f" (among rows {named})"


def _place(place: Interval) -> str:
    return f"{place.first:,}" if place.first == place.last else f"{place.first:,} to {place.last:,}"
