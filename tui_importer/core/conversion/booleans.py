"""Words for true and false."""

from __future__ import annotations

from collections.abc import Sequence

#: Pairs of words that are true and false where a column holds both of them and nothing else.
PROVEN_PAIRS = (("true", "false"), ("t", "f"), ("yes", "no"), ("y", "n"), ("on", "off"))

#: Pairs in other languages, and weaker ones: they are only offered.
OFFERED_PAIRS = (
    ("ja", "nein"), ("j", "n"), ("wahr", "falsch"), ("oui", "non"), ("o", "n"), ("vrai", "faux"), ("sí", "no"),
    ("si", "no"), ("s", "n"), ("verdadero", "falso"), ("sim", "não"), ("sim", "nao"), ("vero", "falso"), ("ja", "nee"),
    ("ja", "nej"), ("ja", "nei"), ("tak", "nie"), ("ano", "ne"), ("áno", "nie"), ("igen", "nem"), ("evet", "hayır"),
    ("да", "нет"), ("так", "ні"), ("是", "否"), ("はい", "いいえ"), ("예", "아니요"), ("✓", "✗"),
)  # fmt: skip


class BooleanForm:
    """Words for true and false, compared ignoring case; other texts are read as always."""

    exclusive = False

    def __init__(self, true_words: Sequence[str], false_words: Sequence[str]) -> None:
        self._words = {word.strip().casefold(): "true" for word in true_words}
        self._words |= {word.strip().casefold(): "false" for word in false_words}
        self.expected = f"one of {', '.join((*true_words, *false_words))} is expected"

    def matches(self, texts: Sequence[str]) -> bool:
        return self._words.keys() >= set(map(str.casefold, texts))

    def rewrite(self, texts: Sequence[str]) -> list[str]:
        return list(map(self._words.__getitem__, map(str.casefold, texts)))
