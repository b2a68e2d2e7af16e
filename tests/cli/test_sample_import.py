"""The sample, imported as a user would."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import openpyxl
import pytest

from tests.support.make_sample import BAD_ROWS, SAMPLE_PATH
from tests.support.once import once

if TYPE_CHECKING:
    from tests.cli.conftest import Program
    from tests.conftest import Database


@pytest.fixture
def sample(program: Program) -> str:
    return str(shutil.copy(SAMPLE_PATH, program.folder / "sample_data.xlsx"))


def test_file_without_options_is_imported_into_sqlite_in_the_same_folder(program: Program, sample: str) -> None:
    ended = program("sample_data.xlsx", code=3)
    assert ended.out == ""
    assert "read 10,000 = inserted 9,987 + rejected 13" in ended.err
    with closing(sqlite3.connect(program.folder / "sample_data.db")) as database:
        assert database.execute("SELECT count(*) FROM businesses").fetchall() == [(9_987,)]
        indexed = {row[0] for row in database.execute("SELECT sql FROM sqlite_master WHERE type = 'index'") if row[0]}
    assert len(indexed) == 6
    rejects = program.folder / "sample_data.rejects.xlsx"
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600
    sheet = openpyxl.load_workbook(rejects).active
    assert sheet is not None
    assert sheet.max_row == 1 + 13
    assert program.files() == {"sample_data.xlsx", "sample_data.db", "sample_data.rejects.xlsx"}


@pytest.mark.parametrize("strategy", ["batched", *once("threaded", "async")])
def test_import_into_postgresql_writes_the_report_to_stdout(
    program: Program, sample: str, postgres: Database, strategy: str
) -> None:
    ended = program("import", sample, "--db", postgres.url, "--report", "-", "--strategy", strategy, "--no-ui", code=3)
    report = json.loads(ended.out)
    stats = report["stats"]
    assert (stats["total_records"], stats["success_count"], stats["error_count"]) == (10_000, 9_987, 13)
    assert stats["inserted"] + stats["updated"] + stats["skipped"] + stats["error_count"] == stats["total_records"]
    assert (report["schema_version"], report["outcome"], report["exit_code"]) == (1, "complete_with_rejects", 3)
    assert (report["method"], report["target"]["table"]) == (strategy, "businesses")
    assert [reject["row"] for reject in report["rejects"]] == sorted(BAD_ROWS)
    assert {"sheet", "row", "cell", "column", "value", "reason", "sqlstate"} <= set(report["rejects"][0])
    assert postgres.scalar("SELECT count(*) FROM businesses") == 9_987


@pytest.mark.once
def test_second_rejects_file_does_not_replace_the_first(program: Program, sample: str) -> None:
    program("sample_data.xlsx", "-q", "--limit", "300", code=3)
    first = (program.folder / "sample_data.rejects.xlsx").read_bytes()
    program("sample_data.xlsx", "-q", "--limit", "300", "--db", "other.db", code=3)
    assert (program.folder / "sample_data.rejects.xlsx").read_bytes() == first
    assert sum(name.startswith("sample_data.rejects") for name in program.files()) == 2
