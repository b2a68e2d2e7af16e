"""Words that stand for NULL, where the user says so."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from functools import cache

from tui_importer.core.model.cells import Cell, CellError, EmptyText
from tui_importer.core.model.column import Column
from tui_importer.core.model.list_column import ListColumn

#: Words that often stand for NULL. They are offered, never guessed.
OFFERED_WORDS = frozenset(
    (
        *("NA", "N/A", "n/a", "na", "N.A.", "n.a.", "#N/A", "NULL", "Null", "null", "None", "none", "NaN", "nan"),
        *("\\N", "-", "--", "---", "\u2013", "\u2014", ".", "..", "?", "(null)", "<NA>", "<null>", "nil"),
    )
)


#: The word for an empty text, as delimited text has it.
EMPTY_WORD = '""'


@cache
class NullWords:
    """The words that stand for NULL in a column. A number is compared by its value, an error cell by its code."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = frozenset(word.strip() for word in words)
        self._numbers = frozenset(_numbers(words))

    def applied(self, column: Column) -> Column:
        """The column with None for the cells that stand for NULL; the same column if there are none."""
        cells = column.values()
        if column.kinds == {str}:
            if self._words.isdisjoint(map(str.strip, cells if not column.blanks else filter(None, cells))):  # type: ignore[arg-type]
                return column
        elif not any(map(self._is_null, cells)):
            return column
        return ListColumn([None if self._is_null(cell) else cell for cell in cells])

    def _is_null(self, cell: Cell) -> bool:
        match cell:
            case str():
                return cell.strip() in self._words
            case bool():
                return False
            case int() | float() | Decimal():
                return cell in self._numbers
            case CellError(code):
                return code in self._words
            case EmptyText():
                return EMPTY_WORD in self._words
            case _:
                return False


def _numbers(words: Iterable[str]) -> Iterable[Decimal]:
    for word in words:
        try:
            number = Decimal(word.strip())
        except InvalidOperation:
            continue
        if number.is_finite():
            yield number
