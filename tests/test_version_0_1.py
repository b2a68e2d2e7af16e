"""What version 0.1 wrote is read and taken up: recordings, ledgers and plan files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import sqlite_database
from tui_importer import Options, Plan, Report, Source, Target, load_plan, run_import
from tui_importer.events import AnyEvent, Resumed, RunFinished, Stopping
from tui_importer.recording.lines import Line, decode_line

DATA = Path(__file__).parent / "data" / "version_0_1"
RUNS = sorted((DATA / "runs").iterdir())


def lines_of(run: Path) -> list[Line]:
    found = [decode_line(line) for line in (run / "events.jsonl").read_bytes().splitlines()]
    assert None not in found
    return [line for line in found if line is not None]


def load(folder: Path, name: str, plan: Plan | None = None) -> tuple[Report, list[AnyEvent]]:
    """Import into a copy of the database of this name."""
    shutil.copy(DATA / f"{name}.sqlite", folder / "target.db")
    shutil.copy(DATA / "people.xlsx", folder)
    heard: list[AnyEvent] = []
    plan = plan or Plan(
        source=Source(file=str(folder / "people.xlsx")),
        target=Target(database=str(folder / "target.db"), table="people"),
        options=Options(batch_size=50),
    )
    return run_import(plan, listener=heard.append, rejects_file=folder / "rejects.xlsx"), heard


@pytest.mark.parametrize("run", RUNS, ids=lambda run: str(run.name))
def test_recordings_of_0_1_can_be_read(run: Path) -> None:
    lines = lines_of(run)
    assert len(lines) > 5
    assert (run / "report.json").exists() == any(isinstance(line.what, RunFinished) for line in lines)


def test_cancelled_runs_of_0_1_are_read_as_aborted() -> None:
    stopping = [line.what for run in RUNS for line in lines_of(run) if isinstance(line.what, Stopping)]
    assert stopping == [Stopping(reason="the time limit of 1.2 s has passed (--timeout)", aborting=True)]


@pytest.mark.parametrize(("name", "rows"), [("stopped", 19), ("killed", 39)])
def test_import_interrupted_in_0_1_is_resumed(tmp_path: Path, name: str, rows: int) -> None:
    report, heard = load(tmp_path, name)
    assert [event.rows for event in heard if isinstance(event, Resumed)] == [rows]
    assert (report.exit_code, report.stats.success_count, report.stats.error_count) == (3, 117 - rows, 3)
    stored = sqlite_database(tmp_path / "target.db").fetch("SELECT age, count(*) FROM people GROUP BY age")
    assert stored == [(age, 1) for age in range(1, 121) if age % 40]


def test_ledger_of_0_1_is_closed_to_it_once_a_newer_version_has_written(tmp_path: Path) -> None:
    load(tmp_path, "stopped")
    versions = sqlite_database(tmp_path / "target.db").fetch(
        "SELECT ledger_version, count(*) FROM tui_importer_run GROUP BY 1 ORDER BY 1"
    )
    assert versions == [(1, 1), (2, 1)]  # 0.1 refuses ledgers with a version above its own


def test_import_finished_in_0_1_is_recognised(tmp_path: Path) -> None:
    report, _ = load(tmp_path, "complete")
    assert (report.exit_code, report.outcome) == (0, "already_imported")
    assert sqlite_database(tmp_path / "target.db").fetch("SELECT count(*) FROM people") == [(117,)]


def test_plan_file_of_0_1_can_be_loaded(tmp_path: Path) -> None:
    shutil.copy(DATA / "people.xlsx", tmp_path)
    plan = load_plan(DATA / "plan.toml")
    assert [column.target for column in plan.columns or ()] == ["name", "age", "email"]
    assert (plan.source.sheet, plan.source.header_row, plan.target.table) == ("People", 1, "people")
