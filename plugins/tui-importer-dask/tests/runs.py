"""Runs on a cluster, and what tests want to know of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import psutil
from clusters import PATIENCE, Cluster, DaskWorker, FileDatabase, PostgresDatabase, wait_until

from tui_importer import AnyEvent, Noticed, Plan, Report, Run, SetReport
from tui_importer.events import BatchCommitted
from tui_importer.testing import Database, Oracle

#: Rows that take far longer at a low rate than anything that happens to them meanwhile.
LONG = 6_000
RATE = 60.0

AnyDatabase: TypeAlias = PostgresDatabase | FileDatabase


def prepared_sources(folder: Path, database: Database, *sizes: int) -> list[Oracle]:
    """Sources of so many rows, some of them bad, each with an empty table of its own."""
    found = [Oracle(folder, rows=rows, table=f"oracle_{number}") for number, rows in enumerate(sizes)]
    for each in found:
        each.prepare(database)
    return found


def plans(
    sources: Sequence[Oracle], database: Database, cluster: Cluster | None, rate: float | None = None, **more: Any
) -> list[Plan]:
    """The plans of a run: on the cluster, or else here one after another."""
    options = {"scheduler": cluster.address, **more} if cluster else {}
    return [
        each.plan(
            database.url,
            executor="dask" if cluster else "sequential",
            plugin_options={"dask": options} if cluster else {},
            batch_size=20,
            workers=1,
            max_rate=rate,
            retry_for=PATIENCE,
        )
        for each in sources
    ]


def run_plan(given: Sequence[Plan], on_event: Callable[[Run, AnyEvent], None] = lambda run, event: None) -> SetReport:
    run = Run(given, listener=lambda event: on_event(run, event))
    report = run.execute()
    assert isinstance(report, SetReport)
    return report


def outcomes(report: SetReport) -> list[str]:
    return [each.outcome for each in report.imports]


def wait_for_end(processes: Sequence[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert alive == []


def worker_of(cluster: Cluster, events: Sequence[AnyEvent], source: int) -> DaskWorker:
    """The dask worker that carries out an import."""
    [said] = [
        each.message
        for each in events
        if isinstance(each, Noticed) and each.source == source and each.message.startswith("carried out by")
    ]
    return cluster.at(said.split()[-1])


class BackgroundRun:
    """A run in a thread. :meth:`wait` waits until a batch of each of the sources is in."""

    def __init__(self, given: Sequence[Plan]) -> None:
        self.events: list[AnyEvent] = []
        self.run = Run(given, listener=self.events.append)
        self._thread = threading.Thread(target=self._execute)
        self._report: Report | None = None
        self._thread.start()

    def _execute(self) -> None:
        self._report = self.run.execute()

    def wait(self, *sources: int) -> None:
        wait_until(lambda: self.seen() >= {*sources} or not self._thread.is_alive())
        assert self._thread.is_alive(), self._report

    def seen(self) -> set[int]:
        return {each.source for each in list(self.events) if isinstance(each, BatchCommitted)}

    def report(self) -> SetReport:
        self._thread.join(PATIENCE)
        assert isinstance(self._report, SetReport)
        return self._report
