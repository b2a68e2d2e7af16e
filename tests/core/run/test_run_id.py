"""Ids of runs, and of the imports that the ledger knows by them."""

from __future__ import annotations

import datetime as dt

from tui_importer.core.run.run_id import import_run_id, new_run_id, run_id_of, source_of


def test_run_ids_sort_by_time() -> None:
    now = dt.datetime(2026, 1, 31, 23, 59, 59, 999_000, dt.UTC)
    first, later = new_run_id(now), new_run_id(now + dt.timedelta(milliseconds=1))
    assert first.startswith("20260131-235959-")
    assert first < later
    assert new_run_id(now) != new_run_id(now)


def test_single_import_has_the_id_of_its_run() -> None:
    run_id = new_run_id(dt.datetime.now(dt.UTC))
    assert import_run_id(run_id, 1, 1) == run_id
    assert [import_run_id(run_id, source, 2) for source in (1, 2)] == [f"{run_id}.1", f"{run_id}.2"]
    assert {run_id_of(import_run_id(run_id, 2, sources)) for sources in (1, 2)} == {run_id}
    assert [source_of(import_run_id(run_id, 2, sources)) for sources in (1, 2)] == [None, 2]
    assert source_of(f"{run_id}.x") is None
    assert run_id_of("../x") == "../x"
