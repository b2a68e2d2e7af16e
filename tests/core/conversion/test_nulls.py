"""Words that stand for NULL because the user says so."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tui_importer.core.conversion.nulls import OFFERED_WORDS, NullWords
from tui_importer.core.model.cells import Cell, CellError
from tui_importer.core.model.list_column import ListColumn


@pytest.mark.parametrize(
    ("words", "cells", "expected"),
    [
        (("NA",), ["NA", " NA ", "na", "NAN", None], [None, None, "na", "NAN", None]),
        (("-", "N/A"), ["-", "N/A", "-1"], [None, None, "-1"]),
        (("-999",), [-999, -999.0, Decimal("-999.00"), "-999", 999, True], [None] * 4 + [999, True]),
        (("1",), [True, 1.0], [True, None]),
        (("#N/A",), [CellError("#N/A"), CellError("#REF!")], [None, CellError("#REF!")]),
        (("nan",), [1.5, "nan"], [1.5, None]),
    ],
)
def test_null_words_become_null(words: tuple[str, ...], cells: list[Cell], expected: list[Cell]) -> None:
    assert list(NullWords(words).applied(ListColumn(cells)).values()) == expected


def test_column_without_null_words_is_not_copied() -> None:
    for cells in (["a", None], ["a", "b"], [1.5, 2], [None]):
        column = ListColumn(cells)
        assert NullWords(("NA",)).applied(column) is column


def test_common_null_words_are_offered() -> None:
    assert {"NA", "N/A", "--", "\\N", "null", "NULL", "None", "-"} <= OFFERED_WORDS
