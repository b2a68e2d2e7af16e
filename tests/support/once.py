"""What one Python is enough for: parameters that are marked ``once``, pairs of strategy and kind of database, and most
of a test's many cases."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
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
    words = _words(item)
    pairs = itertools.product(words & _STRATEGIES, words & _DATABASES)
    return not _EVERYWHERE.issuperset(pairs)


def further_cases(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """The cases of tests that are not marked ``once``, but for two of each test: what differs between them are kinds of
    things, not single cases.

    They are the first and one in the middle, at an odd distance: of three kinds of database they have PostgreSQL and
    SQLite, and both values of any parameter with two.
    """
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("once") is None:
            tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for cases in tests.values():
        kept = (0, len(cases) // 2 | 1)
        yield from (case for place, case in enumerate(cases) if place not in kept)


def _words(item: pytest.Item) -> set[str]:
    """The words that are parameters of a test."""
    parameters = (
        item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    )
    return {value for value in parameters if isinstance(value, str)}
