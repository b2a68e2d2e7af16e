"""A nightly load: many files of several sheets that update a table, killed again and again, and mended at the end."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import openpyxl
import psycopg
import pytest

from tui_importer import ExitCode, Options, Plan, Source, Target, mended_plan, run_import
from tui_importer.recording.follow import headers, sources_with_rejects
from tui_importer.recording.recordings import recordings, recordings_folder
from tui_importer.rejects.rebuilt import write_rejects_of

if TYPE_CHECKING:
    from tests.conftest import Database

FILES = {"postgres": 10, "sqlite": 5}
SHEETS, ROWS, KEYS = ("north", "south", "west"), 17, 400
#: One row of so many has an amount that is no number.
BAD = 30


@pytest.mark.once
@pytest.mark.parametrize(("kind", "files"), FILES.items())
def test_killed_and_mended_load_ends_with_the_table_of_a_loop(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, files: int
) -> None:
    database: Database = request.getfixturevalue(kind)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))  # recordings of no other test
    database.execute("CREATE TABLE stock (id INTEGER PRIMARY KEY, place TEXT, amount INTEGER)")
    chosen = random.Random(27)
    expected: dict[int, tuple[str, int]] = {}
    rejected: set[int] = set()
    number = 0
    for file in range(files):
        book = openpyxl.Workbook()
        book.remove(book.worksheets[0])
        for name in SHEETS:
            sheet = book.create_sheet(name)
            sheet.append(["id", "place", "amount"])
            for _ in range(ROWS):
                number += 1
                id_ = chosen.randrange(KEYS)
                if number % BAD:
                    sheet.append([id_, f"{name} {number}", number])
                    expected[id_] = f"{name} {number}", number
                else:
                    sheet.append([-number, f"{name} {number}", f"about {number}"])
                    rejected.add(number)
        book.save(f"{file:02}.xlsx")
    first, *others = (Source(file=f"{file:02}.xlsx", sheet="all") for file in range(files))
    plan = Plan(
        source=first,
        further_sources=tuple(others),
        target=Target(database=database.url, table="stock", mode="upsert", key=["id"]),
        options=Options(batch_size=5, executor="processes", rejects_ok=True),
    )
    command = [sys.executable, "-m", "tui_importer", *(f"{file:02}.xlsx" for file in range(files)), "--sheet", "all"]
    command += ["--db", database.url, "--table", "stock", "--mode", "upsert", "--key", "id"]
    command += ["--batch-size", "5", "--jobs", "2", "--no-ui", "-q"]
    for share in (0.2, 0.5, 0.8):
        while not _killed(command, database, int(share * number)):
            pass  # processes of the run that was killed before were still ending
    while (report := run_import(plan)).exit_code == ExitCode.STOPPED:
        pass
    assert (report.exit_code, report.error) == (0, None)
    assert _table(database) == expected
    assert sorted(_rejected(database)) == sorted(rejected)

    for recording in recordings(recordings_folder()):
        for source in sources_with_rejects(recording):
            if not headers(recording, source):
                continue  # killed where it had only taken up what an earlier run had rejected
            path = tmp_path / f"{recording.run_id}-{source}.xlsx"
            write_rejects_of(recording, path, source)
            book = openpyxl.load_workbook(path)
            sheet = book.worksheets[0]
            for row in range(2, sheet.max_row + 1):
                cell = sheet.cell(row, 3)
                cell.value = str(cell.value).removeprefix("about ")
            book.save(path)
            mended = run_import(mended_plan(path, database=database.url))
            assert (mended.exit_code, mended.stats.error_count) == (0, 0), mended.error
    table = _table(database)
    assert {-id_ for id_ in table if id_ < 0} == rejected
    assert {id_: row for id_, row in table.items() if id_ >= 0} == expected


def _killed(command: list[str], database: Database, rows: int) -> bool:
    """Run the command and kill it once so many rows are completed; False if it ended before, since another run was
    alive."""
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            if _completed(database) >= rows:
                process.kill()
                return True
            time.sleep(0.05)
    assert process.returncode == ExitCode.STOPPED
    return False


def _completed(database: Database) -> int:
    """The number of rows that the ledger counts; 0 if there is none yet, or it is being written."""
    try:
        return int(database.scalar("SELECT sum(inserted + updated + skipped + rejected) FROM tui_importer_batch") or 0)
    except (psycopg.Error, sqlite3.Error):
        return 0


def _table(database: Database) -> dict[int, tuple[str, int]]:
    return {id_: (place, amount) for id_, place, amount in database.fetch("SELECT id, place, amount FROM stock")}


def _rejected(database: Database) -> list[int]:
    """The numbers of the rows whose rejects the ledger has."""
    return [int(value.removeprefix("about ")) for (value,) in database.fetch("SELECT value FROM tui_importer_reject")]
