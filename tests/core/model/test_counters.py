from __future__ import annotations

import msgspec
import pytest

from tui_importer.core.model.counters import (
    Phase,
    ReaderCounters,
    Snapshot,
    WorkerCounters,
    WorkerState,
    combined,
    progress,
    take_snapshot,
    total,
)


def test_expected_rows_exclude_blank_rows() -> None:
    now = Snapshot(at=2.0, read=60, blank=20, inserted=50, source_rows=120)
    assert total(now) == 100
    assert progress(now) == 0.5


@pytest.mark.parametrize(
    "now",
    [
        Snapshot(at=9.0, read=60, inserted=50),
        Snapshot(at=9.0, read=200, inserted=50, source_rows=120),
    ],
    ids=["no hint", "a hint that was wrong"],
)
def test_unknown_totals_are_none(now: Snapshot) -> None:
    assert total(now) is None
    assert progress(now) is None


def test_total_is_exact_after_reading() -> None:
    now = Snapshot(at=4.0, read=80, inserted=40, source_rows=1_048_576, all_read=True)
    assert progress(now) == 0.5
    done = msgspec.structs.replace(now, inserted=80)
    assert progress(done) == 1.0
    assert progress(Snapshot(at=0.0, all_read=True)) == 1.0


def test_snapshot_sums_the_workers_and_is_immutable() -> None:
    reader = ReaderCounters(rows_read=30, blank_rows=2, source_rows=40, phase=Phase.READING)
    workers = [
        WorkerCounters(1, inserted=10, rejected=1, state=WorkerState.WRITING, in_hand_first_row=22),
        WorkerCounters(2, inserted=5, updated=3, skipped=4),
    ]
    snapshot = take_snapshot(7.0, reader, workers, queue_depth=1, queue_size=8)
    workers[0].inserted += 100
    reader.rows_read += 100
    assert (snapshot.read, snapshot.blank, snapshot.source_rows) == (30, 2, 40)
    assert (snapshot.inserted, snapshot.updated, snapshot.skipped, snapshot.rejected) == (15, 3, 4, 1)
    assert snapshot.workers[0].inserted == 10
    assert snapshot.workers[0].in_hand_first_row == 22
    assert snapshot.workers[1].state is WorkerState.CONNECTING
    assert (snapshot.phase, snapshot.all_read) == (Phase.READING, False)
    with pytest.raises(AttributeError):
        snapshot.read = 0  # type: ignore[misc]


def test_every_counter_of_a_worker_is_in_its_snapshot() -> None:
    values = {name: number for number, name in enumerate(WorkerCounters.__struct_fields__, start=1)}
    worker = WorkerCounters(**values)  # type: ignore[arg-type]
    del values["blocked"]  # a state of its own
    [snapshot] = take_snapshot(0.0, ReaderCounters(), [worker], source=3).workers
    assert msgspec.structs.asdict(snapshot) == {**values, "source": 3}


def test_phase_of_the_engine_overrides_the_reader() -> None:
    snapshot = take_snapshot(0.0, ReaderCounters(phase=Phase.READ), [], phase=Phase.INDEXING)
    assert (snapshot.phase, snapshot.all_read) == (Phase.INDEXING, True)


def test_counters_of_several_sources_are_combined() -> None:
    def of(number: int, phase: Phase, inserted: int, source_rows: int | None, workers: int = 1) -> Snapshot:
        counters = [WorkerCounters(worker=each + 1, inserted=inserted) for each in range(workers)]
        reader = ReaderCounters(rows_read=inserted * workers, phase=phase, source_rows=source_rows)
        return take_snapshot(
            float(number), reader, counters, source=number, phase=phase, queue_depth=1, queue_size=4, workers_wanted=2
        )

    ended, active = of(1, Phase.FINISHED, 5, 5), of(2, Phase.READING, 3, 100, workers=2)
    waiting = of(3, Phase.WAITING, 0, None, workers=0)
    assert combined([active]) is active
    found = combined([ended, active, waiting])
    assert (found.at, found.read, found.inserted, found.phase, found.source_rows) == (3.0, 11, 11, Phase.READING, None)
    assert (found.queue_depth, found.queue_size, found.workers_wanted) == (1, 4, 2)
    assert [(worker.source, worker.worker) for worker in found.workers] == [(2, 1), (2, 2)]
    assert (found.ended_rows, found.by_workers) == (5, 11)
    assert [(each.source, each.inserted, each.phase) for each in found.sources] == [
        (1, 5, Phase.FINISHED),
        (2, 6, Phase.READING),
        (3, 0, Phase.WAITING),
    ]
    source = found.sources[1]
    assert (source.finished, total(source), progress(source)) == (6, 100, 0.06)
    assert combined([ended, ended]).phase is Phase.FINISHED
    assert combined([ended, ended]).workers_wanted == 2
    assert combined([ended, waiting]).phase is Phase.WAITING
    indexing = of(1, Phase.INDEXING, 5, 5)
    assert combined([indexing, active]).phase is Phase.READING
    assert combined([indexing, waiting]).phase is Phase.INDEXING
    assert combined([ended, active]).source_rows == 105
