"""The real program in real terminals: set up, shown, left, hung up on, found again."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Database
from tests.support.terminal import ENVIRONMENT, PATIENCE, Terminal
from tui_importer.core.model.counters import Snapshot
from tui_importer.core.model.report import SetReport
from tui_importer.recording.follow import all_lines
from tui_importer.recording.recordings import Recording, recordings, recordings_folder

pytestmark = pytest.mark.once

SAMPLE = Path(__file__).parents[2] / "sample_data.xlsx"

#: SGR sequences that set a colour: any, of 256, of 16 million.
_COLOUR = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-7]|4[0-7]|9[0-7]|10[0-7]|38|48)(?:;[0-9;]*)?m")
_256 = re.compile(rb"[34]8;5;")
_TRUE = re.compile(rb"[34]8;2;")


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of this test only."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """4,000 rows, one of them bad."""
    path = tmp_path / "rows.csv"
    lines = [f"{number},customer {number}" for number in range(4_000)]
    lines[1_234] = "1234,has\x00nul"
    path.write_text("number,customer\n" + "\n".join(lines) + "\n")
    return path


def slow(rows: Path, database: str, seconds: int) -> list[str]:
    """An import that takes so long, unless somebody hurries or stops it.

    Longer than a dashboard takes to begin on a slow machine, where it is to be seen at work.
    """
    return [str(rows), "--db", database, "--max-rate", str(4_000 // seconds), "--batch-size", "50"]


def only_run() -> Recording:
    [recording] = recordings(recordings_folder())
    return recording


def wait_until_not(condition: Callable[[], bool]) -> None:
    """Wait until something is no more."""
    end = time.monotonic() + PATIENCE
    while condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def finished(recording: Recording) -> int:
    """The rows that the run is done with by its latest counters; none before it has written any down."""
    counters = [line.what for line in all_lines(recording) if isinstance(line.what, Snapshot)]
    return counters[-1].finished if counters else 0


def test_file_is_imported_and_the_summary_stays_on_the_terminal(tmp_path: Path) -> None:
    with Terminal([str(SAMPLE), "--db", "here.db"], tmp_path) as terminal:
        terminal.until("10,000 rows, 9 columns, header in row 1")
        terminal.until("characters, which SQL text cannot hold")
        terminal.until("table businesses will be created in here.db")
        terminal.type("\r")
        terminal.until("DONE WITH REJECTS")
        assert "read 10,000 = inserted 9,987 + rejected 13" in terminal.text
        terminal.type("e")
        terminal.until("finished: 13 rows rejected, every other row is in")
        terminal.type("\x1b")
        terminal.until("q Quit")
        terminal.type("q")
        assert terminal.wait() == 3
        left = terminal.text
    assert "finished: 13 rows rejected, every other row is in" in left
    assert "read 10,000 = inserted 9,987 + rejected 13" in left
    assert "report: " in left
    assert "rejects: " in left
    # The command that is left there is the one that repeats the run, as it stands.
    command = only_run().command
    assert command is not None
    again = subprocess.run(
        [sys.executable, "-m", *command.replace("tui-importer", "tui_importer", 1).split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (again.returncode, "already imported" in again.stderr) == (0, True), again.stderr


def test_changes_on_the_setup_screen_are_applied(tmp_path: Path, rows: Path, sqlite: Database) -> None:
    with Terminal([str(rows), "--db", sqlite.url, "--strategy", "concurrent"], tmp_path) as terminal:
        terminal.until("will be created")
        assert "strategy threaded" in terminal.text
        terminal.type("t")  # number: integer, then the next type
        terminal.until(lambda shown: any("A  number" in line and "text" in line for line in shown.splitlines()))
        terminal.type("\x1b[B ")  # down, and leave the second out
        terminal.until("left out")
        terminal.type("\r")
        terminal.until("DONE")
        terminal.type("q")
        assert terminal.wait() == 0
    columns = sqlite.fetch("SELECT name, type FROM pragma_table_info('rows')")
    assert columns == [("number", "TEXT")]
    assert sqlite.scalar("SELECT count(*) FROM rows") == 4_000


def test_lost_terminal_does_not_affect_the_run(tmp_path: Path, rows: Path, postgres: Database) -> None:
    with Terminal([*slow(rows, postgres.url, 30), "--yes"], tmp_path) as terminal:
        terminal.until("LOADING")
        terminal.hang_up()
        terminal.ended()  # the viewer does not stay behind
    recording = only_run()
    assert recording.alive
    with Terminal(["attach"], tmp_path) as terminal:
        shown = terminal.until("LOADING")
        assert "rows.csv" in shown
        terminal.type("d")
        assert terminal.wait() == 0
        assert f"attach {recording.run_id}" in terminal.text
    wait_until_not(lambda: recording.alive)
    report = recording.report()
    assert report is not None
    assert (report.stats.inserted, report.stats.error_count) == (3_999, 1)
    assert postgres.scalar("SELECT count(*) FROM rows") == 3_999
    with Terminal(["attach", recording.run_id[:15]], tmp_path) as terminal:
        terminal.until("DONE WITH REJECTS")
        assert "created table rows" in terminal.text
        terminal.type("q")
        assert terminal.wait() == 3


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_run_survives_a_killed_dashboard(tmp_path: Path, rows: Path, death: signal.Signals) -> None:
    with Terminal([*slow(rows, "x.db", 100), "--yes"], tmp_path) as terminal:
        terminal.until("LOADING")
        os.kill(terminal.pid, death)
        code = terminal.wait()
        if death is signal.SIGTERM:  # the terminal is left as it was found
            assert (code, b"\x1b[?1049l" in terminal.output) == (143, True)
            assert "goes on without you" in terminal.text
    recording = only_run()
    assert recording.alive
    before = finished(recording)
    wait_until_not(lambda: finished(recording) <= before)
    with Terminal(["attach"], tmp_path) as terminal:
        terminal.until("LOADING")
        terminal.type("s")
        terminal.until("STOPPED")
        terminal.type("q")
        assert terminal.wait() == 4


def test_headless_run_is_attached_stopped_and_resumed(tmp_path: Path, rows: Path, postgres: Database) -> None:
    command = [sys.executable, "-m", "tui_importer", *slow(rows, postgres.url, 100), "--no-ui"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as headless:
        wait_until_not(lambda: not recordings(recordings_folder()))
        with Terminal(["attach"], tmp_path) as first, Terminal(["attach"], tmp_path, (120, 40)) as second:
            first.until("LOADING")
            second.until("LOADING")
            second.type("p")
            first.until("PAUSED")
            second.until("PAUSED")
            first.type("+")
            second.until("3")
            second.until(lambda shown: "×3" in shown)
            first.type("p")
            second.until("LOADING")
            first.type("s")
            second.until("STOPPED")
            first.until("STOPPED")
            for each in (first, second):
                each.type("q")
                assert each.wait() == 4
        assert headless.wait() == 4
    completed = postgres.scalar("SELECT count(*) FROM rows")
    assert 0 < completed < 3_999
    arguments = [str(rows), "--db", postgres.url, "--yes"]
    with Terminal(arguments, tmp_path) as terminal:
        terminal.until("DONE WITH REJECTS")
        assert f"skipped {completed:,}" in terminal.text
        terminal.type("q")
        assert terminal.wait() == 3
    assert postgres.scalar("SELECT count(*) FROM rows") == 3_999


#: Shows a dashboard, on a terminal that was closed meanwhile, in a process that ignores SIGHUP until then.
LATE = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.write(int(sys.argv[2]), b"ready")
os.read(int(sys.argv[1]), 1)
from tui_importer.cli.dashboard import show
show(None)
"""


def test_dashboard_ends_if_its_terminal_was_closed_while_the_program_loaded() -> None:
    (told, tell), (heard, say) = os.pipe(), os.pipe()
    for each in (told, say):
        os.set_inheritable(each, True)
    pid, master = pty.fork()
    if not pid:
        environment = {**os.environ, **ENVIRONMENT}
        environment.pop("CI", None)
        os.execve(sys.executable, [sys.executable, "-c", LATE, str(told), str(say)], environment)
    assert os.read(heard, 5) == b"ready"
    os.close(master)
    os.write(tell, b"!")
    patience = threading.Timer(PATIENCE, os.kill, (pid, signal.SIGKILL))
    patience.start()
    status = os.waitpid(pid, 0)[1]
    patience.cancel()
    for each in (told, tell, heard, say):
        os.close(each)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGHUP


def test_run_is_replayed_on_the_dashboard(tmp_path: Path, rows: Path) -> None:
    with Terminal([*slow(rows, "x.db", seconds=2), "--yes"], tmp_path) as terminal:
        terminal.until("DONE WITH REJECTS")
        terminal.type("q")
        terminal.wait()
    with Terminal(["replay", "--speed", "0.5"], tmp_path) as terminal:
        terminal.until("LOADING")
        terminal.until("DONE WITH REJECTS")
        assert "read 4,000 = inserted 3,999 + rejected 1" in terminal.text
        terminal.type("q")
        assert terminal.wait() == 0, "whoever leaves a replay has failed in nothing"


def test_invalid_request_does_not_open_the_dashboard(tmp_path: Path) -> None:
    for arguments, words in (
        (["no.xlsx"], "no.xlsx: no such file"),
        ([str(SAMPLE), "--strategy", "parallel"], "parallel"),
        (["attach", "20200101"], "no run is recorded yet"),
    ):
        with Terminal(arguments, tmp_path) as terminal:
            assert terminal.wait() == 2
            assert words in terminal.text.replace("\n", "")
            assert b"\x1b[?1049h" not in terminal.output


def test_unreachable_database_is_reported_on_the_setup_screen(tmp_path: Path) -> None:
    url = "postgresql://nobody:canary-7d1f@127.0.0.1:1/nowhere"
    with Terminal([str(SAMPLE)], tmp_path, environment={"TUI_IMPORTER_DB": url}) as terminal:
        terminal.until("127.0.0.1")
        terminal.until(lambda shown: "refused" in shown)
        assert "canary" not in terminal.text
        terminal.type("q")
        assert terminal.wait() == 0
    assert b"canary" not in terminal.output
    assert recordings(recordings_folder()) == []


def test_file_screen_opens_without_arguments(tmp_path: Path, rows: Path) -> None:
    with Terminal([], tmp_path) as terminal:
        terminal.until("rows.csv")
        terminal.type("\x1b[B\x1b[B")
        terminal.type("\r")
        terminal.until("will be created")
        terminal.type("q")
        assert terminal.wait() == 0


@pytest.mark.parametrize(
    ("size", "environment"),
    [
        ((80, 24), {"TERM": "xterm-256color", "COLORTERM": ""}),
        ((80, 24), {"TERM": "linux", "COLORTERM": ""}),
        ((80, 24), {"NO_COLOR": "1"}),
        ((80, 24), {"LANG": "C", "LC_ALL": "C"}),
        ((40, 12), {"TERM": "screen", "COLORTERM": "", "LC_ALL": "C"}),
        ((200, 50), {"COLORFGBG": "0;15"}),
    ],
    ids=["256 colours", "16 colours", "no colour", "ASCII", "small", "light"],
)
def test_dashboard_works_in_common_terminals(
    size: tuple[int, int], environment: dict[str, str], tmp_path: Path, rows: Path
) -> None:
    with Terminal([str(rows), "--db", "x.db", "--yes"], tmp_path, size, environment) as terminal:
        terminal.until("DONE WITH REJECTS")
        assert "3,999" in terminal.text
        terminal.type("q")
        assert terminal.wait() == 3
    if environment.get("NO_COLOR"):
        assert not _COLOUR.search(terminal.output)
    if environment.get("COLORTERM") == "":
        assert not _TRUE.search(terminal.output)
    if environment.get("TERM") in ("linux", "screen"):
        assert not _256.search(terminal.output)
    if environment.get("LC_ALL") == "C":
        assert terminal.output.replace("⏎".encode(), b"").isascii()


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"CI": "true"}], ids=str)
def test_unsupported_terminal_gets_line_output(environment: dict[str, str], tmp_path: Path, rows: Path) -> None:
    with Terminal([str(rows), "--db", "x.db"], tmp_path, environment=environment) as terminal:
        assert terminal.wait() == 3
        assert "read 4,000 = inserted 3,999 + rejected 1" in terminal.text
        assert b"\x1b[?1049h" not in terminal.output


def test_at_most_ten_frames_a_second(tmp_path: Path, rows: Path) -> None:
    with Terminal([*slow(rows, "x.db", 100), "--yes"], tmp_path) as terminal:
        # The dashboard asks whether the terminal draws a frame at once if it is told where one begins, and tells it so.
        terminal.until(lambda shown: b"\x1b[?2026$p" in terminal.output)
        terminal.type("\x1b[?2026;2$y")
        terminal.until("LOADING")
        before, began = terminal.output.count(b"\x1b[?2026h"), time.monotonic()
        terminal.until(lambda shown: time.monotonic() > began + 8)
        frames, seconds = terminal.output.count(b"\x1b[?2026h") - before, time.monotonic() - began
        assert "LOADING" in terminal.text
        terminal.type("s")
        terminal.until("STOPPED")
        terminal.type("q")
        terminal.wait()
    assert 0 < frames / seconds <= 10


def test_continuous_resizing_is_handled(tmp_path: Path, rows: Path) -> None:
    with Terminal([*slow(rows, "x.db", 100), "--yes"], tmp_path) as terminal:
        terminal.until("LOADING")
        for number in range(60):
            terminal.resize(20 + 37 * number % 140, 6 + 11 * number % 50)
            os.kill(terminal.pid, signal.SIGWINCH)
        terminal.resize(80, 24)
        terminal.type("s")
        terminal.until("STOPPED")
        terminal.type("q")
        assert terminal.wait() == 4


def test_several_files_are_set_up_in_turn_and_imported_as_one_run(tmp_path: Path, sqlite: Database) -> None:
    folder = tmp_path / "figures"
    folder.mkdir()
    for number, name in enumerate(("one", "two", "three"), start=1):
        (folder / f"{name}.csv").write_text(f"{'figure' if name == 'three' else 'number'}\n{number}\n")
    with Terminal(["one.csv", "two.csv", "three.csv", "--db", sqlite.url], folder) as terminal:
        for number, name in enumerate(("one", "two", "three"), start=1):
            terminal.until(f"{number} of 3: {name}.csv")
            terminal.until(f"table {'three' if name == 'three' else 'figures'} will be created")
            terminal.type("\r")
        terminal.until("DONE")
        assert "3 sources → " in terminal.text
        assert "read 3 = inserted 3" in terminal.text
        terminal.type("q")
        assert terminal.wait() == 0
        left = terminal.text
    assert "3 sources: 3 complete" in left
    assert sqlite.fetch("SELECT number FROM figures ORDER BY number") == [(1,), (2,)]
    assert sqlite.fetch("SELECT figure FROM three") == [(3,)]
    recording = only_run()
    report = recording.report()
    assert isinstance(report, SetReport)
    assert [each.target.table for each in report.imports] == ["figures", "figures", "three"]
    assert (recording.command or "").count("; tui-importer ") == 2


def test_several_files_start_immediately_with_yes(tmp_path: Path, sqlite: Database) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text("number\n1\n")
    with Terminal(["one.csv", "two.csv", "--db", sqlite.url, "--yes", "--table", "t"], tmp_path) as terminal:
        terminal.until("DONE")
        terminal.type("q")
        assert terminal.wait() == 0
    assert only_run().command == f"tui-importer one.csv two.csv --db {sqlite.url} --table t --no-ui"
    assert sqlite.scalar("SELECT count(*) FROM t") == 2


def test_command_of_sources_with_chosen_tables_is_the_one_that_was_typed(tmp_path: Path, sqlite: Database) -> None:
    for name, header in (("one", "number"), ("two", "number"), ("three", "figure")):
        (tmp_path / f"{name}.csv").write_text(f"{header}\n1\n")
    with Terminal(["one.csv", "two.csv", "three.csv", "--db", sqlite.url, "--yes"], tmp_path) as terminal:
        terminal.until("DONE")
        terminal.type("q")
        assert terminal.wait() == 0
    assert only_run().command == f"tui-importer one.csv two.csv three.csv --db {sqlite.url} --no-ui"
    assert sqlite.scalar("SELECT count(*) FROM three") == 1
