"""Lists in sentences."""

from __future__ import annotations

from collections.abc import Sequence

#: How many items of a long list are named.
_SHOWN = 8


def listed(items: Sequence[str]) -> str:
    """The items as in a sentence: ``a``, ``a and b``, ``a, b and c``; of many, the first ones and how many more."""
    if len(items) > _SHOWN + 1:
        return f"{', '.join(items[:_SHOWN])} and {len(items) - _SHOWN} more"
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1] if items else "")))
