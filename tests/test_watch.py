"""A folder that is watched from Python: what is told, and what stays exactly once when somebody interferes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import openpyxl
import psutil
import pytest

from tests.conftest import Database, sqlite_database
from tui_importer import (
    AnyWatchEvent,
    ExitCode,
    FileEnded,
    FileMoved,
    FilePostponed,
    FileStarted,
    Options,
    Plan,
    PlanError,
    Source,
    Target,
    UsageError,
    Watch,
    WatchOptions,
    watch_folder,
)
from tui_importer.plugins.registry import load_registry
from tui_importer.process.watched_folder import WatchedFolder
from tui_importer.recording.recordings import Recording, recordings_folder

OLD = 1_700_000_000
PATIENCE = 60.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # rejects are written there
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    return sqlite_database(tmp_path / "w.db")


def write_file(path: Path, text: str) -> Path:
    """A file that was written long ago."""
    path.write_text(text)
    os.utime(path, (OLD, OLD))
    return path


def plan_into(database: Database | str, **more: object) -> Plan:
    options = Options(types={"n": "integer"}, workers=1, batch_size=10, **more)  # type: ignore[arg-type]
    target = Target(database=database if isinstance(database, str) else database.url, table="t")
    return Plan(source=Source(file="each.csv"), target=target, options=options)


@contextmanager
def in_a_thread(watch: Watch) -> Iterator[list[ExitCode]]:
    """Run the watch in a thread; it is stopped at the end if the test has not done so."""
    codes: list[ExitCode] = []
    thread = threading.Thread(target=lambda: codes.append(watch.run()))
    thread.start()
    try:
        yield codes
    finally:
        watch.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_each_file_is_told_from_its_start_to_where_it_was_moved(folder: Path, sqlite: Database, tmp_path: Path) -> None:
    good = write_file(folder / "a.csv", "n,t\n1,x\n2,y\nx,z\n")
    write_file(folder / "notes.md", "nothing to import")
    bad = folder / "b.xlsx"
    bad.write_text("not a workbook")
    told: list[AnyWatchEvent] = []
    options = WatchOptions(settle=0, done=tmp_path / "done", failed="failed")
    assert watch_folder(folder, plan_into(sqlite), options, once=True, listener=told.append) == ExitCode.USAGE
    assert sqlite.fetch("SELECT n FROM t ORDER BY n") == [(1,), (2,)]
    assert [type(event).__name__ for event in told] == ["FileStarted", "FileEnded", "FileMoved"] * 2
    started, ended, moved, _, refused, failed = told
    assert isinstance(started, FileStarted)
    assert isinstance(ended, FileEnded)
    assert ended.report is not None
    assert (ended.path, ended.run_id, ended.exit_code) == (good, started.run_id, ExitCode.REJECTS)
    assert (ended.outcome, ended.report.stats.error_count) == ("complete_with_rejects", 1)
    assert moved == FileMoved(path=good, target=tmp_path / "done" / "a.csv")
    assert isinstance(refused, FileEnded)
    assert (refused.path, refused.exit_code) == (bad, ExitCode.USAGE)
    assert "not a workbook, whatever its name says" in str(refused.error)
    assert failed == FileMoved(path=bad, target=Path("failed/b.xlsx"))
    recorded = Recording(recordings_folder() / started.run_id)
    assert f"{good}" in str(recorded.command)
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".xlsx") == ["a.rejects.xlsx"]


@pytest.mark.once
def test_watch_stopped_from_another_thread_is_continued_by_the_next_one(folder: Path, sqlite: Database) -> None:
    path = write_file(folder / "a.csv", "n,t\n" + "".join(f"{row},x\n" for row in range(1_000)))
    started, told = threading.Event(), list[AnyWatchEvent]()

    def listener(event: AnyWatchEvent) -> None:
        told.append(event)
        started.set()

    watch = Watch(folder, plan_into(sqlite, max_rate=200.0), listener=listener)
    with in_a_thread(watch) as codes:
        assert started.wait(PATIENCE)
    assert codes == [ExitCode.STOPPED]
    [first, stopped] = told
    assert isinstance(first, FileStarted)
    assert isinstance(stopped, FileEnded)
    assert stopped.outcome == "stopped"
    assert not Recording(recordings_folder() / first.run_id).alive
    assert path.exists()
    assert watch_folder(folder, plan_into(sqlite), once=True) == ExitCode.OK
    assert sqlite.fetch("SELECT count(*), count(DISTINCT n) FROM t") == [(1_000, 1_000)]


@pytest.mark.once
def test_file_that_changes_during_its_import_stays_and_is_imported_again(
    folder: Path, sqlite: Database, tmp_path: Path
) -> None:
    path = write_file(folder / "a.csv", "n,t\n1,x\n")
    imported = list[FileEnded]()
    moved = threading.Event()

    def listener(event: AnyWatchEvent) -> None:
        if isinstance(event, FileStarted) and not imported:
            with path.open("a") as file:
                file.write("2,y\n")
        elif isinstance(event, FileEnded):
            imported.append(event)
        elif isinstance(event, FileMoved):
            moved.set()

    plan = plan_into(sqlite)
    target = Target(database=sqlite.url, table="t", key=("n",))
    plan = Plan(source=plan.source, target=target, options=plan.options)
    options = WatchOptions(settle=0.3, every=0.05, done="done")
    with in_a_thread(Watch(folder, plan, options, listener=listener)):
        assert moved.wait(PATIENCE)
    assert [each.exit_code for each in imported] == [ExitCode.OK, ExitCode.OK]
    assert (tmp_path / "done" / "a.csv").read_text() == "n,t\n1,x\n2,y\n"
    assert sqlite.fetch("SELECT n, t FROM t ORDER BY n") == [(1, "x"), (2, "y")]


@pytest.mark.once
def test_function_chooses_the_plan_of_a_file_and_a_file_refused_by_it_fails(folder: Path, tmp_path: Path) -> None:
    for name in ("north.csv", "south.csv", "other.csv"):
        write_file(folder / name, "n\n1\n")

    def plan_for(path: Path) -> Plan:
        if path.stem == "other":
            raise PlanError("nothing is known of the others")
        plan = plan_into(str(tmp_path / "w.db"))
        return Plan(source=Source(file=path), target=Target(database=plan.target.database, table=path.stem))

    told: list[AnyWatchEvent] = []
    code = watch_folder(folder, plan_for, WatchOptions(patterns=("[!.]*",)), once=True, listener=told.append)
    assert code == ExitCode.USAGE
    [refused] = [event for event in told if isinstance(event, FileEnded) and event.run_id is None]
    assert (refused.path.name, refused.error, refused.died) == ("other.csv", "nothing is known of the others", False)
    database = sqlite_database(tmp_path / "w.db")
    assert [database.scalar(f"SELECT count(*) FROM {table}") for table in ("north", "south")] == [1, 1]


@pytest.mark.once
def test_mended_rejects_in_the_folder_go_where_the_other_rows_went(
    folder: Path, sqlite: Database, tmp_path: Path
) -> None:
    write_file(folder / "a.csv", "n,t\n1,x\nx,y\n")
    options = WatchOptions(settle=0)
    assert watch_folder(folder, plan_into(sqlite), options, once=True) == ExitCode.REJECTS
    book = openpyxl.load_workbook(tmp_path / "a.rejects.xlsx")
    assert book.active is not None
    book.active["A2"] = 2
    book.save(folder / "mended.xlsx")
    elsewhere = Watch(folder, plan_into("other.db"), WatchOptions(settle=0, patterns=("*.xlsx",)))
    assert elsewhere.run(once=True) == ExitCode.USAGE
    assert not Path("other.db").exists()
    (folder / "a.csv").unlink()
    assert watch_folder(folder, plan_into(sqlite), options, once=True) == ExitCode.OK
    assert sqlite.fetch("SELECT n, t FROM t ORDER BY n") == [(1, "x"), (2, "y")]


@pytest.mark.once
@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGTERM, ExitCode.SIGTERM), (signal.SIGKILL, ExitCode.STOPPED)]
)
def test_run_ended_by_others_is_tried_again_later(
    folder: Path, sqlite: Database, number: signal.Signals, exit_code: ExitCode
) -> None:
    write_file(folder / "a.csv", "n,t\n" + "".join(f"{row},x\n" for row in range(1_000)))
    postponed, told = threading.Event(), list[AnyWatchEvent]()

    def listener(event: AnyWatchEvent) -> None:
        told.append(event)
        if isinstance(event, FileStarted):
            for process in psutil.Process().children():
                if "tui_importer.process" in process.cmdline():
                    process.send_signal(number)
        elif isinstance(event, FilePostponed):
            postponed.set()

    with in_a_thread(
        Watch(folder, plan_into(sqlite, max_rate=200.0), WatchOptions(failed="failed"), listener=listener)
    ):
        assert postponed.wait(PATIENCE)
    [ended] = [event for event in told if isinstance(event, FileEnded)]
    assert (ended.exit_code, ended.died) == (exit_code, number == signal.SIGKILL)
    assert told[-1] == FilePostponed(path=folder / "a.csv", seconds=5.0)
    assert watch_folder(folder, plan_into(sqlite), once=True) == ExitCode.OK
    assert sqlite.fetch("SELECT count(*), count(DISTINCT n) FROM t") == [(1_000, 1_000)]


def test_pauses_double_and_a_file_that_kills_its_process_fails_at_last(folder: Path) -> None:
    path = write_file(folder / "a.csv", "n\n1\n")
    watched = WatchedFolder(folder, WatchOptions(failed="failed"), load_registry())
    assert watched.due() == [path]
    pauses = [watched.ended(path, ExitCode.UNREACHABLE) for _ in range(8)]
    assert [each.seconds for each in pauses if isinstance(each, FilePostponed)] == [5, 10, 20, 40, 80, 160, 300, 300]
    assert watched.due() == []
    assert watched.waiting == [path]
    assert watched.ended(path, ExitCode.STOPPED, died=True) == FileMoved(path=path, target=Path("failed/a.csv"))
    assert watched.due() == []
    assert watched.waiting == []


def test_symbolic_links_are_ignored_where_they_are_not_to_be_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "a.csv").symlink_to(write_file(tmp_path / "secret.csv", "n\n1\n"))
    options, registry = WatchOptions(settle=0), load_registry()
    assert WatchedFolder(folder, options, registry).due() == [folder / "a.csv"]
    assert WatchedFolder(folder, options, registry, follow_links=False).due() == []


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: WatchOptions(patterns="*.csv"), PlanError, "patterns has to be a tuple"),  # type: ignore[arg-type]
        (lambda: WatchOptions(settle=float("nan")), PlanError, "settle has to be a number of seconds from 0, not nan"),
        (lambda: WatchOptions(every=0), PlanError, "every has to be a number of seconds from 0.05, not 0"),
        (lambda: WatchOptions(done=""), PlanError, "done has to be the path of a folder"),
        (lambda: Watch("nowhere", plan_into("w.db")), UsageError, "nowhere: is not a folder"),
        (lambda: Watch("in", plan_into("w.db"), WatchOptions(done="in")), UsageError, "in: is the folder that is"),
        (lambda: Watch("in", plan_into("mysqll://h/d")), UsageError, "mysqll"),
        (lambda: Watch("in", "plan.toml"), PlanError, "a Plan is needed, not str"),  # type: ignore[arg-type]
        (lambda: Watch("in", plan_into("w.db"), listener=None), PlanError, "listener must"),  # type: ignore[arg-type]
    ],
)
def test_wrong_values_are_refused_before_anything_is_imported(
    folder: Path, make: Callable[[], object], error: type[Exception], said: str
) -> None:
    write_file(folder / "a.csv", "n\n1\n")
    with pytest.raises(error, match=said):
        make()
    assert not Path("w.db").exists()
