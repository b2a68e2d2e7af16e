"""``--mode truncate``: the old rows are seen until all new ones are in, and what the ledger knows of them ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.exactly_once.conftest import Importer
from tests.support.kills import import_despite_kills
from tui_importer import Options, Plan, Run, Source, Target
from tui_importer.events import AnyEvent, BatchCommitted, LoadingStarted, Noticed
from tui_importer.testing import Failpoint

if TYPE_CHECKING:
    from tests.conftest import Database

STRATEGIES = ("sequential", "threaded", "batched", "async")


@pytest.fixture(params=["postgresql", "sqlite"])
def database(request: pytest.FixtureRequest) -> Database:
    """A table with two rows."""
    found: Database = request.getfixturevalue("postgres" if request.param == "postgresql" else "sqlite")
    found.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, note TEXT); INSERT INTO t VALUES (-1, 'old'), (5, 'old')")
    return found


def numbers(database: Database) -> list[int]:
    return [number for (number,) in database.fetch("SELECT n FROM t ORDER BY n")]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_old_rows_are_visible_until_all_new_rows_are_written(
    database: Database, importer: Importer, strategy: str
) -> None:
    seen: list[list[int]] = []

    def look(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            seen.append(numbers(database))

    report = importer.run(database.url, mode="truncate", on_event=look, strategy=strategy, batch_size=50, verify=True)
    assert (report.outcome, report.stats.inserted) == ("complete", 300)
    assert len(seen) >= 6
    assert all(each == [-1, 5] for each in seen)
    assert numbers(database) == list(range(300))
    assert "the 2 rows that are in table 't' will be removed" in " ".join(
        each.message for each in importer.heard(Noticed)
    )


@pytest.mark.once
@pytest.mark.parametrize("failpoint", list(Failpoint), ids=lambda failpoint: failpoint.name.lower())
def test_killed_run_leaves_the_old_rows_and_is_resumed(
    database: Database, importer: Importer, tmp_path: Path, failpoint: Failpoint
) -> None:
    importer.write([(number, f"note {number}") for number in range(30)] + [(7, "twice")])
    plan = Plan(
        source=Source(file=str(importer.file)),
        target=Target(database=database.url, table="t", mode="truncate"),
        options=Options(batch_size=8),
    )

    def is_untouched() -> None:
        assert numbers(database) == [-1, 5]

    code, _ = import_despite_kills(plan, tmp_path, failpoint, after_each=is_untouched)
    assert code == 3
    assert numbers(database) == list(range(30))


def test_failure_leaves_the_old_rows(database: Database, importer: Importer) -> None:
    importer.write([(1, "a"), ("x", "b")])
    report = importer.run(database.url, mode="truncate", max_rejects="0")
    assert report.outcome != "complete"
    assert numbers(database) == [-1, 5]


def test_imports_whose_rows_were_removed_start_over(database: Database, importer: Importer) -> None:
    first = [(number, "first") for number in range(10)]
    importer.write(first)
    assert importer.run(database.url, mode="truncate").stats.inserted == 10
    assert importer.run(database.url, mode="truncate").outcome == "already_imported"
    importer.write([(20, "second")])
    assert importer.run(database.url).stats.inserted == 1  # appended
    importer.write(first)
    # Others have written since: the table is to hold this file's rows alone.
    assert importer.run(database.url, mode="truncate").stats.inserted == 10
    assert numbers(database) == list(range(10))
    importer.write([(20, "second")])
    assert importer.run(database.url).stats.inserted == 1
    assert numbers(database) == [*range(10), 20]


def test_table_in_use_by_another_run_is_not_truncated(database: Database, importer: Importer, tmp_path: Path) -> None:
    other = Importer(tmp_path / "other")
    other.folder.mkdir()
    other.write([(1000, "other")])
    refused: list[str] = []

    def truncate_meanwhile(run: Run, event: AnyEvent) -> None:
        if isinstance(event, LoadingStarted):
            report = other.run(database.url, mode="truncate")
            refused.append(f"{report.outcome}: {report.error}")

    assert importer.run(database.url, on_event=truncate_meanwhile, rejects_ok=True).stats.inserted == 299
    [why] = refused
    assert why.startswith("failed: run ")
    assert "is importing into table 't' right now" in why
    assert len(numbers(database)) == 301  # 5 was there
    assert other.run(database.url, mode="truncate").outcome == "complete"
    assert numbers(database) == [1000]


def test_table_referenced_by_foreign_keys_is_not_truncated(database: Database, importer: Importer) -> None:
    database.execute("CREATE TABLE child (n INTEGER REFERENCES t ON DELETE CASCADE); INSERT INTO child VALUES (5)")
    report = importer.run(database.url, mode="truncate")
    assert report.exit_code == 2
    assert "cannot be emptied, since rows of 'child' refer to it" in str(report.error)
    assert numbers(database) == [-1, 5]
    assert database.fetch("SELECT n FROM child") == [(5,)]
