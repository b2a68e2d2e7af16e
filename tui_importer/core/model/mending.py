"""Rejected rows that come back mended: how a reject workbook says which row of which import each of its rows was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tui_importer.core.model.patterns import pattern

#: The headers of the columns to the right of the user's own, which say what was wrong.
REASON_HEADERS = ("Rejected row", "Cell", "Column", "Reason", "SQLSTATE")
#: The header of the hidden column after them, which has each row's key.
KEY_HEADER = "tui_importer row"

_KEY = pattern(r"(?P<run>[0-9A-Za-z][0-9A-Za-z.-]*):(?P<row>[1-9][0-9]{0,6})")


class RejectKey(NamedTuple):
    """A rejected row: the id of the import's run, and the row of its sheet."""

    run: str
    row: int

    def __str__(self) -> str:
        return f"{self.run}:{self.row}"


def parse_key(text: str) -> RejectKey | None:
    """The key that a cell holds; None if it is not a key."""
    found = _KEY.fullmatch(text.strip())
    return None if found is None else RejectKey(found["run"], int(found["row"]))


def source_width(headers: Sequence[str | None]) -> int:
    """The number of columns that are the user's own: in a reject workbook, all but those at its right that were added.

    A workbook without a column of keys was written by an earlier version.
    """
    for added in ((*REASON_HEADERS, KEY_HEADER), REASON_HEADERS):
        for place in range(len(headers) - len(added), -1, -1):
            if tuple(headers[place : place + len(added)]) == added:
                return place
    return len(headers)


def key_place(headers: Sequence[str | None]) -> int | None:
    """The place of the column of keys among the headers; None if there is none."""
    return headers.index(KEY_HEADER) if KEY_HEADER in headers else None
