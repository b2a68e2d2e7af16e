"""What a guess says about a column of texts."""

from __future__ import annotations

import msgspec

from tui_importer.core.model.formats import PLAIN, ColumnFormat
from tui_importer.core.model.types import TEXT, ColumnType


class GuessResult(msgspec.Struct, frozen=True):
    """The type of a column of texts, with the reason as a sentence (None: no other type than text was plausible).

    ``format`` is the form in which the values are written, if it is not the standard one; it may be known where the
    type stays text. For the user, ``reading`` says how the values are read in that form, and ``hint`` what they could
    be and which option says so; in it, ``{column=VALUE}`` is the column with a value, as options take it.
    """

    type: ColumnType = TEXT
    reason: str | None = None
    format: ColumnFormat = PLAIN
    reading: str | None = None
    hint: str | None = None
