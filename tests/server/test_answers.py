"""Answers about a run, from its counters."""

from __future__ import annotations

from tests.support.scenes import Scene
from tui_importer.core.model.counters import Snapshot
from tui_importer.core.model.rates import RateWindow
from tui_importer.server.answers import progress_of


def test_progress_names_the_source_of_rows_and_workers() -> None:
    counters = [line.what for line in Scene(workers=2).begin().load().go(1).second_of_three().lines]
    snapshot = next(each for each in reversed(counters) if isinstance(each, Snapshot))
    answer = progress_of(snapshot, RateWindow())
    assert [(worker.source, worker.worker) for worker in answer.workers] == [(2, 1), (2, 2)]
    assert answer.sources == snapshot.sources
    assert sum(source.inserted for source in answer.sources) == answer.inserted
