from __future__ import annotations

import msgspec
import pytest

from tests.support.snapshots import snapshot_of
from tui_importer.core.model.counters import Phase, ReaderCounters, Snapshot, WorkerCounters, take_snapshot
from tui_importer.core.model.rates import ETA_SECONDS, RATE_SECONDS, RateWindow, eta, rate, rows_per_second


def test_rate_counts_each_row_of_the_workers_once() -> None:
    earlier = take_snapshot(10.0, ReaderCounters(), [WorkerCounters(1, inserted=100)])
    workers = [WorkerCounters(1, inserted=110, updated=20), WorkerCounters(2, inserted=40, skipped=20, rejected=10)]
    later = take_snapshot(12.0, ReaderCounters(), workers)
    assert (later.finished, later.by_workers) == (200, 200)
    assert rate(earlier, later) == 50.0


def test_rows_of_earlier_runs_count_as_finished_but_not_in_the_rate() -> None:
    earlier = snapshot_of(10.0, read=1_000, source_rows=2_000)
    later = snapshot_of(12.0, read=1_600, inserted=100, earlier=900, source_rows=2_000)
    assert later.finished == 1_000
    assert rate(earlier, later) == 50.0
    assert eta(earlier, later) == 20.0


def test_rate_is_zero_if_no_time_passed() -> None:
    assert rows_per_second(5, 0.0) == rows_per_second(5, -1.0) == rows_per_second(-5, 1.0) == 0.0
    assert rate(snapshot_of(1.0), snapshot_of(1.0, inserted=5)) == 0.0
    assert rate(snapshot_of(2.0), snapshot_of(1.0, inserted=5)) == 0.0


def test_eta_excludes_blank_rows_of_the_hint() -> None:
    now = msgspec.structs.replace(snapshot_of(2.0, read=60, inserted=50, source_rows=120), blank=20)
    assert eta(snapshot_of(0.0, source_rows=120), now) == 2.0


@pytest.mark.parametrize(
    "now",
    [
        snapshot_of(9.0, read=60, inserted=50),
        snapshot_of(9.0, read=200, inserted=50, source_rows=120),
        snapshot_of(9.0, read=60, inserted=50, source_rows=120, paused=True),
        snapshot_of(9.0, read=60, source_rows=120),
        snapshot_of(0.9, read=60, inserted=50, source_rows=120),
    ],
    ids=["no hint", "a wrong hint", "paused", "no row finished", "too early"],
)
def test_eta_is_none_without_reliable_data(now: Snapshot) -> None:
    assert eta(snapshot_of(0.0), now) is None


def test_eta_ignores_the_hint_after_reading() -> None:
    now = msgspec.structs.replace(snapshot_of(4.0, read=80, inserted=40, source_rows=1_048_576), all_read=True)
    assert eta(snapshot_of(0.0), now) == 4.0
    done = msgspec.structs.replace(now, inserted=80)
    assert eta(snapshot_of(0.0), done) == 0.0


def test_empty_window_has_no_rate() -> None:
    window = RateWindow()
    assert (window.rate(), window.eta(), window.worker_rates(), window.recent()) == (0.0, None, {}, [])


def test_rate_window_drops_old_snapshots() -> None:
    window, still = RateWindow(), 20
    for second in range(still + int(RATE_SECONDS) + 1):
        rows = max(0, second - still) * 5
        window.add(snapshot_of(second, read=1_000, inserted=rows, source_rows=1_000))
    assert window.rate() == 5.0
    assert [snapshot.at for snapshot in window.recent()] == [still, still + 1, still + 2, still + 3]
    assert window.eta() == (1_000 - rows) / (rows / ETA_SECONDS)


def test_rate_window_accepts_sparse_snapshots() -> None:
    window = RateWindow()
    for minute in range(4):
        window.add(snapshot_of(60.0 * minute, read=9_000, inserted=600 * minute**2, source_rows=9_000))
    assert window.rate() == 50.0  # of the last minute


def test_each_worker_has_its_own_rate() -> None:
    window = RateWindow()
    for second in range(5):
        workers = [WorkerCounters(1, inserted=10 * second), WorkerCounters(3, rejected=4 * max(0, second - 2))]
        reader = ReaderCounters(phase=Phase.READING)
        window.add(take_snapshot(second, reader, workers if second >= 2 else workers[:1]))
    assert window.worker_rates() == {(1, 1): 10.0, (1, 3): 4.0}


def test_workers_of_different_sources_have_separate_rates() -> None:
    window = RateWindow()
    for second, source in enumerate([1, 1, 2, 2]):
        counters = [WorkerCounters(1, inserted=10 * second if source == 1 else 4 * (second - 2))]
        window.add(take_snapshot(second, ReaderCounters(phase=Phase.READING), counters, source=source))
    assert window.worker_rates() == {(1, 1): 10.0, (2, 1): 4.0}
