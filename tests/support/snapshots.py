"""Snapshots of runs that never were."""

from __future__ import annotations

from tui_importer.core.model.counters import Phase, ReaderCounters, Snapshot, WorkerCounters, take_snapshot


def snapshot_of(
    at: float,
    *,
    read: int = 0,
    inserted: int = 0,
    rejected: int = 0,
    earlier: int = 0,
    source_rows: int | None = None,
    paused: bool = False,
) -> Snapshot:
    """The counters of a run with one worker, ``at`` seconds; ``earlier`` rows are in from a run before it."""
    reader = ReaderCounters(rows_read=read, skipped=earlier, source_rows=source_rows, phase=Phase.READING)
    worker = WorkerCounters(1, inserted=inserted, rejected=rejected)
    return take_snapshot(at, reader, [worker], paused=paused)
