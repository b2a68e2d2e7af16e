"""Columns of cells with facts about their contents.

Facts avoid work per cell: a column without a NUL is never searched for one, and a column of texts for a text column is
used as it is. A compiled reader has columns of its own, which know their facts; their cells become Python objects only
when their values are requested.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from tui_importer.core.model.cells import Cell
from tui_importer.core.model.encoded import EncodedBatch
from tui_importer.core.model.types import ColumnType

NUL = "\0"


class Column(Protocol):
    """The cells of one column of a batch, in row order. Immutable, so that each fact is computed at most once.

    A column, its store and its encoding can be pickled, so that another process can write them.
    """

    def __len__(self) -> int: ...

    @property
    def kinds(self) -> frozenset[type]:
        """The exact types of the cells that are not blank."""

    @property
    def blanks(self) -> int:
        """The number of blank cells."""

    @property
    def longest(self) -> int:
        """The length in characters of the longest text; 0 if there is none."""

    @property
    def has_nul(self) -> bool:
        """Whether any text contains U+0000, which no SQL text can."""

    @property
    def integral(self) -> bool:
        """Whether every float is a whole number; False if one is not finite."""

    def extremes(self, kind: type) -> tuple[Any, Any] | None:
        """The least and the greatest of the cells of this exact type.

        None if there are none or they have no order (a number is not finite, times with and without a zone).
        """

    @property
    def blank_mask(self) -> bytes:
        """One byte for each cell: 1 if it is blank, otherwise 0."""

    def values(self) -> Sequence[Cell]:
        """The cells as Python values; blanks are ``None``."""

    def take(self, rows: Sequence[int]) -> Sequence[Cell]:
        """The cells of these rows (from 0) as Python values."""

    def cast(self, type_: ColumnType) -> Column | None:
        """The same cells as values of a type: the column itself or another one.

        None if the facts do not prove that every cell fits: then the cells are converted one by one
        (:func:`tui_importer.core.conversion.convert.convert_cells`).
        """

    @property
    def store(self) -> ColumnStore | None:
        """The store that holds this column together with others of the same rows; None if there is none."""

    def slice(self, start: int, stop: int) -> Column:
        """The cells of rows ``start`` to ``stop`` (exclusive)."""

    def keep(self, selected: Sequence[bool]) -> Column:
        """The cells of the selected rows; ``selected`` has one entry per row."""


class ColumnStore(Protocol):
    """Stores several columns of the same rows and can return them by row.

    Both methods are called with columns whose :attr:`Column.store` is this object.
    """

    def records(self, columns: Sequence[Column]) -> Iterable[Sequence[Cell]] | None:
        """The cells of these columns by row, in their order; None if that is no cheaper than by column."""

    def encode(self, columns: Sequence[Column], format_: str) -> EncodedBatch | None:
        """The cells of these columns in the named encoding.

        None if the encoding is not supported, or cannot represent some cell.
        """


def common_store(columns: Sequence[Column]) -> ColumnStore | None:
    """The store that holds all of these columns; None if there is none."""
    store = columns[0].store if columns else None
    return store if all(column.store is store for column in columns) else None
