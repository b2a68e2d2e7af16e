"""The contract that every strategy must fulfil."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tui_importer.api import Run
from tui_importer.core.model.report import Report
from tui_importer.events import AnyEvent, BatchCommitted
from tui_importer.plugins.specs import AnySpec, StrategySpec
from tui_importer.testing.databases import SQLiteDatabase
from tui_importer.testing.failpoints import Failpoint, Trap, failing, failpoint_url, lose_connection
from tui_importer.testing.mode_checks import check_modes
from tui_importer.testing.oracle import ContractError, Oracle
from tui_importer.testing.processes import KILLED, Import, registry_with

#: Maximum batch size of the import that is killed: a strategy that holds rows back fails at some of these sizes.
_MAX_KILLED_BATCH = 7
#: Write modes in which more depends on the strategy than in those that only add rows, and the kills in each.
_MODES, _MODE_KILLS = ("truncate", "replace", "skip", "upsert"), 1


def check_strategy(spec: StrategySpec, folder: Path, *, kills: int = 8) -> None:
    """Raise :class:`~tui_importer.testing.ContractError` unless the strategy fulfils the contract.

    It imports into SQLite files in ``folder``. With ``kills`` above 0, another process must be able to import
    ``factory``.
    """
    for number, check in enumerate(_CHECKS):
        place = folder / f"check-{number}"
        place.mkdir()
        check(spec, place)
    place = folder / "modes"
    place.mkdir()
    _keeps_every_mode(spec, place, min(kills, _MODE_KILLS))
    if kills:
        place = folder / "kills"
        place.mkdir()
        _survives_kills(spec, place, kills)


def _imports_every_row_once(spec: StrategySpec, folder: Path) -> None:
    """With any batch size and number of workers."""
    for batch_size, workers in ((1, 1), (7, 3), (1000, 2)):
        place = folder / f"{batch_size}-{workers}"
        place.mkdir()
        oracle, database = _prepared(place)
        report = _run(spec, oracle, database.url, batch_size=batch_size, workers=workers)
        oracle.check(database, report)


def _resumes_after_a_stop(spec: StrategySpec, folder: Path) -> None:
    """A run resumes what a stopped one left, with another batch size."""
    oracle, database = _prepared(folder)

    def stop_soon(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            run.stop("enough")

    stopped = _run(spec, oracle, database.url, stop_soon, batch_size=5)
    if stopped.outcome != "stopped":
        raise ContractError(f"a run that was stopped after a batch ended as {stopped.outcome}: {stopped.error}")
    oracle.check(database, _run(spec, oracle, database.url, batch_size=11))


def _survives_lost_connections(spec: StrategySpec, folder: Path) -> None:
    """At any point of a transaction."""
    for failpoint in Failpoint:
        place = folder / failpoint.name
        place.mkdir()
        oracle, database = _prepared(place)
        broken = failing(registry_with(), Trap(failpoint, lose_connection, 2))
        report = _run(spec, oracle, failpoint_url(database.url), specs=(broken,), batch_size=6)
        oracle.check(database, report)


def _reports_failures(spec: StrategySpec, folder: Path) -> None:
    """A worker's failure fails the run."""
    oracle, database = _prepared(folder)

    def fail() -> None:
        raise ZeroDivisionError("on purpose")

    broken = failing(registry_with(), Trap(Failpoint.AFTER_LOAD, fail, 3))
    failed = _run(spec, oracle, failpoint_url(database.url), specs=(broken,), batch_size=6)
    if failed.outcome != "failed" or "on purpose" not in (failed.error or ""):
        raise ContractError(f"a worker has failed, and the run ended as {failed.outcome}: {failed.error}")
    oracle.check(database, _run(spec, oracle, database.url, batch_size=9))


def _keeps_every_mode(spec: StrategySpec, folder: Path, kills: int) -> None:
    """The table is that of a loop over the rows, in which the first or the last row of a key wins."""
    check_modes(SQLiteDatabase(folder / "modes.db"), folder, (spec,), _MODES, (spec.name,), kills=kills)


def _survives_kills(spec: StrategySpec, folder: Path, kills: int) -> None:
    """Killed again and again, at different points, the import completes."""
    oracle, database = _prepared(folder)
    chosen = random.Random(kills)  # noqa: S311  # the same choices every time
    points = list(Failpoint)
    for number in range(kills):
        plan = oracle.plan(database.url, strategy=spec.name, batch_size=chosen.randint(2, _MAX_KILLED_BATCH))
        point = points[number % len(points)]
        code, report = Import(plan, folder, (spec,), point, chosen.randint(1, 3)).carry_out()
        if code != KILLED:
            break
    code, report = Import(oracle.plan(database.url, strategy=spec.name, again=False), folder, (spec,)).carry_out()
    if report is None:
        raise ContractError(f"the import ended with {code} and without a report")
    oracle.check(database)


_CHECKS: tuple[Callable[[StrategySpec, Path], None], ...] = (
    _imports_every_row_once,
    _resumes_after_a_stop,
    _survives_lost_connections,
    _reports_failures,
)


def _prepared(folder: Path) -> tuple[Oracle, SQLiteDatabase]:
    oracle, database = Oracle(folder), SQLiteDatabase(folder / "oracle.db")
    oracle.prepare(database)
    return oracle, database


def _run(
    spec: StrategySpec,
    oracle: Oracle,
    url: str,
    on_event: Callable[[Run, AnyEvent], None] = lambda run, event: None,
    specs: tuple[AnySpec, ...] = (),
    **options: Any,
) -> Report:
    rejects = oracle.file.with_suffix(".rejects.xlsx")
    rejects.unlink(missing_ok=True)
    run = Run(
        oracle.plan(url, strategy=spec.name, **options),
        listener=lambda event: on_event(run, event),
        registry=registry_with(spec, *specs),
        rejects_file=rejects,
    )
    return run.execute()
