"""Every row is counted where something becomes of it: in events, counters, report and ledger alike."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database
from tui_importer import Options, Plan, Report, Run, Source, Target, run_import
from tui_importer.core.model.batch import Batch
from tui_importer.core.writing.backend import ConnectionSettings, Destination, Session
from tui_importer.core.writing.loaded import Loaded
from tui_importer.core.writing.threaded_async_session import ThreadedAsyncSession
from tui_importer.events import AlreadyImported, AnyEvent, BatchCommitted, RunFinished
from tui_importer.plugins.registry import load_registry
from tui_importer.plugins.specs import BackendSpec
from tui_importer.server.metrics import Metrics
from tui_importer.testing.failpoints import open_wrapped, wrapped_url
from tui_importer.testing.processes import registry_with
from tui_importer.text.summary import summary_lines

NAMES = ("inserted", "updated", "skipped", "rejected")


def imported(database: Database, file: Path, strategy: str) -> Report:
    plan = Plan(
        source=Source(file=str(file)),
        target=Target(database=database.url, table="t"),
        options=Options(strategy=strategy, batch_size=2),
    )
    return run_import(plan, rejects_file=str(file.with_name("rejects.xlsx")), record=False)


def recorded(database: Database, table: str) -> list[tuple[int, ...]]:
    """The counts of a table of the ledger, summed."""
    rows = database.fetch(f"SELECT {', '.join(f'sum({name})' for name in NAMES)} FROM tui_importer_{table}")
    return [tuple(map(int, row)) for row in rows]


@pytest.mark.parametrize("strategy", ["sequential", "batched"])
def test_totals_suppressed_and_rejected_rows_are_counted_separately(
    sqlite: Database, tmp_path: Path, strategy: str
) -> None:
    sqlite.execute(
        "CREATE TABLE t (item text, amount integer NOT NULL CHECK (amount <> 3));"
        "CREATE TRIGGER t_out BEFORE INSERT ON t WHEN NEW.amount = 2 BEGIN SELECT RAISE(IGNORE); END"
    )
    file = tmp_path / "sums.csv"
    file.write_text("item,amount\na,1\nb,2\nc,3\nd,4\n\nTotal,10\n")
    stats = imported(sqlite, file, strategy).stats
    assert (stats.total_records, stats.blank_rows) == (5, 1)
    assert (stats.inserted, stats.updated, stats.skipped, stats.error_count) == (2, 0, 2, 1)
    assert stats.suppressed == 1
    # An entry of a batch covers the rows that went to the database; the run has the totals row as well.
    assert recorded(sqlite, "batch") == [(2, 0, 1, 1)]
    assert recorded(sqlite, "run") == [(2, 0, 2, 1)]
    again = imported(sqlite, file, strategy).stats
    assert (again.total_records, again.inserted, again.skipped, again.error_count) == (5, 0, 4, 1)
    assert again.already_in == 2
    assert recorded(sqlite, "run") == [(2, 0, 2, 1)]


# A backend that updates rows.


class UpdatingSession:
    """Calls every odd row an update, as a database does where its key is there already."""

    def __init__(self, inner: Session) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def load(self, batch: Batch, start: int, stop: int) -> Loaded:
        self._inner.load(batch, start, stop)
        updated = sum(row % 2 for row in batch.rows[start:stop])
        return Loaded(stop - start - updated, updated)

    def insert(self, batch: Batch, row: int) -> Loaded:
        return self.load(batch, row, row + 1)


class UpdatingBackend:
    """Another backend, with such sessions."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._inner = open_wrapped(load_registry(), settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def open_session(self, destination: Destination) -> Any:
        return UpdatingSession(self._inner.open_session(destination))

    async def open_async_session(self, destination: Destination) -> Any:
        return ThreadedAsyncSession(self.open_session(destination))


@pytest.mark.parametrize("strategy", ["sequential", "threaded", "batched", "async"])
def test_updated_rows_are_in_events_ledger_and_report(sqlite: Database, tmp_path: Path, strategy: str) -> None:
    file = tmp_path / "n.csv"
    file.write_text("n\n" + "".join(f"{number}\n" for number in range(11)))  # sheet rows 2 to 12
    registry = registry_with(BackendSpec("updating", "", UpdatingBackend, schemes=("updating",)))
    plan = Plan(
        source=Source(file=str(file)),
        target=Target(database=wrapped_url("updating", sqlite.url), table="t"),
        options=Options(strategy=strategy, batch_size=3),
    )
    heard: list[AnyEvent] = []
    run = Run(plan, listener=heard.append, registry=registry, rejects_file=tmp_path / "r.xlsx")
    report = run.execute()
    stats = report.stats
    assert (report.outcome, stats.inserted, stats.updated, stats.skipped) == ("complete", 6, 5, 0)
    assert (stats.success_count, stats.in_table) == (11, 11)
    batches = [event for event in heard if isinstance(event, BatchCommitted)]
    assert (sum(event.inserted for event in batches), sum(event.updated for event in batches)) == (6, 5)
    [finished] = [event for event in heard if isinstance(event, RunFinished)]
    assert (finished.inserted, finished.updated) == (6, 5)
    workers = Counter[str]()
    for worker in run.snapshot().workers:
        workers.update(inserted=worker.inserted, updated=worker.updated)
    assert workers == {"inserted": 6, "updated": 5}
    assert recorded(sqlite, "batch") == recorded(sqlite, "run") == [(6, 5, 0, 0)]
    assert "read 11 = inserted 6 + updated 5" in "\n".join(summary_lines(report))
    metrics = Metrics()
    metrics.count(report, 0)
    assert b'tui_importer_rows_total{fate="updated"} 5.0' in metrics.exposition()
    heard.clear()
    again = Run(plan, listener=heard.append, registry=registry, rejects_file=tmp_path / "r.xlsx").execute()
    assert (again.outcome, again.stats.skipped, again.stats.already_in) == ("already_imported", 11, 11)
    [already] = [event for event in heard if isinstance(event, AlreadyImported)]
    assert (already.inserted, already.updated, already.skipped) == (6, 5, 0)
