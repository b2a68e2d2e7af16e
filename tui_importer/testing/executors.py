"""The contract that every executor must fulfil."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from tui_importer.api import Run
from tui_importer.core.model.plan import Plan
from tui_importer.core.model.report import SetReport
from tui_importer.events import AnyEvent, BatchCommitted
from tui_importer.plugins.specs import ExecutorSpec
from tui_importer.testing.databases import SQLiteDatabase
from tui_importer.testing.modes import ModeOracle
from tui_importer.testing.oracle import ContractError, Oracle
from tui_importer.testing.processes import registry_with

#: The number of imports of a check. None has rejects: their workbooks would be written into the current folder.
_IMPORTS = 4
#: Write modes in which the order of the imports into one table matters.
_ORDERED = ("skip", "upsert", "truncate")


def check_executor(spec: ExecutorSpec, folder: Path) -> None:
    """Raise :class:`~tui_importer.testing.ContractError` unless the executor fulfils the contract.

    It imports into SQLite files in ``folder``.
    """
    for number, check in enumerate(_CHECKS):
        place = folder / f"check-{number}"
        place.mkdir()
        before = set(threading.enumerate())
        check(spec, place)
        if left := set(threading.enumerate()) - before:
            raise ContractError(f"threads are left: {left}")


def _carries_out_all(spec: ExecutorSpec, folder: Path) -> None:
    """Each import once, with its report in its place."""
    imports = _prepared(folder)
    reports = _run(spec, [oracle.plan(database.url, batch_size=7) for oracle, database in imports]).imports
    for (oracle, database), report in zip(imports, reports, strict=True):
        if report.source.file != str(oracle.file):
            raise ContractError(f"the report of {oracle.file} is that of {report.source.file}")
        oracle.check(database, report)


def _survives_a_failure(spec: ExecutorSpec, folder: Path) -> None:
    """An import that fails does not keep the others from their end."""
    imports = _prepared(folder)
    plans = [oracle.plan(database.url, batch_size=7) for oracle, database in imports]
    oracle, database = imports[1]
    database.execute(f"DROP TABLE {oracle.table}")
    database.execute(f"CREATE TABLE {oracle.table} (other integer)")
    reports = _run(spec, plans).imports
    if reports[1].outcome != "failed":
        raise ContractError(f"an import that cannot succeed ended as {reports[1].outcome}")
    for place in (0, 2, 3):
        imports[place][0].check(imports[place][1], reports[place])


def _begins_none_after_a_stop(spec: ExecutorSpec, folder: Path) -> None:
    """No import begins once the run is stopped, and the next run carries out what is left."""
    imports = _prepared(folder)
    plans = [oracle.plan(database.url, batch_size=7) for oracle, database in imports]

    def stop_soon(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            run.stop("enough")

    stopped = _run(spec, plans, stop_soon)
    if stopped.outcome != "stopped":
        raise ContractError(f"a run that was stopped after a batch ended as {stopped.outcome}: {stopped.error}")
    _run(spec, plans)
    for oracle, database in imports:
        oracle.check(database)


def _keeps_the_order_of_files(spec: ExecutorSpec, folder: Path) -> None:
    """Where imports go into one table and the first or the last row of a key wins, the order of the files decides, also
    if a run is stopped and the next one carries out what is left."""
    for mode in _ORDERED:
        oracle, database = ModeOracle(folder, mode, files=2, refused=False), SQLiteDatabase(folder / f"{mode}.db")
        oracle.prepare(database)
        plans = oracle.plans(database.url, batch_size=7)

        def stop_second(run: Run, event: AnyEvent) -> None:
            if isinstance(event, BatchCommitted) and event.source == 2:
                run.stop("enough")

        for each in (stop_second, _ignore):
            _run(spec, plans, each)
        oracle.check(database)


_CHECKS = (_carries_out_all, _survives_a_failure, _begins_none_after_a_stop, _keeps_the_order_of_files)


def _ignore(run: Run, event: AnyEvent) -> None:
    """Do nothing."""


def _prepared(folder: Path) -> list[tuple[Oracle, SQLiteDatabase]]:
    imports = []
    for number in range(_IMPORTS):
        oracle = Oracle(folder, refused_here=(), refused_there=(), table=f"oracle_{number}")
        database = SQLiteDatabase(folder / f"{oracle.table}.db")
        oracle.prepare(database)
        imports.append((oracle, database))
    return imports


def _run(spec: ExecutorSpec, plans: list[Plan], on_event: Callable[[Run, AnyEvent], None] = _ignore) -> SetReport:
    run = Run(plans, listener=lambda event: on_event(run, event), registry=registry_with(spec), executor=spec.name)
    report = run.execute()
    assert isinstance(report, SetReport)
    return report
