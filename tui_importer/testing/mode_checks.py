"""What every strategy and backend must do in every write mode, whatever interrupts the import."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tui_importer.api import Run
from tui_importer.core.model.report import Report
from tui_importer.events import AnyEvent, BatchCommitted
from tui_importer.plugins.specs import AnySpec
from tui_importer.testing.databases import Database
from tui_importer.testing.failpoints import Failpoint, Trap, failing, failpoint_url, lose_connection
from tui_importer.testing.modes import ModeOracle
from tui_importer.testing.oracle import ContractError
from tui_importer.testing.processes import KILLED, Import, registry_with

#: Small enough that every import has several batches, and that a batch has several rows.
_BATCH_SIZES = (5, 7, 4)


def check_modes(
    database: Database,
    folder: Path,
    specs: Sequence[AnySpec],
    modes: Iterable[str],
    strategies: Sequence[str],
    *,
    kills: int,
) -> None:
    """Raise :class:`~tui_importer.testing.ContractError` unless an import in each of these modes
    (:data:`~tui_importer.testing.modes.MODES`) has the outcome of a loop, although it is stopped after a batch, killed
    ``kills`` times, and loses a connection at last, each time at another failpoint and by the next of the
    strategies."""
    points, turns = itertools.cycle(Failpoint), itertools.cycle(strategies)
    sizes = itertools.cycle(_BATCH_SIZES)

    def options() -> dict[str, Any]:
        return {"strategy": next(turns), "batch_size": next(sizes), "workers": 2}

    for mode in modes:
        oracle = ModeOracle(folder, mode)
        oracle.prepare(database)

        def stop(run: Run, event: AnyEvent) -> None:
            if isinstance(event, BatchCommitted):
                run.stop("enough")

        stopped = _run(oracle, database.url, specs, stop, **options())
        if stopped.outcome != "stopped":
            raise ContractError(f"{mode}: a run that was stopped after a batch ended as {stopped.outcome}")
        oracle.check_unfinished(database)
        for number in range(kills):
            plan = oracle.plan(database.url, **options())
            code, _ = Import(plan, folder, specs, next(points), 1 + number).carry_out()
            if code != KILLED:
                break
            oracle.check_unfinished(database)
        broken = failing(registry_with(*specs), Trap(next(points), lose_connection, 2))
        resumed = _run(oracle, failpoint_url(database.url), (*specs, broken), **options())
        oracle.check(database, None if resumed.outcome == "already_imported" else resumed)


def _run(
    oracle: ModeOracle,
    url: str,
    specs: Sequence[AnySpec],
    on_event: Callable[[Run, AnyEvent], None] = lambda run, event: None,
    **options: Any,
) -> Report:
    rejects = oracle.files[0].with_suffix(".rejects.xlsx")
    rejects.unlink(missing_ok=True)
    run = Run(
        oracle.plan(url, **options),
        listener=lambda event: on_event(run, event),
        registry=registry_with(*specs),
        rejects_file=rejects,
    )
    return run.execute()
