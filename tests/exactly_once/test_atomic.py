"""``--atomic``: rows are seen in one commit or not at all, whatever happens before."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.exactly_once.conftest import Importer
from tests.support.pairs import in_pairs
from tui_importer import Run
from tui_importer.events import AnyEvent, BatchCommitted, Noticed
from tui_importer.testing import KILLED, Failpoint, Import, Oracle

if TYPE_CHECKING:
    from tests.conftest import Database

STRATEGIES = ("sequential", "threaded", "batched", "async")


def tables(database: Database) -> set[str]:
    query = (
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        if database.kind == "postgresql"
        else "SELECT name FROM sqlite_master WHERE type = 'table'"
    )
    return {name for (name,) in database.fetch(query) if not name.startswith("tui_importer_")} | {
        name for (name,) in database.fetch(query) if name.startswith("tui_importer_stage")
    }


def numbers(database: Database) -> Counter[int]:
    return Counter(number for (number,) in database.fetch("SELECT n FROM t"))


@in_pairs
@pytest.mark.parametrize("exists", [True, False], ids=["table there", "new table"])
def test_atomic_rows_become_visible_together(
    database: Database, importer: Importer, strategy: str, exists: bool
) -> None:
    if exists:
        database.execute("CREATE TABLE t (n integer, note text); INSERT INTO t VALUES (-1, 'old')")
    seen: list[int] = []

    def look(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            seen.append(database.scalar("SELECT count(*) FROM t") if exists else len(tables(database) - {"t"}) - 1)

    report = importer.run(database.url, on_event=look, atomic=True, strategy=strategy, batch_size=50, verify=True)
    assert (report.outcome, report.stats.inserted, report.target.created) == ("complete", 300, not exists)
    assert set(seen) == {int(exists)}
    assert len(seen) >= 6
    assert numbers(database) == Counter([*range(300), *([-1] if exists else [])])
    assert tables(database) == {"t"}
    assert importer.run(database.url, atomic=True).outcome == "already_imported"


def test_staged_rows_are_kept_for_the_next_run(database: Database, importer: Importer) -> None:
    def stop(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            run.stop("enough")

    stopped = importer.run(database.url, atomic=True, on_event=stop, batch_size=50)
    assert stopped.outcome == "stopped"
    assert "nothing of this import is to be seen" in "".join(event.message for event in importer.heard(Noticed))
    [stage] = tables(database)
    assert database.scalar(f"SELECT count(*) FROM {stage}") == stopped.stats.inserted
    other_way = importer.run(database.url)
    assert (other_way.exit_code, "with --atomic" in (other_way.error or "")) == (2, True)
    report = importer.run(database.url, atomic=True, strategy="sequential", batch_size=7)
    assert (report.outcome, report.stats.skipped) == ("complete", stopped.stats.inserted)
    assert numbers(database) == Counter(range(300))
    assert tables(database) == {"t"}


@pytest.mark.once
def test_dropped_staging_table_is_refilled(database: Database, importer: Importer) -> None:
    def stop(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            run.stop("enough")

    importer.run(database.url, atomic=True, on_event=stop, batch_size=50)
    [stage] = tables(database)
    database.execute(f"DROP TABLE {stage}")
    assert importer.run(database.url, atomic=True).outcome == "complete"
    assert numbers(database) == Counter(range(300))


def test_table_constraints_apply_to_staged_rows(database: Database, importer: Importer) -> None:
    database.execute(
        "CREATE TABLE t (id integer PRIMARY KEY, n integer NOT NULL UNIQUE CHECK (n < 290), note varchar(8))"
        if database.kind != "postgresql"
        else "CREATE TABLE t (id serial PRIMARY KEY, n integer NOT NULL UNIQUE CHECK (n < 290), note varchar(8))"
    )
    importer.write([*((number, "x") for number in range(300)), (5, "x"), (6, "much too long")])
    report = importer.run(database.url, atomic=True, batch_size=100)
    assert (report.outcome, report.stats.inserted, report.stats.error_count) == ("complete_with_rejects", 290, 12)
    assert numbers(database) == Counter(range(290))


@pytest.mark.once
def test_unique_indexes_apply_to_staged_rows(database: Database, importer: Importer) -> None:
    """Partial unique indexes cannot be checked before the rows are moved."""
    database.execute("CREATE TABLE t (n integer, note text)")
    database.execute("CREATE UNIQUE INDEX t_n ON t (n)")
    database.execute("CREATE UNIQUE INDEX t_note ON t (note) WHERE n > 1000")
    importer.write([(1, "x"), (2, "x"), (1, "y"), (3, "x")])
    report = importer.run(database.url, atomic=True)
    assert (report.outcome, report.stats.inserted, report.stats.error_count) == ("complete_with_rejects", 3, 1)
    assert [reject.row for reject in report.rejects] == [4]
    assert numbers(database) == Counter([1, 2, 3])


@pytest.mark.once
def test_conflict_with_existing_rows_prevents_publication(database: Database, importer: Importer) -> None:
    database.execute("CREATE TABLE t (n integer UNIQUE, note text); INSERT INTO t VALUES (7, 'old')")
    report = importer.run(database.url, atomic=True)
    assert (report.outcome, report.exit_code) == ("failed", 1)
    assert "cannot put the staged rows into table 't'" in (report.error or "")
    assert numbers(database) == Counter([7])
    database.execute("DELETE FROM t")
    assert importer.run(database.url, atomic=True).outcome == "complete"
    assert numbers(database) == Counter(range(300))


@pytest.mark.once
@pytest.mark.parametrize("strategy", ["sequential", "batched"])
def test_repeated_kills_leave_every_row_once(database: Database, tmp_path: Path, strategy: str) -> None:
    oracle = Oracle(tmp_path, rows=40, refused_here=(7, 31, 32), refused_there=(3, 20, 39))
    oracle.prepare(database)
    kills, code = 0, KILLED
    while code == KILLED:
        assert database.scalar("SELECT count(*) FROM oracle") == 0
        plan = oracle.plan(database.url, strategy=strategy, batch_size=9, atomic=True)
        point = list(Failpoint)[kills % len(Failpoint)]
        code, report = Import(plan, tmp_path, failpoint=point, passes=1 + kills).carry_out()
        kills += code == KILLED
    assert kills >= 2
    assert report is not None
    oracle.check(database, report)
