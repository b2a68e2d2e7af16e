"""A possible form of a column's texts, until a text does not have it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import compress, count
from operator import not_

from tui_importer.core.model.types import ColumnType

#: The length of a cell's text in the evidence, in characters.
MAX_SHOWN = 40


class Candidate:
    """A candidate form; ``miss`` is the first text that does not have it, with its row."""

    def __init__(
        self,
        pattern: str | Callable[[], re.Pattern[str]],
        read: Callable[[Sequence[str]], int] | None = None,
        possible: Callable[[str], bool] | None = None,
    ) -> None:
        """``pattern`` may be a function that compiles it when it is needed first: most forms are ruled out before.

        ``read`` returns how many texts, from the first on, can be read. ``possible`` is false for a text that cannot
        match, and takes less time than compiling the pattern.
        """
        self.miss: tuple[int, str] | None = None
        self._pattern = pattern
        self._read = read
        self._possible = possible

    @cached_property
    def _matches(self) -> Callable[[str], re.Match[str] | None]:
        return (re.compile(self._pattern) if isinstance(self._pattern, str) else self._pattern()).fullmatch

    def match(self, texts: Sequence[str], rows: Sequence[int]) -> bool:
        """Take texts into account; False if one of them, or one in an earlier row, does not have the form."""
        if self.miss is not None and self.miss[0] < rows[0]:
            return False
        if self._possible is not None and not self._possible(texts[0]):
            self.rule_out(texts[0], rows[0])
            return False
        offset = next(compress(count(), map(not_, map(self._matches, texts))), len(texts))
        if self._read is not None:
            offset = self._read(texts[:offset])
        if offset == len(texts):
            return True
        self.rule_out(texts[offset], rows[offset])
        return False

    def rule_out(self, text: str, row: int) -> None:
        """Take a text into account that is known not to have the form."""
        if self.miss is None or row < self.miss[0]:
            self.miss = row, text[: MAX_SHOWN + 1]


class TypeCandidate(Candidate):
    """A candidate for a type whose texts are in the standard form; ``word`` says what each text is."""

    def __init__(self, type_: ColumnType, word: str, pattern: str, read: Callable[[str], object] | None = None) -> None:
        super().__init__(pattern, None if read is None else lambda texts: readable(read, texts))
        self.type = type_
        self.word = word


def readable(read: Callable[[str], object], texts: Sequence[str]) -> int:
    """The number of texts, from the first on, that ``read`` accepts."""
    done = 0
    try:
        for _ in map(read, texts):
            done += 1
    except ValueError:
        pass
    return done


def shown(place: tuple[int, str]) -> str:
    """A row and its text, for the evidence."""
    row, text = place
    return f"{row} ({text[:MAX_SHOWN] + '…' if len(text) > MAX_SHOWN else text!r})"
