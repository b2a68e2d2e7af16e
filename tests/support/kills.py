"""Imports by processes that are killed, again and again, until one gets to the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tui_importer import Plan, Report
from tui_importer.testing import KILLED, Failpoint, Import

#: One strategy that writes row by row and one that writes batches, in threads or as they come.
_STRATEGIES = (("sequential", "batched"), ("threaded", "async"))


def pairs(databases: Sequence[str]) -> list[tuple[str, str, Failpoint]]:
    """Each failpoint on each of these kinds of database with two strategies, so that each strategy is tried at each
    failpoint on one of them, and on each of them: what strategies differ in is not what databases differ in."""
    return [
        (database, strategy, failpoint)
        for number, database in enumerate(databases)
        for place, failpoint in enumerate(Failpoint)
        for strategy in _STRATEGIES[(number + place) % 2]
    ]


def import_despite_kills(
    plan: Plan, folder: Path, failpoint: Failpoint, *, after_each: Callable[[], None] = lambda: None
) -> tuple[int, Report | None]:
    """Start processes that die at a failpoint, each after twice as many passes as the one before, until one does not;
    at least one has died. Returns the exit code and the report of the last."""
    for kills in range(20):
        code, report = Import(plan, folder, failpoint=failpoint, passes=2**kills).carry_out()
        if code != KILLED:
            assert kills >= 1, "no process came to the failpoint"
            return code, report
        after_each()
    raise AssertionError("the import does not get on")
