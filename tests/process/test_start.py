"""A run as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.exactly_once.test_fencing import wait_for
from tui_importer import Options, Plan, Source, Target
from tui_importer.core.model.report import Report
from tui_importer.errors import ExitCode, ImporterError, PlanError
from tui_importer.process import start
from tui_importer.process.messages import ImportRequest
from tui_importer.process.start import RefusedError, start_run
from tui_importer.recording.control import Pause, Unpause, give_order
from tui_importer.recording.recordings import Recording, recordings, recordings_folder

if TYPE_CHECKING:
    from tests.conftest import Database

PASSWORD = "s3cr3t-w0rd"
#: Rows of the test's file, a hundred a second: nobody waits for all of them.
ROWS, RATE = 3_000, 100.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runs are recorded, by us and by the processes that we begin, in a folder of their own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return recordings_folder()


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("n\n" + "\n".join(map(str, range(ROWS))) + "\n")
    return path


@pytest.fixture(autouse=True)
def none_left(folder: Path) -> Iterator[None]:
    """A test that leaves a process behind fails, and the process is ended."""
    us = psutil.Process()
    before = {child.pid for child in us.children(recursive=True)}
    yield
    for recording in recordings(folder):
        for process in owners(recording):
            process.kill()
    left = [child for child in us.children(recursive=True) if child.pid not in before and "process" in cmdline(child)]
    _, alive = psutil.wait_procs(left, timeout=60)
    assert not alive


def cmdline(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def owners(recording: Recording) -> list[psutil.Process]:
    """The processes that have the recording open."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and str(recording.events_file) in (
                file.path for file in process.open_files()
            ):
                found.append(process)
        except psutil.Error:
            continue
    return found


def request(rows: Path, database: str, **given: Any) -> ImportRequest:
    options = {"max_rate": RATE, **given.pop("options", {})}
    return ImportRequest(
        plans=(
            Plan(
                source=Source(file=str(rows)), target=Target(database=database, table="t"), options=Options(**options)
            ),
        ),
        command="tui-importer rows.csv --no-ui",
        **given,
    )


def wait_for_first_commit(recording: Recording) -> psutil.Process:
    """Wait until the run has written something; gives its process."""
    wait_for(lambda: recording.first("batch_committed") is not None)
    [process] = owners(recording)
    return process


def ended(recording: Recording) -> Report:
    wait_for(lambda: not recording.alive)
    report = recording.report()
    assert report is not None
    return report


def test_run_is_a_recorded_process_in_its_own_session(folder: Path, rows: Path, sqlite: Database) -> None:
    recording = start_run(request(rows, sqlite.url), folder)
    assert recording.alive
    assert recording.command == "tui-importer rows.csv --no-ui"
    assert [found.run_id for found in recordings(folder)] == [recording.run_id]
    process = wait_for_first_commit(recording)
    assert process.pid != os.getpid()
    assert os.getsid(process.pid) == process.pid != os.getsid(0), "a session of its own has no terminal to lose"
    assert {os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)} == {os.devnull}
    # It takes orders; the first signal stops it, and its report says so.
    give_order(recording.folder, Pause())
    process.terminate()
    report = ended(recording)
    assert (report.outcome, report.exit_code) == ("stopped", 143)
    assert 0 < report.stats.inserted == sqlite.scalar("SELECT count(*) FROM t") < ROWS
    # The same rows go on from there.
    again = ended(start_run(request(rows, sqlite.url, options={"max_rate": None}), folder))
    assert (again.outcome, again.resumes) == ("complete", report.run_id)
    assert sqlite.scalar("SELECT count(DISTINCT n) FROM t") == sqlite.scalar("SELECT count(*) FROM t") == ROWS


BEGINNER = """
import msgspec, sys, time
from pathlib import Path
from tui_importer.process.messages import ImportRequest
from tui_importer.process.start import start_run
from tui_importer.recording.recordings import recordings_folder
request = msgspec.json.decode(sys.argv[1].encode(), type=ImportRequest)
print(start_run(request, recordings_folder()).run_id, flush=True)
time.sleep(600)
"""


@pytest.mark.once
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
def test_run_survives_the_death_of_its_parent(
    folder: Path, rows: Path, sqlite: Database, number: signal.Signals
) -> None:
    """Also when the parent's whole process group is signalled, as by a closed terminal."""
    import msgspec

    text = msgspec.json.encode(request(rows, sqlite.url)).decode()
    beginner = subprocess.Popen(
        [sys.executable, "-c", BEGINNER, text], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with beginner:
        assert beginner.stdout is not None
        recording = Recording(folder / beginner.stdout.readline().strip())
        process = wait_for_first_commit(recording)
        os.killpg(beginner.pid, number)
        assert beginner.wait(60) in (-number, 1)
    process.send_signal(signal.SIGHUP)
    assert recording.alive
    give_order(recording.folder, Pause())
    give_order(recording.folder, Unpause())
    process.terminate()
    assert ended(recording).exit_code == 143


def plan_of(rows: Path, database: str | None = None, reader: str | None = None, **options: Any) -> Plan:
    return Plan(
        source=Source(file=str(rows), reader=reader), target=Target(database=database), options=Options(**options)
    )


REFUSED: list[tuple[Callable[[Path], Plan], str]] = [
    (lambda rows: plan_of(rows, strategy="telepathic"), "telepathic"),
    (lambda rows: plan_of(rows, database=f"shop:{PASSWORD}@db/shop"), "malformed database URL"),
    (lambda rows: plan_of(rows, database=f"postgresql://shop:a:{PASSWORD}@db/shop"), "password"),
    (lambda rows: plan_of(rows, database=" "), "empty"),
    (lambda rows: plan_of(rows, reader="clairvoyant"), "clairvoyant"),
    (lambda rows: plan_of(rows, workers=0), "workers"),
    (lambda rows: plan_of(rows, types={"n": "colour"}), "colour"),
    (lambda rows: plan_of(rows.with_suffix(".jpeg")), ".jpeg"),
    (lambda rows: plan_of(rows.with_name("missing.csv")), "missing.csv: no such file"),
    (lambda rows: plan_of(rows, database="nosuch://db/x"), "no driver"),
]


@pytest.mark.parametrize(("plan", "says"), REFUSED, ids=range(len(REFUSED)))
def test_contradictory_requests_are_refused(folder: Path, rows: Path, plan: Callable[[Path], Plan], says: str) -> None:
    with pytest.raises((RefusedError, PlanError)) as caught:  # by the process, or before there is a plan to give it
        start_run(ImportRequest(plans=(plan(rows),), command="x"), folder)
    assert caught.value.exit_code is ExitCode.USAGE
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert recordings(folder) == []
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    ("file", "database", "code", "says"),
    [
        ("rows.csv", "no/such/folder/t.db", 5, "no folder"),
    ],
)
def test_errors_after_the_start_are_in_the_report(
    folder: Path, rows: Path, file: str, database: str, code: int, says: str
) -> None:
    """As in a headless run, the report has the result."""
    report = ended(start_run(request(rows.with_name(file), database), folder))
    assert (report.outcome, report.exit_code) == ("failed", code)
    assert says in (report.error or "")


def test_run_is_refused_if_it_cannot_be_recorded(folder: Path, rows: Path, sqlite: Database) -> None:
    """A run without a recording could not be shown."""
    folder.parent.parent.mkdir(parents=True)
    folder.parent.touch()
    with pytest.raises(RefusedError, match="cannot be recorded"):
        start_run(request(rows, sqlite.url), folder)
    assert not Path(sqlite.url).exists()


def test_process_that_fails_to_start_is_reported(folder: Path, rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "_MODULE", "tui_importer.no_such_module")
    with pytest.raises(ImporterError, match=r"the run could not be begun: .*no_such_module"):
        start_run(request(rows, "x.db"), folder)


@pytest.mark.once
def test_modules_in_the_working_directory_are_not_imported(folder: Path, rows: Path, sqlite: Database) -> None:
    """A folder of data may hold a file named like a module: it must neither run nor shadow the module."""
    for name in ("json", "sqlite3", "msgspec", "tui_importer", "select"):
        Path(f"{name}.py").write_text("open('was-run', 'w'); raise SystemExit(9)")
    report = ended(start_run(request(rows, sqlite.url, options={"max_rate": None}), folder))
    assert report.outcome == "complete"
    assert not Path("was-run").exists()


@pytest.mark.once
def test_report_is_readable_only_by_its_owner(folder: Path, rows: Path, sqlite: Database, tmp_path: Path) -> None:
    where = tmp_path / "report.json"
    before = os.umask(0)
    try:
        recording = start_run(request(rows, sqlite.url, report_file=str(where), options={"max_rate": None}), folder)
        [process] = owners(recording) or [None]
        ended(recording)
        if process is not None:
            psutil.wait_procs([process], timeout=60)
    finally:
        os.umask(before)
    wait_for(where.exists)
    wait_for(lambda: where.read_bytes().endswith(b"}\n"))
    assert json.loads(where.read_bytes())["run_id"] == recording.run_id
    assert stat.S_IMODE(where.stat().st_mode) == 0o600


@pytest.mark.once
def test_undecodable_file_names_are_passed_to_the_process(folder: Path, rows: Path, sqlite: Database) -> None:
    names = [os.fsdecode(name) for name in (b"r\xe9.json", b"x\xe9.xlsx", b"n\xe9")]
    report, rejects, missing = (rows.parent / name for name in names)
    plan = Plan(
        source=Source(file=str(rows), limit=5),
        target=Target(database=sqlite.url, table="t"),
        options=Options(types={"n": "boolean"}),
    )
    begun = start_run(
        ImportRequest(plans=(plan,), command="x", rejects_file=str(rejects), report_file=str(report)), folder
    )
    assert (ended(begun).rejects_file or "").endswith(r"x\xe9.xlsx")
    wait_for(report.exists)
    assert rejects.exists()
    with pytest.raises(RefusedError, match="there is no folder"):
        start_run(ImportRequest(plans=(plan,), command="x", rejects_file=str(missing / "r.xlsx")), folder)


def test_password_is_not_visible_in_the_process(folder: Path, rows: Path, postgres: Database, tmp_path: Path) -> None:
    url = postgres.url.replace("postgres@", f"postgres:{PASSWORD}@")
    assert PASSWORD in url
    where = tmp_path / "report.json"
    recording = start_run(request(rows, url, report_file=str(where)), folder)
    process = wait_for_first_commit(recording)
    seen = [Path(f"/proc/{process.pid}/{part}").read_bytes() for part in ("cmdline", "environ")]
    assert not any(PASSWORD.encode() in text for text in seen)
    shown = subprocess.run(["ps", "-eww", "-o", "args,command"], capture_output=True, text=True, check=False).stdout
    assert "tui_importer.process" in shown
    assert PASSWORD not in shown
    process.terminate()
    ended(recording)
    wait_for(where.exists)
    psutil.wait_procs([process], timeout=60)
    files = [path for place in (tmp_path / "state", tmp_path / "here") for path in place.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"events.jsonl", "plans.json", "report.json", "command"}
    assert not any(PASSWORD.encode() in path.read_bytes() for path in [*files, where])
    assert not any(PASSWORD in str(row) for row in postgres.fetch("SELECT * FROM tui_importer_run"))
