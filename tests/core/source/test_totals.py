"""What is taken for a totals row, and above all what is not."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_importer.core.model.cells import Cell
from tui_importer.core.source.totals import TOTAL_WORDS, is_totals_row


@pytest.mark.parametrize("word", ["Total", "TOTAL:", " Grand  total ", "Summe", "Итого", "合计：", "Yhteensä"])
def test_totals_rows(word: str) -> None:
    assert is_totals_row([None, word, "", 12, 3.5])


@pytest.mark.parametrize(
    "cells",
    [
        [],
        ["Total"],
        ["Total", None, ""],
        ["Total", "Oil & Gas"],
        ["Total", 12, "Paris"],
        ["Total", dt.date(2024, 1, 1)],
        ["Total", True],
        ["Totaler Krieg", 12],
        [12, "Total"],
        ["Total", "12"],
    ],
    ids=repr,
)
def test_rows_of_data(cells: list[Cell]) -> None:
    assert not is_totals_row(cells)


@pytest.mark.parametrize("number", ["12", "-1,234.50", "1 234,5", "1e5"])
def test_where_all_is_text_a_number_is_one(number: str) -> None:
    assert is_totals_row(["Total", number], typed=False)
    assert not is_totals_row(["Total", number])


@given(st.text(max_size=12).filter(lambda text: " ".join(text.rstrip(":： ").split()).casefold() not in TOTAL_WORDS))
def test_no_other_word_makes_one(text: str) -> None:
    assert not is_totals_row([text, 1])
