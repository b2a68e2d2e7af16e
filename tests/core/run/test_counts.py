"""The counts of a run, and those of its import, which other runs have begun."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Database
from tests.core.run.steps import Steps
from tui_importer.core.run.counts import counts_before, counts_of_import, sample, suppressed, suppressed_late, written
from tui_importer.core.run.loading import load
from tui_importer.core.run.preparation import claim
from tui_importer.core.run.stages import Claimed, Published, after
from tui_importer.core.writing.ledger import Counts, ResumePoint


def test_counts_are_zero_initially(tmp_path: Path) -> None:
    steps = Steps(tmp_path)
    found = sample(steps.context)
    assert (found.read, found.finished, found.workers, found.workers_wanted) == (0, 0, (), 0)
    assert counts_before(steps.context.stage) == counts_of_import(steps.context, whole=False) == Counts()


def test_workers_wanted_is_set_once_the_import_is_ready(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path)
    with steps.ready():
        assert sample(steps.context).workers_wanted == 1


def test_rows_of_earlier_runs_count_only_for_the_import(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path)
    with steps.ready() as (ready, database):
        claimed, _ = claim(steps.context, ready, database.backend)
        assert claimed.resume_point is not None
        earlier = ResumePoint(claimed.resume_point.claim, counts=Counts(inserted=5, skipped=2, rejected=1))
        steps.context.reach(after(ready, Claimed, resume_point=earlier, created=True))
    assert counts_before(steps.context.stage) == Counts(5, 0, 2, 1)
    assert suppressed(steps.context.stage) == 2
    assert sample(steps.context).finished == 0
    steps.context.reader.totals_rows = 1
    assert counts_of_import(steps.context, whole=False) == Counts(5, 0, 2, 1)
    assert counts_of_import(steps.context, whole=True) == Counts(5, 0, 3, 1)


def test_rows_suppressed_during_publication_count_as_skipped(tmp_path: Path, sqlite: Database) -> None:
    steps = Steps(tmp_path)
    with steps.ready() as (ready, database):
        loading = load(steps.context, ready, database.backend)
        before = sample(steps.context)
        steps.context.reach(after(loading, Published, suppressed_late=3))
    found = sample(steps.context)
    assert (before.inserted, before.skipped, found.inserted, found.skipped) == (50, 0, 47, 3)
    assert written(steps.context.stage).counts == Counts(inserted=50)
    assert suppressed_late(steps.context.stage) == suppressed(steps.context.stage) == 3
    assert counts_of_import(steps.context, whole=True) == Counts(47, 0, 3, 0)
