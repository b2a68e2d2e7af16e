"""Inference of words for true and false, from all texts of a column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from tui_importer.core.conversion.booleans import OFFERED_PAIRS, PROVEN_PAIRS
from tui_importer.core.conversion.candidate import Candidate
from tui_importer.core.conversion.guess_result import GuessResult
from tui_importer.core.model.formats import ColumnFormat
from tui_importer.core.model.types import BOOLEAN


class BooleanGuess:
    """Finds out whether the texts are words for true and false; ``given`` are the user's."""

    def __init__(self, given: ColumnFormat) -> None:
        self._given = {word.casefold() for word in (*given.true_words, *given.false_words)}
        self._format = ColumnFormat(true_words=given.true_words, false_words=given.false_words)
        self._candidate = Candidate(_pattern(frozenset(self._given)))
        self._words: set[str] = set()

    @property
    def misses(self) -> list[tuple[int, str] | None]:
        """The first text that is not such a word."""
        return [self._candidate.miss]

    def add(self, texts: Sequence[str], rows: Sequence[int], *, standard: bool = False) -> None:
        """Add texts and their rows (ascending); ``standard``: each is true or false in English."""
        if standard and not self._given:
            self._words |= {*PROVEN_PAIRS[0]}
        elif self._candidate.match(texts, rows):
            self._words |= set(map(str.casefold, texts))

    def result(self) -> GuessResult | None:
        """None if the words are not those of one pair."""
        if self._candidate.miss is not None or not self._words:
            return None
        if self._words <= self._given:
            return GuessResult(BOOLEAN, "each is a given word for true or false", self._format)
        for yes, no in PROVEN_PAIRS:
            if self._words == {yes, no}:
                return GuessResult(
                    BOOLEAN,
                    f"each is {yes} or {no}",
                    reading=f"{yes} and {no} are read as true and false",
                )
        for yes, no in OFFERED_PAIRS:
            if self._words == {yes, no}:
                return GuessResult(
                    reason=f"each is {yes} or {no}",
                    hint=f"could be true and false: --true-words {{column={yes}}} "
                    f"--false-words {{column={no}}} reads them so",
                )
        return None


@cache
def _pattern(given: frozenset[str]) -> str:
    """The pattern of all words for true and false, the user's ``given`` ones included."""
    words = {word for pair in (*PROVEN_PAIRS, *OFFERED_PAIRS) for word in pair} | given
    return "|".join(rf"(?i:{re.escape(word)})" for word in sorted(words))
