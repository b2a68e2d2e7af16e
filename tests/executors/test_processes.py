"""Imports side by side in processes of their own: nothing is lost, whatever becomes of the processes."""

from __future__ import annotations

import csv
import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil
import pytest

from tests.conftest import Database
from tui_importer import Options, Plan, Report, Run, SetReport, Source, Target
from tui_importer.core.model.write_mode import OnConflict, WriteKind
from tui_importer.core.run.run_id import new_run_id
from tui_importer.core.scheduling.executor import ImportSpec
from tui_importer.events import AnyEvent, BatchCommitted, ImportFinished, Paused, RowRejected, WorkersChanged
from tui_importer.process.messages import Completing, PartEnded, PartRequest
from tui_importer.process.part import ImportProcess

pytestmark = pytest.mark.once

ROWS = 400
#: Rows that take 10 seconds at 400 rows a second: what is to happen meanwhile does.
LONG = 4_000
PATIENCE = 60.0


def sources(folder: Path, files: int = 3, rows: int = ROWS) -> list[str]:
    """Files ``0.csv`` and so on; their ids do not overlap."""
    folder.mkdir(exist_ok=True)
    paths = []
    for file in range(files):
        path = folder / f"{file}.csv"
        with path.open("w", newline="") as out:
            csv.writer(out).writerows([("id", "file"), *((file * rows + row, file) for row in range(rows))])
        paths.append(str(path))
    return paths


def plan_of(
    files: Sequence[str], database: Database, jobs: int, *, rate: float | None = None, **target: object
) -> Plan:
    first, *others = (Source(file=file) for file in files)
    options = Options(
        executor="processes",
        plugin_options={"processes": {"jobs": jobs}},
        batch_size=20,
        workers=1,
        max_rate=rate,
        retry_for=PATIENCE,
    )
    place = Target(database=database.url, table="t", **target)  # type: ignore[arg-type]
    return Plan(source=first, further_sources=tuple(others), target=place, options=options)


def run_plan(plan: Plan, on_event: Callable[[Run, AnyEvent], None] = lambda run, event: None) -> SetReport:
    run = Run(plan, listener=lambda event: on_event(run, event))
    report = run.execute()
    assert isinstance(report, SetReport)
    return report


def outcomes(report: Report) -> list[str]:
    assert isinstance(report, SetReport)
    return [each.outcome for each in report.imports]


def part_processes() -> list[psutil.Process]:
    """The processes that carry out imports of this one."""
    found = []
    for each in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            found += [each] if "tui_importer.process" in each.cmdline() else []
    return found


def ids(database: Database) -> list[int]:
    return [number for (number,) in database.fetch("SELECT id FROM t ORDER BY id")]


def test_concurrent_imports_fill_one_new_table(tmp_path: Path, database: Database) -> None:
    report = run_plan(plan_of(sources(tmp_path, 3), database, 3))
    assert outcomes(report) == ["complete"] * 3
    assert [each.run_id for each in report.imports] == [f"{report.run_id}.{number}" for number in (1, 2, 3)]
    assert report.stats.inserted == 3 * ROWS
    assert ids(database) == list(range(3 * ROWS))
    again = run_plan(plan_of(sources(tmp_path, 3), database, 2))
    assert outcomes(again) == ["already_imported"] * 3
    assert ids(database) == list(range(3 * ROWS))


def test_worker_processes_match_jobs_and_run_several_imports_each(tmp_path: Path, sqlite: Database) -> None:
    seen: set[int] = set()

    def look(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            seen.update(each.pid for each in part_processes())

    report = run_plan(plan_of(sources(tmp_path, 9), sqlite, 3, rate=1_000), look)
    assert outcomes(report) == ["complete"] * 9
    assert 1 <= len(seen) <= 2
    assert part_processes() == []


def test_refused_import_does_not_affect_the_others(tmp_path: Path, sqlite: Database) -> None:
    files = sources(tmp_path, 4)
    removed: list[str] = []

    def remove(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted) and not removed:
            removed.append(files[2])
            Path(files[2]).unlink()

    report = run_plan(plan_of(files, sqlite, 2, rate=1_000), remove)
    assert outcomes(report) == ["complete", "complete", "failed", "complete"]
    assert "2.csv" in str(report.imports[2].error)
    assert "Traceback" not in str(report.imports[2].error)


def test_events_and_counters_cover_all_imports(tmp_path: Path, sqlite: Database) -> None:
    told: dict[int, int] = {}
    ended: list[int] = []

    def listen(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            told[event.source] = told.get(event.source, 0) + event.inserted
        elif isinstance(event, ImportFinished):
            ended.append(event.source)

    run = Run(plan_of(sources(tmp_path), sqlite, 2), listener=lambda event: listen(run, event))
    report = run.execute()
    assert told == {1: ROWS, 2: ROWS, 3: ROWS}
    assert sorted(ended) == [1, 2, 3]
    last = run.snapshot()
    assert [each.inserted for each in last.sources] == [ROWS] * 3
    assert (last.inserted, last.read, last.ended_rows) == (3 * ROWS,) * 3
    assert report.exit_code == 0


def test_killed_process_fails_only_its_import_and_the_next_run_resumes_it(tmp_path: Path, database: Database) -> None:
    killed: list[int] = []

    def kill(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted) and event.source == 2 and not killed:
            for each in part_processes():
                killed.append(each.pid)
                each.kill()

    files = [*sources(tmp_path, 1, 20), *sources(tmp_path / "long", 1, LONG)]
    report = run_plan(plan_of(files, database, 2, rate=400), kill)
    assert outcomes(report) == ["complete", "failed"]
    assert report.imports[1].error == (
        "the process of this import ended by signal 9: the same command continues where it was"
    )
    assert 0 < report.imports[1].stats.inserted < LONG
    assert report.exit_code == 1
    assert outcomes(run_plan(plan_of(files, database, 2))) == ["already_imported", "complete"]
    assert ids(database) == sorted([*range(20), *range(LONG)])


RUN = """
import sys
from tests.executors.test_processes import plan_of
from tests.conftest import Database
from tui_importer import run_import
kind, url, *files = sys.argv[1:]
run_import(plan_of(files, Database(kind, url, None), 2, rate=200), listener=lambda event: print(flush=True))
"""


def started_run(files: Sequence[str], database: Database, folder: Path) -> subprocess.Popen[bytes]:
    """A slow run in a process of its own, of which a batch of each import is in."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", RUN, database.kind, database.url, *files]
    environment = {**os.environ, "PYTHONPATH": str(root), "XDG_STATE_HOME": str(folder)}
    process = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.DEVNULL)
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        try:
            if database.fetch("SELECT count(DISTINCT file) FROM t") == [(2,)]:
                return process
        except Exception:  # noqa: BLE001  # there is no table yet
            pass
        time.sleep(0.05)
    process.kill()
    raise AssertionError("the run did not begin")


def wait_until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


def wait_for_end(processes: Sequence[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert alive == []


@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
def test_killed_run_leaves_no_process(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    database: Database = request.getfixturevalue(kind)
    files = sources(tmp_path, 2, LONG)
    process = started_run(files, database, tmp_path)
    parts = psutil.Process(process.pid).children(recursive=True)
    assert parts
    process.kill()
    process.wait()
    wait_for_end(parts)
    assert len(ids(database)) < 2 * LONG
    report = run_plan(plan_of(files, database, 2))
    assert report.exit_code == 0
    assert ids(database) == list(range(2 * LONG))


def test_import_is_not_complete_before_the_run_has_taken_its_rejects(tmp_path: Path, sqlite: Database) -> None:
    # The run is killed where it has not recorded a reject yet, which an import that is complete would not tell again.
    sqlite.execute("CREATE TABLE t (id INTEGER, file INTEGER CHECK (id <> 7))")
    [file] = sources(tmp_path, 1, 10)
    plan = plan_of([file], sqlite, 1)
    alone = msgspec.structs.replace(plan, options=Options())
    process = ImportProcess()
    process.send(
        PartRequest(spec=ImportSpec(plan=alone, run_id=new_run_id(dt.datetime.now(dt.UTC)), source=1, command=None))
    )
    last = next(answer for answer in process.answers() if isinstance(answer, Completing | PartEnded))
    assert last == Completing()
    process.close()
    assert sqlite.fetch("SELECT state FROM tui_importer_run") == [("stopped",)]
    heard: list[AnyEvent] = []
    report = Run(alone, listener=heard.append, rejects_file=tmp_path / "rejects.xlsx").execute()
    assert [event.reject.row for event in heard if isinstance(event, RowRejected)] == [9]
    assert (report.exit_code, report.stats.skipped, ids(sqlite)) == (3, 9, [*range(7), 8, 9])


def test_password_is_passed_only_through_a_pipe(tmp_path: Path, postgres: Database) -> None:
    found: list[str] = []

    def look(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            for each in part_processes():
                with suppress(psutil.NoSuchProcess):
                    found.append(f"{each.cmdline()} {each.environ()}")

    url = postgres.url.replace("postgres@", "postgres:s3cret-word@") if "postgres@" in postgres.url else postgres.url
    database = Database("postgresql", url, postgres.fetch)
    report = run_plan(plan_of(sources(tmp_path, 2), database, 2, rate=2_000), look)
    assert found
    assert not any("s3cret-word" in each for each in found)
    assert "s3cret-word" not in repr(report)


def test_order_unread_by_a_dead_process_is_not_an_error(tmp_path: Path, sqlite: Database) -> None:
    def kill_and_stop(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted) and event.source == 2:
            for each in part_processes():
                each.kill()
                wait_until(lambda: each.status() == psutil.STATUS_ZOMBIE)  # noqa: B023
            run.stop("enough")

    report = run_plan(plan_of(sources(tmp_path, 2, LONG), sqlite, 2, rate=400), kill_and_stop)
    assert report.imports[1].outcome == "failed"
    assert "ended by signal 9" in str(report.imports[1].error)


@pytest.mark.parametrize("abort", [False, True], ids=["stop", "abort"])
def test_a_stop_reaches_every_import(tmp_path: Path, sqlite: Database, abort: bool) -> None:
    seen: set[int] = set()

    def end(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            seen.add(event.source)
            if seen == {1, 2}:
                (run.abort if abort else run.stop)("enough")

    files = sources(tmp_path, 3, LONG)
    report = run_plan(plan_of(files, sqlite, 2, rate=400), end)
    assert outcomes(report) == ["stopped"] * 3
    assert {each.error for each in report.imports} == {"enough"}
    assert part_processes() == []
    assert outcomes(run_plan(plan_of(files, sqlite, 2))) == ["complete"] * 3
    assert ids(sqlite) == list(range(3 * LONG))


def test_pause_and_worker_count_reach_every_import(tmp_path: Path, postgres: Database) -> None:
    seen: set[int] = set()
    heard: list[AnyEvent] = []
    loading = threading.Event()

    def listen(event: AnyEvent) -> None:
        heard.append(event)
        if isinstance(event, BatchCommitted):
            seen.add(event.source)
            if seen == {1, 2}:
                loading.set()

    files = sources(tmp_path, 2, 5 * LONG)
    run = Run(plan_of(files, postgres, 2, rate=400), listener=listen)
    thread = threading.Thread(target=run.execute)
    thread.start()
    assert loading.wait(PATIENCE)
    wait_until(lambda: {each.source for each in run.snapshot().workers} == {1, 2})
    run.change_workers(3)
    assert {event.source for event in heard if isinstance(event, WorkersChanged)} == {1, 2}
    run.pause()

    def rests() -> bool:
        """Whether no row goes in for a second, in which 800 would. Between two batches a worker is idle, too."""
        before = len(ids(postgres))
        time.sleep(1)
        return len(ids(postgres)) == before

    wait_until(rests)
    before = len(ids(postgres))
    assert before < 2 * 5 * LONG
    run.unpause()
    wait_until(lambda: len(ids(postgres)) > before)
    run.stop("enough")
    thread.join()
    assert any(isinstance(event, Paused) for event in heard)
    run_plan(plan_of(files, postgres, 2))
    assert ids(postgres) == list(range(2 * 5 * LONG))


@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
def test_last_file_takes_precedence_in_an_upsert(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    database: Database = request.getfixturevalue(kind)
    files = []
    for number, rows in enumerate([2_000, 20, 10]):
        path = tmp_path / f"{number}.csv"
        path.write_text("id,file\n" + "".join(f"{row},{number}\n" for row in range(rows)))
        files.append(str(path))
    database.execute("CREATE TABLE t (id integer PRIMARY KEY, file integer)")
    plan = plan_of(files, database, 3, mode=WriteKind.UPSERT, key=("id",), on_conflict=OnConflict.UPDATE)
    assert outcomes(run_plan(plan)) == ["complete"] * 3
    found = database.fetch("SELECT file, count(*) FROM t GROUP BY file ORDER BY file")
    assert found == [(0, 1_980), (1, 10), (2, 10)]


def test_each_import_has_its_own_reject_workbook(
    tmp_path: Path, sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sqlite.execute("CREATE TABLE t (id integer NOT NULL, file integer)")
    files = []
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        path = tmp_path / str(number) / "same.csv"
        path.write_text(f"id,file\n1,{number}\nx,{number}\n")
        files.append(str(path))
    report = run_plan(plan_of(files, sqlite, 4))
    assert outcomes(report) == ["complete_with_rejects"] * 4
    names = {Path(each.rejects_file or "").name for each in report.imports}
    assert names == {"same.rejects.xlsx", "same.rejects-2.xlsx", "same.rejects-3.xlsx", "same.rejects-4.xlsx"}
    assert names <= {path.name for path in tmp_path.iterdir()}


def test_process_start_failure_fails_only_its_import(
    tmp_path: Path, sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    report = run_plan(plan_of(sources(tmp_path, 2, 4_000), sqlite, 2))
    assert outcomes(report) == ["complete", "failed"]
    assert "no process could be started: No such file" in str(report.imports[1].error)


def test_ctrl_c_in_a_terminal_is_handled_only_by_the_run(tmp_path: Path, sqlite: Database) -> None:
    """A terminal signals the whole process group, but an import is stopped by its run."""
    process = started_run(sources(tmp_path, 2, LONG), sqlite, tmp_path)
    try:
        parts = psutil.Process(process.pid).children(recursive=True)
        assert {os.getpgid(each.pid) for each in parts}.isdisjoint({os.getpgid(process.pid)})
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_for_end(parts)
