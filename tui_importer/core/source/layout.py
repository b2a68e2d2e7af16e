"""The position of the table in a sheet."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from msgspec.structs import replace

from tui_importer.core.model.ranges import CellRange


class Layout(msgspec.Struct, frozen=True):
    """Where a sheet's table is.

    ``header_row`` is a sheet row (from 1), 0 if there is none; of a header of two rows, it is the second one, and the
    header is ``joined``. The data rows are ``first_row`` to ``last_row``; None is
    the sheet's end. ``headers`` has one entry for each sheet column from ``first_column`` (from 0) on, None if blank.
    ``bounds`` is the user's range. ``notes`` describe what was found and left out.
    """

    header_row: int
    first_row: int
    last_row: int | None
    first_column: int
    headers: tuple[str | None, ...]
    notes: tuple[str, ...] = ()
    bounds: CellRange = msgspec.field(default_factory=CellRange)
    joined: bool = False

    def holds(self, row: int, column: int) -> bool:
        """Whether a cell (row from 1, column from 0) is in the table's data or headers."""
        first_row = self.header_row or self.first_row
        inside = first_row <= row and (self.last_row is None or row <= self.last_row)
        return inside and self.first_column <= column < self.first_column + len(self.headers)

    def stretched(self, filled: Collection[int]) -> Layout:
        """The layout extended to all ``filled`` sheet columns (from 0) that are inside the user's range.

        Called after all rows are read: a row far down may have cells outside the columns known so far.
        """
        last_column = self.bounds.last_column
        inside = [
            column
            for column in filled
            if column >= self.bounds.first_column and (last_column is None or column <= last_column)
        ]
        if not inside:
            return self
        if not self.headers:
            width = max(inside) - min(inside) + 1
            return replace(self, first_column=min(inside), headers=(None,) * width)
        left = max(0, self.first_column - min(inside))
        right = max(0, max(inside) - (self.first_column + len(self.headers) - 1))
        if not left and not right:
            return self
        headers = ((None,) * left) + self.headers + ((None,) * right)
        return replace(self, first_column=self.first_column - left, headers=headers)

    def columns(self, filled: Collection[int]) -> tuple[int, ...]:
        """The sheet columns (from 0) to import: those with a header, and those in ``filled``."""
        return tuple(
            column
            for column, header in enumerate(self.headers, start=self.first_column)
            if header is not None or column in filled
        )
