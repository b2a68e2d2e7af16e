"""What PostgreSQL prints of dates and intervals that no Python type holds goes into columns of those types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database
from tui_importer import ColumnFormat, Formats, Options, Plan, Report, Run, Source, Target

COLUMNS = {"d": "date", "ts": "timestamp", "tz": "timestamptz", "i": "interval"}
TABLE = f"CREATE TABLE {{}} (n integer PRIMARY KEY, {', '.join(map(' '.join, COLUMNS.items()))})"
ROWS = """
    INSERT INTO origin VALUES
    (1, '2024-02-29', '2024-02-29 12:30:00.25', '2024-02-29 12:30:00+00', '3 days 04:05:06'),
    (2, 'infinity', 'infinity', 'infinity', '1 year 2 mons 3 days 04:05:06.789'),
    (3, '-infinity', '-infinity', '-infinity', '-1 years -2 mons +3 days -04:05:06'),
    (4, '0044-03-15 BC', '0044-03-15 12:00:00.5 BC', '0044-03-15 12:00:00+00 BC', '1 mon'),
    (5, '4713-01-01 BC', '4713-01-01 00:00:00 BC', NULL, '-178000000 years'),
    (6, NULL, NULL, NULL, NULL)
"""


@pytest.fixture
def server_output(postgres: Database, tmp_path: Path) -> Path:
    """A file of what PostgreSQL prints of a table's rows, and an empty table of the same columns."""
    postgres.execute(TABLE.format("origin"))
    postgres.execute(ROWS)
    postgres.execute(TABLE.format("t"))
    texts = postgres.fetch(f"SELECT n::text, {', '.join(f'{name}::text' for name in COLUMNS)} FROM origin ORDER BY n")
    file = tmp_path / "t.csv"
    lines = [("n", *COLUMNS), *((cell or "" for cell in row) for row in texts)]
    file.write_text("\n".join(map(",".join, lines)) + "\n")
    return file


def load(database: Database, file: Path, formats: Formats | None = None, **options: object) -> Report:
    plan = Plan(
        source=Source(file=file),
        target=Target(database=database.url, table="t"),
        options=Options(**options),  # type: ignore[arg-type]
        formats=formats or Formats(),
    )
    return Run(plan, rejects_file=file.parent / "r.xlsx").execute()


@pytest.mark.parametrize(
    "options", [*({"strategy": each} for each in ("sequential", "threaded", "batched", "async")), {"atomic": True}]
)
def test_literals_printed_by_postgresql_are_loaded_unchanged(
    postgres: Database, server_output: Path, options: dict[str, Any]
) -> None:
    report = load(postgres, server_output, verify=True, **options)
    assert (report.error, report.outcome, report.rejects) == (None, "complete", ())
    assert postgres.fetch("SELECT count(*) FROM (TABLE origin INTERSECT TABLE t)") == [(6,)]
    assert report.verified is not None
    assert report.verified.not_compared == ("tz",)


def test_bad_literals_are_rejected(postgres: Database, server_output: Path) -> None:
    server_output.write_text(
        server_output.read_text() + "1,infinity,,,\n7,4714-01-01 BC,,,\n8,infinite,,,\n9,,,,1 month\n"
    )
    report = load(postgres, server_output)
    assert [(reject.row, reject.column) for reject in report.rejects] == [(8, "n"), (9, "d"), (10, "d"), (11, "i")]
    assert postgres.fetch("SELECT count(*) FROM (TABLE origin INTERSECT TABLE t)") == [(6,)]


def test_iso_8601_intervals_are_verified(postgres: Database, tmp_path: Path) -> None:
    postgres.execute(TABLE.format("t"))
    file = tmp_path / "t.csv"
    file.write_text("n,i\n1,P1Y2M3DT4H5M6.5S\n2,P14M\n3,P-1Y-2M\n")
    assert load(postgres, file, verify=True).outcome == "complete"
    assert [str(row[0]) for row in postgres.fetch("SELECT i::text FROM t ORDER BY n")] == [
        "1 year 2 mons 3 days 04:05:06.5",
        "1 year 2 mons",
        "-1 years -2 mons",
    ]


def test_literals_may_be_mixed_with_formatted_dates(postgres: Database, tmp_path: Path) -> None:
    postgres.execute(TABLE.format("t"))
    file = tmp_path / "t.csv"
    file.write_text("n,d\n1,31.12.2024\n2,infinity\n3,0044-03-15 BC\n")
    formats = Formats(all=ColumnFormat(date_format="DD.MM.YYYY"))
    assert load(postgres, file, formats).outcome == "complete"
    assert [row[0] for row in postgres.fetch("SELECT d::text FROM t ORDER BY n")] == [
        "2024-12-31",
        "infinity",
        "0044-03-15 BC",
    ]
