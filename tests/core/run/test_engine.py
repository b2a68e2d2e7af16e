"""One import of a run, by itself: it always has a report, and its events have its number."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Database
from tests.core.run.steps import Steps
from tui_importer.core.model.counters import Phase
from tui_importer.core.run.dispatcher import EventDispatcher
from tui_importer.core.run.engine import Engine
from tui_importer.errors import ExitCode, ImporterError, UsageError
from tui_importer.events import AnyEvent, ImportEvent, LoadingStarted


def engine_for(folder: Path, heard: list[AnyEvent], source: int = 1) -> Engine:
    parts = Steps(folder).context
    dispatcher = EventDispatcher(heard.append, lambda why: None)
    return Engine(parts.plan, parts.components, parts.rejects, dispatcher, run_id="now", source=source)


def test_import_runs_from_the_file_to_the_report(tmp_path: Path, sqlite: Database) -> None:
    heard = list[AnyEvent]()
    engine = engine_for(tmp_path, heard)
    assert (engine.headers, engine.resolved_plan, engine.loading) == ((), None, False)
    report = engine.execute()
    assert (report.run_id, report.outcome, report.stats.inserted) == ("now", "complete", 50)
    assert (engine.headers, engine.loading, engine.snapshot().phase) == (("n",), False, Phase.FINISHED)
    assert engine.resolved_plan is not None
    assert not engine.stop("too late")
    assert sqlite.scalar("SELECT count(*) FROM t") == 50


def test_all_events_have_the_source_number(tmp_path: Path, sqlite: Database) -> None:
    heard = list[AnyEvent]()
    engine = engine_for(tmp_path, heard, source=7)
    engine.execute()
    assert any(isinstance(event, LoadingStarted) for event in heard)
    assert {event.source for event in heard if isinstance(event, ImportEvent)} == {7}
    assert {worker.source for worker in engine.snapshot().workers} == {7}


def test_import_that_was_never_started_has_a_report(tmp_path: Path, sqlite: Database) -> None:
    failed = engine_for(tmp_path, [])
    report = failed.report_unbegun(ImporterError("no place"))
    assert (report.outcome, report.exit_code, report.error) == ("failed", ExitCode.FAILED, "no place")
    stopped = engine_for(tmp_path, [])
    assert stopped.stop("enough")
    assert stopped.stopping
    report = stopped.report_unbegun(None)
    assert (report.outcome, report.error, report.stats.total_records) == ("stopped", "enough", 0)
    assert report.source.file == str(tmp_path / "numbers.lines")
    assert not Path(sqlite.url).exists()


def test_workers_can_only_be_changed_while_rows_are_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="while rows are being written"):
        engine_for(tmp_path, []).change_workers(2)
