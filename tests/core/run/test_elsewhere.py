"""An import that is carried out elsewhere: what it tells is passed on, and so is what it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from tests.conftest import Database
from tests.core.run.steps import RejectList
from tests.core.run.test_import_set import PreparedRun
from tui_importer.core.model.counters import Phase, Snapshot
from tui_importer.core.model.report import Report, SetReport, Stats
from tui_importer.core.model.table_change import TableChange
from tui_importer.core.model.write_mode import WriteKind, WriteMode
from tui_importer.core.run.elsewhere import EngineElsewhere
from tui_importer.core.run.engine import Engine
from tui_importer.core.scheduling.executor import ImportElsewhere, ImportQueue, ImportSpec, ToldElsewhere
from tui_importer.errors import ExitCode, ImporterError, UsageError
from tui_importer.events import (
    AnyEvent,
    BatchCommitted,
    LoadingStarted,
    Noticed,
    ReadingStarted,
    Reject,
    RowRejected,
)


def committed(source: int, rows: int) -> BatchCommitted:
    return BatchCommitted(
        source=source, worker=1, first_row=2, last_row=1 + rows, inserted=rows, skipped=0, rejected=0, seconds=0.1
    )


class FakeProcess:
    """Tells what it is given, and notes what it is told."""

    def __init__(self, spec: ImportSpec, script: Sequence[AnyEvent | Snapshot | Report | Exception]) -> None:
        self.spec = spec
        self.script = script
        self.orders: list[object] = []
        self.go_on = threading.Event()

    def told(self) -> Iterator[AnyEvent | Snapshot | Report]:
        for each in self.script:
            if isinstance(each, Exception):
                raise each
            yield each

    def stop(self, reason: str, exit_code: ExitCode, *, aborting: bool) -> None:
        self.orders.append((reason, exit_code, aborting))
        self.go_on.set()

    def answer(self, *, approved: bool) -> None:
        self.orders.append(approved)
        self.go_on.set()

    def pause(self, *, paused: bool) -> None:
        self.orders.append(paused)

    def change_workers(self, workers: int) -> None:
        raise UsageError(f"not {workers}")


class ElsewhereExecutor:
    """An executor that has every import carried out by ``begin``."""

    def __init__(self, begin: Callable[[ImportSpec], ImportElsewhere]) -> None:
        self._begin = begin

    def run(self, queue: ImportQueue) -> None:
        for each in queue.imports():
            each.carry_out_elsewhere(self._begin)


def prepared_run(folder: Path, database: Database, begin: Callable[[ImportSpec], ImportElsewhere]) -> PreparedRun:
    return PreparedRun(folder, database, imports=2, executor=ElsewhereExecutor(begin))


def ended(spec: ImportSpec, report: Report) -> Report:
    return msgspec.structs.replace(report, run_id=spec.run_id, outcome="complete", exit_code=0, error=None)


@pytest.fixture
def some_report(tmp_path: Path, sqlite: Database) -> Report:
    def never(spec: ImportSpec) -> ImportElsewhere:
        raise ImporterError("no place")

    report = prepared_run(tmp_path, sqlite, never).run.execute()
    assert isinstance(report, SetReport)
    assert [(each.outcome, each.error) for each in report.imports] == [("failed", "no place")] * 2
    return report.imports[0]


def test_events_of_remote_imports_are_forwarded_and_their_reports_kept(
    tmp_path: Path, sqlite: Database, some_report: Report
) -> None:
    parts: list[FakeProcess] = []

    def begin(spec: ImportSpec) -> ImportElsewhere:
        counters = Snapshot(at=9e9, read=5, inserted=5, phase=Phase.FINISHED, all_read=True)
        hello = Noticed(source=spec.source, message="hello")
        parts.append(FakeProcess(spec, [hello, counters, ended(spec, some_report)]))
        return parts[-1]

    run = prepared_run(tmp_path, sqlite, begin)
    report = run.run.execute()
    assert [part.spec.source for part in parts] == [1, 2]
    assert [part.spec.run_id for part in parts] == [f"{report.run_id}.1", f"{report.run_id}.2"]
    assert [event.source for event in run.heard if isinstance(event, Noticed)] == [1, 2]
    assert report.outcome == "complete"
    assert run.run.snapshot().inserted == 10
    assert run.run.snapshot().at < 9e9


@pytest.mark.parametrize("script", [[RuntimeError("gone")], []], ids=["an error", "no report"])
def test_dead_remote_import_fails_with_its_last_known_counts(
    tmp_path: Path, sqlite: Database, script: list[Exception]
) -> None:
    def begin(spec: ImportSpec) -> ImportElsewhere:
        return FakeProcess(spec, [committed(spec.source, 3), Snapshot(at=0, read=9, inserted=2), *script])

    report = prepared_run(tmp_path, sqlite, begin).run.execute()
    assert isinstance(report, SetReport)
    assert [each.outcome for each in report.imports] == ["failed", "failed"]
    assert {each.error for each in report.imports} <= {
        "RuntimeError: gone",
        "the import ended elsewhere without a report",
    }
    counts: list[Stats] = [each.stats for each in report.imports]
    assert [(each.total_records, each.inserted) for each in counts] == [(3, 3), (3, 3)]


def test_orders_reach_a_remote_import_even_if_sent_before_its_start(
    tmp_path: Path, sqlite: Database, some_report: Report
) -> None:
    parts: list[FakeProcess] = []

    def begin(spec: ImportSpec) -> ImportElsewhere:
        if not parts:
            run.run.pause(paused=True)
        parts.append(FakeProcess(spec, [Noticed(source=spec.source, message="begun"), ended(spec, some_report)]))
        return parts[-1]

    def listen(event: AnyEvent) -> None:
        if isinstance(event, Noticed):
            with pytest.raises(UsageError, match="not 3"):
                run.run.change_workers(3)
            run.run.stop("enough", ExitCode.SIGTERM)
            run.run.abort("now", ExitCode.SIGTERM)

    run = prepared_run(tmp_path, sqlite, begin)
    run.on_event = listen
    report = run.run.execute()
    assert isinstance(report, SetReport)
    [part] = parts
    assert part.orders == [True, ("enough", ExitCode.SIGTERM, False), ("enough", ExitCode.SIGTERM, True)]
    assert [each.outcome for each in report.imports] == ["complete", "stopped"]
    run.run.stop("again")
    assert len(part.orders) == 3


def test_nothing_is_forwarded_after_a_remote_import_has_ended(
    tmp_path: Path, sqlite: Database, some_report: Report
) -> None:
    run = prepared_run(tmp_path, sqlite, lambda spec: FakeProcess(spec, []))
    [engine, _] = run.run._engines
    assert isinstance(engine, Engine)
    part = FakeProcess(run.run.spec(1), [some_report])
    heard: list[AnyEvent] = []
    elsewhere = EngineElsewhere(engine, heard.append, part, RejectList())
    assert elsewhere.execute() == some_report
    assert not elsewhere.stop("too late")
    assert not elsewhere.pause(paused=True)
    assert (part.orders, heard) == ([], [])


def rejected(row: int) -> RowRejected:
    return RowRejected(worker=1, reject=Reject(sheet="s", row=row, faults=(), values=("?",)))


LOADING = LoadingStarted(table="t", strategy="plain", workers=1, batch_size=10, headers=("n",))


def started_engine(
    folder: Path, database: Database, rejects: RejectList, script: Sequence[AnyEvent | Snapshot | Report | Exception]
) -> tuple[EngineElsewhere, FakeProcess, list[AnyEvent]]:
    run = PreparedRun(folder, database)
    [engine] = run.run._engines
    assert isinstance(engine, Engine)
    heard: list[AnyEvent] = []
    part = FakeProcess(run.run.spec(1), script)
    return EngineElsewhere(engine, heard.append, part, rejects), part, heard


@pytest.mark.parametrize("approved", [True, False, ZeroDivisionError("on purpose")], ids=["yes", "no", "fails"])
def test_question_of_a_remote_import_is_answered_while_it_goes_on_telling(
    tmp_path: Path, sqlite: Database, some_report: Report, approved: bool | Exception
) -> None:
    change = TableChange("t", 3, WriteMode(WriteKind.UPSERT))
    asked: list[TableChange] = []
    engine, part, heard = started_engine(tmp_path, sqlite, RejectList(), [])

    def told() -> Iterator[ToldElsewhere]:
        yield change
        yield LOADING
        assert part.go_on.wait(60)
        yield some_report

    def approve(change: TableChange) -> bool:
        asked.append(change)
        while not heard:
            time.sleep(0.01)
        if isinstance(approved, Exception):
            raise approved
        return approved

    part.told = told  # type: ignore[assignment,method-assign]
    engine._approve = approve
    assert engine.execute() == some_report
    failed = ("ZeroDivisionError: on purpose", ExitCode.FAILED, False)
    assert (asked, part.orders) == ([change], [approved if isinstance(approved, bool) else failed])


@pytest.mark.parametrize("dies", [False, True], ids=["ends", "dies"])
def test_its_rejects_are_kept_where_the_run_is(
    tmp_path: Path, sqlite: Database, some_report: Report, dies: bool
) -> None:
    rejects = RejectList()
    last: Report | Exception = ImporterError("gone") if dies else some_report
    script = [LOADING, committed(1, 3), rejected(2), committed(1, 3), rejected(7), rejected(9), last]
    elsewhere, part, heard = started_engine(tmp_path, sqlite, rejects, script)
    elsewhere.execute()
    assert [reject.row for reject in rejects.first(9)] == [2, 7, 9]
    assert elsewhere.headers == ("n",)
    assert heard == script[:-1]
    assert part.orders == []


class FullDisk(RejectList):
    def add_many(self, rejects: Iterable[Reject]) -> None:
        if list(rejects):
            raise ImporterError("no room for rejects")


def test_rejects_that_cannot_be_kept_stop_it(tmp_path: Path, sqlite: Database, some_report: Report) -> None:
    script: list[AnyEvent | Report] = [committed(1, 3), rejected(2), committed(1, 3), rejected(7), some_report]
    elsewhere, part, heard = started_engine(tmp_path, sqlite, FullDisk(), script)
    elsewhere.execute()
    assert part.orders == [("no room for rejects", ExitCode.FAILED, False)]
    assert heard == script[:-1]


def test_file_and_database_are_called_as_the_run_calls_them(
    tmp_path: Path, sqlite: Database, some_report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = msgspec.structs.replace(
        some_report,
        source=msgspec.structs.replace(some_report.source, file="/there/numbers.lines"),
        target=msgspec.structs.replace(some_report.target, database="/there/target.db"),
    )
    reading = ReadingStarted(file="/there/numbers.lines", reader="lines", bytes=9)
    elsewhere, _, heard = started_engine(tmp_path, sqlite, RejectList(), [reading, there])
    report = elsewhere.execute()
    here = str(tmp_path / "numbers.lines")
    assert (report.source.file, report.target.database) == (here, sqlite.url)
    assert heard == [msgspec.structs.replace(reading, file=here)]
