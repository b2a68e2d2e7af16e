"""The counts of the ledger: what workers record is added up, resumed and listed, each count by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Database
from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.model.types import INTEGER
from tui_importer.core.model.url import parse_address
from tui_importer.core.writing.backend import Backend, ConnectionSettings, Destination
from tui_importer.core.writing.ledger import Claim, Counts, Entry, Ledger, ResumePoint, RunState
from tui_importer.plugins.registry import load_registry
from tui_importer.recording.listing import listed_in
from tui_importer.testing.runs import IMPORT_ID, new_run


@contextmanager
def opened(database: Database) -> Iterator[tuple[Backend, Ledger]]:
    registry = load_registry()
    spec = registry.backend_for(parse_address(database.url).scheme)
    backend = registry.make_backend(spec.name, ConnectionSettings(database.url, "tui_importer/test", 10.0))
    try:
        backend.connect()
        ledger = backend.ledger(None)
        try:
            yield backend, ledger
        finally:
            ledger.close()
    finally:
        backend.close()


def begin(ledger: Ledger, run_id: str) -> ResumePoint:
    return ledger.begin(new_run(run_id))


def record(backend: Backend, claim: Claim, *entries: Entry) -> None:
    table = Table("t", (TableColumn("n", INTEGER),))
    session = backend.open_session(Destination(table, ("n",), (INTEGER,), claim))
    try:
        for entry in entries:
            session.begin()
            assert session.record(entry)
            session.commit()
    finally:
        session.close()


def test_all_counts_are_recorded_resumed_and_listed(database: Database, tmp_path: Path) -> None:
    with opened(database) as (backend, ledger):
        claim = begin(ledger, "run-1").claim
        record(
            backend,
            claim,
            Entry(2, 11, None, inserted=1, updated=7, skipped=2),
            Entry(2, 31, 11, inserted=3, updated=10, skipped=7),
            Entry(40, 49, None, inserted=4, updated=6),
        )
        first = Counts(8, 23, 9)
        assert ledger.counts(IMPORT_ID, 1) == first
        ledger.finish(claim, RunState.STOPPED, first, 0, None)
    with opened(database) as (backend, ledger):
        point = begin(ledger, "run-2")
        assert (point.counts, point.counts.in_table, point.counts.rows) == (first, 31, 40)
        record(backend, point.claim, Entry(32, 39, None, inserted=1, updated=2, skipped=5))
        both = Counts(9, 25, 14)
        ledger.finish(point.claim, RunState.COMPLETE, both, 0, None)
        assert ledger.counts(IMPORT_ID, 1) == both
        second, run = listed_in(ledger, "shown", tmp_path, 2)
    assert (run.read, run.inserted, run.updated, run.skipped, run.rejected) == (40, 8, 23, 9, 0)
    # What the first run put into the table, the second one skipped.
    assert (second.read, second.inserted, second.updated, second.skipped, second.rejected) == (48, 1, 2, 45, 0)
    assert database.fetch("SELECT first_row, last_row, inserted, updated, skipped FROM tui_importer_batch") == [
        (2, 49, 9, 25, 14)
    ]


@pytest.mark.parametrize("updated", [0, 5])
def test_counts_of_a_dead_run_are_recorded_by_the_next(database: Database, updated: int) -> None:
    with opened(database) as (backend, ledger):
        record(backend, begin(ledger, "run-1").claim, Entry(2, 11, None, 10 - updated, updated))
        database.execute("UPDATE tui_importer_run SET host = 'elsewhere', process = '1/1', started_at = '2020-01-01'")
        database.execute("UPDATE tui_importer_batch SET committed_at = '2020-01-01'")
    with opened(database) as (_, ledger):
        begin(ledger, "run-2")
        assert [run.counts for run in ledger.runs(2)] == [Counts(), Counts(10 - updated, updated)]
