"""Ranges of a sheet as users write them: ``A5:F900``, ``A:F``, ``5:900``, ``B3``."""

from __future__ import annotations

import re

import msgspec

from tui_importer.core.model.cells import MAX_ROWS, column_index, column_letters
from tui_importer.core.model.patterns import pattern
from tui_importer.errors import PlanError

#: The number of characters of an invalid range that its error shows.
MAX_SHOWN = 40

_RANGE = pattern(r"\$?([A-Za-z]*)\$?([0-9]*)(?:(:)\$?([A-Za-z]*)\$?([0-9]*))?", re.ASCII)


class CellRange(msgspec.Struct, frozen=True):
    """A rectangle of a sheet: rows from 1, columns from 0, both ends inclusive; None is the sheet's end."""

    first_row: int = 1
    last_row: int | None = None
    first_column: int = 0
    last_column: int | None = None

    def __str__(self) -> str:
        start = f"{column_letters(self.first_column)}{self.first_row}"
        if self.last_column is None and self.last_row is None:
            return start
        if self.last_column is None:
            return f"{self.first_row}:{self.last_row}"
        return f"{start}:{column_letters(self.last_column)}{self.last_row or ''}"


def parse_range(text: str) -> CellRange:
    """Parse a range as written in a formula; ``B3`` alone (and ``B3:``) means everything from that cell on.

    Raises :class:`PlanError` that says what is wrong and what a range looks like.
    """
    if "!" in text:
        raise PlanError(f"range {text[:MAX_SHOWN]!r}: name the sheet by --sheet and the range without it, like A5:F900")
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise _malformed(text)
    start_letters, start_digits, colon, end_letters, end_digits = (group or "" for group in match.groups())
    if not (start_letters or start_digits) or not (colon or (start_letters and start_digits)):
        raise _malformed(text)
    ends = bool(end_letters or end_digits)
    # "A5:F" ends at the sheet's end, but "A:F900" and "5:F900" do not say where they start.
    if ends and (bool(start_letters) != bool(end_letters) or (end_digits and not start_digits)):
        raise _malformed(text)
    first_row, first_column = _row(start_digits, text) or 1, _column(start_letters, text) or 0
    last_row, last_column = _row(end_digits, text), _column(end_letters, text)
    if (last_row is not None and last_row < first_row) or (last_column is not None and last_column < first_column):
        raise PlanError(
            f"range {text[:MAX_SHOWN]!r} ends before it starts: write its upper left cell first, like A5:F900"
        )
    return CellRange(first_row, last_row, first_column, last_column)


def _row(digits: str, text: str) -> int | None:
    if not digits:
        return None
    row = int(digits) if len(digits) <= len(str(MAX_ROWS)) else 0
    if not 1 <= row <= MAX_ROWS:
        raise PlanError(f"range {text[:MAX_SHOWN]!r}: rows are numbered from 1 to {MAX_ROWS:,}")
    return row


def _column(letters: str, text: str) -> int | None:
    try:
        return column_index(letters) if letters else None
    except ValueError as error:
        raise PlanError(f"range {text[:MAX_SHOWN]!r}: columns are A to XFD") from error


def _malformed(text: str) -> PlanError:
    return PlanError(
        f"{text[:MAX_SHOWN]!r} is not a range: write A5:F900, A:F (whole columns), 5:900 (whole rows) or B3"
    )
