"""Every row is counted where something becomes of it, in the report and in the ledger alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Database
from tui_importer import Options, Plan, Report, Source, Target, run_import

NAMES = ("inserted", "updated", "skipped", "rejected")


def imported(database: Database, file: Path, strategy: str) -> Report:
    plan = Plan(
        source=Source(file=str(file)),
        target=Target(database=database.url, table="t"),
        options=Options(strategy=strategy, batch_size=2),
    )
    return run_import(plan, rejects_file=str(file.with_name("rejects.xlsx")), record=False)


def recorded(database: Database, table: str) -> list[tuple[int, ...]]:
    """The counts of a table of the ledger, summed."""
    rows = database.fetch(f"SELECT {', '.join(f'sum({name})' for name in NAMES)} FROM tui_importer_{table}")
    return [tuple(map(int, row)) for row in rows]


@pytest.mark.parametrize("strategy", ["sequential", "batched"])
def test_a_totals_row_a_suppressed_row_and_a_reject(sqlite: Database, tmp_path: Path, strategy: str) -> None:
    sqlite.execute(
        "CREATE TABLE t (item text, amount integer NOT NULL CHECK (amount <> 3));"
        "CREATE TRIGGER t_out BEFORE INSERT ON t WHEN NEW.amount = 2 BEGIN SELECT RAISE(IGNORE); END"
    )
    file = tmp_path / "sums.csv"
    file.write_text("item,amount\na,1\nb,2\nc,3\nd,4\n\nTotal,10\n")
    stats = imported(sqlite, file, strategy).stats
    assert (stats.total_records, stats.blank_rows) == (5, 1)
    assert (stats.inserted, stats.updated, stats.skipped, stats.error_count) == (2, 0, 2, 1)
    assert stats.suppressed == 1
    # An entry of a batch covers the rows that went to the database; the run has the totals row as well.
    assert recorded(sqlite, "batch") == [(2, 0, 1, 1)]
    assert recorded(sqlite, "run") == [(2, 0, 2, 1)]
    again = imported(sqlite, file, strategy).stats
    assert (again.total_records, again.inserted, again.skipped, again.error_count) == (5, 0, 4, 1)
    assert again.already_in == 2
    assert recorded(sqlite, "run") == [(2, 0, 2, 1)]
