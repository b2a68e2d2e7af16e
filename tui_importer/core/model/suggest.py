"""What somebody may have meant by a word that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like it; None where none is."""
    import difflib  # takes a while, and most words are known

    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)
