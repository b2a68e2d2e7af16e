"""Texts in a written form, like ``31.12.2024`` or ``1.234,56 €``, and the standard texts for them.

A form rewrites texts to what :mod:`tui_importer.core.conversion.parsing` reads. Whole columns are rewritten by passes
in C where possible; a single text is rewritten in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tui_importer.core.conversion.booleans import BooleanForm
from tui_importer.core.conversion.dates import DateForm
from tui_importer.core.conversion.numbers import NumberForm
from tui_importer.core.model.formats import ColumnFormat
from tui_importer.core.model.types import Kind


class WrittenForm(Protocol):
    """A form of texts."""

    @property
    def expected(self) -> str:
        """The reason for refusing another text."""

    @property
    def exclusive(self) -> bool:
        """Whether a text of another form is refused, even if it is a standard text."""

    def matches(self, texts: Sequence[str]) -> bool:
        """Whether every text (stripped) has the form."""

    def rewrite(self, texts: Sequence[str]) -> list[str]:
        """The standard texts for texts that all have the form."""


def form_of(kind: Kind, format_: ColumnFormat) -> WrittenForm | None:
    """The form of the texts for a column of this kind; None if only standard texts are read."""
    if kind in NUMBERS and format_.decimal_mark is not None:
        return NumberForm(format_.decimal_mark, percent=format_.percent, currency=format_.currency)
    if kind in MOMENTS and format_.date_format is not None:
        return DateForm(format_.date_format)
    if kind is Kind.BOOLEAN and (format_.true_words or format_.false_words):
        return BooleanForm(format_.true_words, format_.false_words)
    return None


NUMBERS = frozenset({Kind.INTEGER, Kind.NUMERIC, Kind.FLOAT})
MOMENTS = frozenset({Kind.DATE, Kind.TIMESTAMP})
