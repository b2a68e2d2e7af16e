"""Suggestions for misspelled words."""

from __future__ import annotations

from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str | None:
    """The most similar known word; None if none is similar."""
    import difflib  # slow to import, and most words are known

    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)
