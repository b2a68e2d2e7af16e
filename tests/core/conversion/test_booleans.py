"""Words for true and false."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tui_importer.core.conversion.boolean_guess import BooleanGuess
from tui_importer.core.conversion.booleans import OFFERED_PAIRS, PROVEN_PAIRS, BooleanForm
from tui_importer.core.conversion.guess_result import GuessResult
from tui_importer.core.model.formats import PLAIN, ColumnFormat
from tui_importer.core.model.types import BOOLEAN, TEXT


def guess(*texts: str, given: ColumnFormat = PLAIN) -> GuessResult | None:
    found = BooleanGuess(given)
    found.add(texts, range(2, 2 + len(texts)))
    return found.result()


@pytest.mark.parametrize("pair", PROVEN_PAIRS)
def test_column_with_both_words_of_a_pair_is_boolean(pair: tuple[str, str]) -> None:
    found = guess(pair[0], pair[1].upper(), pair[0].title())
    assert found is not None
    assert found.type == BOOLEAN
    assert found.reading == f"{pair[0]} and {pair[1]} are read as true and false"


@pytest.mark.parametrize("pair", OFFERED_PAIRS)
def test_ambiguous_pairs_stay_text_with_a_hint(pair: tuple[str, str]) -> None:
    found = guess(*pair)
    assert found is not None
    assert found.type == TEXT
    assert "--true-words {column=" in (found.hint or "")


@pytest.mark.parametrize("texts", [["t"], ["no"], ["yes", "f"], ["y", "n", "?"], ["t", "f", "true"], ["m", "f"]])
def test_incomplete_or_mixed_pairs_are_not_boolean(texts: Sequence[str]) -> None:
    assert guess(*texts) is None


def test_configured_words_match_ignoring_case() -> None:
    given = ColumnFormat(true_words=("Ja", "X"), false_words=("Nein",))
    found = guess("ja", "JA", "x", given=given)
    assert found is not None
    assert (found.type, found.format) == (BOOLEAN, given)
    assert guess("ja", "maybe", given=given) is None
    form = BooleanForm(given.true_words, given.false_words)
    assert form.matches(["JA", "nein"])
    assert form.rewrite(["JA", "nein", "X"]) == ["true", "false", "true"]
    assert not form.matches(["true"])
