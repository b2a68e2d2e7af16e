"""Pairs of strategy and kind of database.

What strategies differ in is not what databases differ in, so a test of something else tries these pairs: each strategy,
each kind of database, and of each kind rows and batches, written in threads and by asyncio. All pairs are tried by
``tests/strategies/test_contract.py``.
"""

from __future__ import annotations

import pytest

PAIRS = (
    ("postgresql", "sequential"),
    ("postgresql", "batched"),
    ("postgresql", "async"),
    ("sqlite", "threaded"),
    ("sqlite", "async"),
    ("generic", "sequential"),
    ("generic", "batched"),
)

#: Marks a test that has the fixture ``database`` and the parameter ``strategy``.
in_pairs = pytest.mark.parametrize(("database", "strategy"), PAIRS, indirect=["database"])
