"""A dry run says so in every line, in its report, its recording and the list of runs, and writes nothing."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.test_stopping import until
from tui_importer import Options, Plan, Report, Run, Source, Target
from tui_importer.events import AnyEvent, BatchCommitted
from tui_importer.recording.recordings import Recording

if TYPE_CHECKING:
    from tests.cli.conftest import Program
    from tests.conftest import Database

#: What would say that a row went somewhere.
DID = re.compile(r"(?<!be )(inserted|rejected|committed)|\bis in\b|\bare in\b|^created|^made|^importing")


@pytest.fixture(autouse=True)
def own_state(program: Program) -> Path:
    program.environment["XDG_STATE_HOME"] = str(program.folder.parent / "state")
    return program.folder.parent / "state" / "tui-importer" / "runs"


@pytest.fixture
def workbook_with_rejects(workbook: Callable[..., Path]) -> Path:
    """30 numbers, three of them none."""
    return workbook("bad.xlsx", [["n"], *([f"x{n}" if n in (5, 6, 7) else n] for n in range(30))])


OPTIONS = ("bad.xlsx", "--db", "b.db", "--type", "n=integer", "--dry-run")


@pytest.mark.once
@pytest.mark.parametrize("style", [(), ("-v",), ("--plain",), ("--plain", "-v")])
def test_every_output_line_of_a_dry_run_is_marked(
    program: Program, workbook_with_rejects: Path, style: tuple[str, ...]
) -> None:
    ended = program(*OPTIONS, *style, code=3)
    assert ended.lines
    for line in ended.lines:
        before, _, said = line.partition(": ")
        assert before.lower() == "dry run", line
        assert not DID.search(said), line
    assert "read 30 = would insert 27 + would reject 3" in ended.err
    assert "3 rows would be rejected, every other row would go in; nothing was written" in ended.err
    assert program.files() == {"bad.xlsx"}, "no database, and no workbook of rejects"


@pytest.mark.once
def test_attach_and_replay_mark_a_dry_run(program: Program, workbook_with_rejects: Path) -> None:
    program(*OPTIONS, code=3)
    for command in (("attach", "--no-ui"), ("replay", "--speed", "1000", "--no-ui")):
        lines = program(*command, code=3).lines
        told = [line for line in lines if not line.startswith(("report: ", "to repeat it: "))]
        assert all(line.startswith("dry run: ") for line in told), lines
        assert "--dry-run" in lines[-1]


def test_report_recording_and_log_mark_a_dry_run(
    program: Program, workbook_with_rejects: Path, own_state: Path
) -> None:
    ended = program(*OPTIONS, "--log-format", "json", "--report", "-", code=3)
    report = json.loads(ended.out)
    assert (report["schema_version"], report["dry_run"], report["rejects_file"]) == (1, True, None)
    assert (report["stats"]["inserted"], report["rejects_total"]) == (27, 3)
    recording = Recording(own_state / report["run_id"])
    for lines in (ended.lines, recording.events_file.read_text().splitlines()):
        assert lines
        assert all(json.loads(line)["dry_run"] is True for line in lines)
    made = program("rejects", report["run_id"], "-o", "mend.xlsx", code=0)
    assert made.lines == ["3 rows written to mend.xlsx"], "the workbook comes from the recording, when it is asked for"


def test_ordinary_import_is_not_marked_as_a_dry_run(program: Program, workbook_with_rejects: Path) -> None:
    ended = program(*OPTIONS[:-1], "--log-format", "json", "--report", "-", code=3)
    assert json.loads(ended.out)["dry_run"] is False
    assert not any(json.loads(line).get("dry_run") for line in ended.lines)
    assert json.loads(ended.out)["rejects_file"].endswith("bad.rejects.xlsx")


@pytest.mark.once
def test_recording_without_the_dry_run_field_can_be_read(
    program: Program, workbook_with_rejects: Path, own_state: Path
) -> None:
    program(*OPTIONS[:-1], "-q", code=3)
    [folder] = own_state.iterdir()
    events, report = folder / "events.jsonl", folder / "report.json"
    events.write_text(events.read_text().replace(', "dry_run": false', ""))
    old: dict[str, Any] = json.loads(report.read_text())
    for key in ("dry_run", "verified"):
        del old[key]
    report.write_text(json.dumps(old))
    assert "every other row is in" in program("attach", code=3).err
    [run] = json.loads(program("runs", "--json", code=0).out)
    assert (run["state"], run["dry_run"]) == ("complete", False)


@pytest.mark.once
def test_stopped_dry_run_cannot_be_resumed(program: Program, orders: Path) -> None:
    run = program.start("orders.xlsx", "--db", "o.db", "--dry-run", "--max-rate", "10", "--log-format", "json")
    until(run, "batch_committed")
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    assert run.returncode == 130
    lines = program("attach", code=130).lines
    assert "dry run: stopped before the end: stopped by SIGINT; nothing was written" in lines
    assert not any(line.startswith("to resume it") for line in lines)
    out = program("runs", code=0).out
    assert "dry run, stopped" in out
    assert "to resume it" not in out


def test_dry_run_finds_what_an_import_would_find(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("n,word\n" + "".join(f"{n},w\n" for n in range(50)))

    def run(*, stopped: bool = False, **options: Any) -> Report:
        def stop(event: AnyEvent) -> None:
            if stopped and isinstance(event, BatchCommitted):
                made.stop()

        plan = Plan(
            source=Source(file=str(path)),
            target=Target(database=database.url, table="t"),
            options=Options(batch_size=10, workers=1, **options),
        )
        made = Run(plan, listener=stop)
        return made.execute()

    assert run(dry_run=True).outcome == "complete"
    assert run(stopped=True).outcome == "stopped"
    begun = run(dry_run=True)
    assert any("has begun this import" in note for note in begun.notes)
    done = run()
    assert done.outcome == "complete"
    before = database.fetch("SELECT run_id, state, finished_at FROM tui_importer_run ORDER BY run_id")
    again = run(dry_run=True)
    assert (again.outcome, again.dry_run, again.resumes) == ("already_imported", True, done.run_id)
    assert database.fetch("SELECT run_id, state, finished_at FROM tui_importer_run ORDER BY run_id") == before
    assert database.scalar("SELECT count(*) FROM t") == 50


def test_dry_run_does_not_change_the_sqlite_file(program: Program, orders: Path) -> None:
    program("orders.xlsx", "--db", "o.db", "-q", code=0)
    content = (program.folder / "o.db").read_bytes()
    program("orders.xlsx", "--db", "o.db", "--again", "--dry-run", "-q", code=0)
    with closing(sqlite3.connect(program.folder / "o.db")) as database:
        assert database.execute("SELECT count(*) FROM orders").fetchall() == [(300,)]
    assert (program.folder / "o.db").read_bytes() == content
