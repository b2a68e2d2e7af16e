"""Cell values beyond ordinary Python values, and the names of cells and columns."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import msgspec

#: The limits of a worksheet (ECMA-376 part 1, 18.3.1.73 and Excel's published specifications).
MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384

MIDNIGHT = dt.time()


class CellError(msgspec.Struct, frozen=True):
    """An error value in a cell, such as ``#N/A`` or ``#DIV/0!``."""

    code: str

    def __str__(self) -> str:
        return self.code


class UncalculatedFormula(msgspec.Struct, frozen=True):
    """A formula whose value no program has ever calculated and saved: not blank, but unknown."""

    text: str = ""

    def __str__(self) -> str:
        return f"={self.text}" if self.text else "=?"


class EmptyText:
    """An empty text that delimited text distinguishes from a blank cell: ``""`` between two delimiters.

    It equals ``''``, so it is a blank cell wherever nothing else is said of it.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EmptyText) or other == ""

    def __hash__(self) -> int:
        return hash("")

    def __str__(self) -> str:
        return ""

    def __repr__(self) -> str:
        return "EmptyText()"


EMPTY_TEXT = EmptyText()


class MalformedRecord(msgspec.Struct, frozen=True):
    """A line of delimited text that cannot be cut into cells. Every cell of its row is the same object.

    ``reason`` names the line and what is wrong; ``text`` is the line.
    """

    reason: str
    text: str

    def __str__(self) -> str:
        return self.text


#: A cell as a reader returns it. ``None`` and ``''`` are both blank.
Cell = (
    None
    | str
    | int
    | float
    | bool
    | Decimal
    | dt.datetime
    | dt.date
    | dt.time
    | dt.timedelta
    | CellError
    | UncalculatedFormula
    | MalformedRecord
    | EmptyText
)


def column_letters(index: int) -> str:
    """The letters of a column: 0 is ``A``, 25 is ``Z``, 26 is ``AA``."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def column_index(letters: str) -> int:
    """The inverse of :func:`column_letters`; raises ``ValueError`` for anything but letters A to XFD."""
    index = 0
    for letter in letters.upper():
        if not "A" <= letter <= "Z":
            raise ValueError(f"{letters!r} is not a column")
        index = index * 26 + ord(letter) - ord("A") + 1
    if not 0 < index <= MAX_COLUMNS:
        raise ValueError(f"{letters!r} is not a column")
    return index - 1


def cell_name(sheet: str, row: int, column: int) -> str:
    """The address of a cell: ``Sheet1!B217`` (row from 1, column from 0); special sheet names are quoted."""
    return f"{quoted_sheet(sheet)}!{column_letters(column)}{row}"


def quoted_sheet(sheet: str) -> str:
    """A sheet's name as it is written in a formula."""
    if sheet.isascii() and sheet.isidentifier():
        return sheet
    return "'" + sheet.replace("'", "''") + "'"
