"""What one Python is enough for: parameters that are marked ``once``, and pairs of strategy and kind of database."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

_STRATEGIES = frozenset({"sequential", "threaded", "batched", "async"})
_DATABASES = frozenset({"postgresql", "sqlite", "generic"})
#: The pairs that every Python tries: each strategy, each kind of database, and each driver's asynchronous side.
_EVERYWHERE = frozenset(
    {
        ("batched", "postgresql"),
        ("async", "postgresql"),
        ("threaded", "sqlite"),
        ("async", "sqlite"),
        ("sequential", "generic"),
    }
)


def once(*values: object) -> list[Any]:
    """Values of a parameter that one Python is enough for."""
    return once_sets(*((value,) for value in values))


def once_sets(*sets: tuple[object, ...]) -> list[Any]:
    """The same for several parameters together."""
    return [pytest.param(*values, marks=pytest.mark.once) for values in sets]


def is_one_pair_more(item: pytest.Item) -> bool:
    """Whether a test is repeated for another pair of strategy and database than those that every Python tries."""
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return False
    words = {value for value in item.callspec.params.values() if isinstance(value, str)}
    pairs = itertools.product(words & _STRATEGIES, words & _DATABASES)
    return not _EVERYWHERE.issuperset(pairs)
