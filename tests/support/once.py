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


#: So many cases of a test that has databases are tried by every Python, and two of any other: what differs between them
#: are kinds of things, not single cases.
_CASES = 3


def further_cases(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """The cases of tests beyond the first few, of those that are not marked ``once``; spread over all of a test's
    cases, so that each of its parameters has several values in those that are left."""
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("once") is None:
            tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for cases in tests.values():
        if _DATABASES.isdisjoint(_words(cases[0])):
            yield from cases[1:-1]
        elif len(cases) > _CASES:
            # Odd steps: parameters with two values would have the same one in every second case.
            step = -(-len(cases) // _CASES) | 1
            yield from (case for place, case in enumerate(cases) if place % step)


def _words(item: pytest.Item) -> set[str]:
    """The words that are parameters of a test."""
    parameters = (
        item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    )
    return {value for value in parameters if isinstance(value, str)}
