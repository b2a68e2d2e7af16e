"""Behind PgBouncer in transaction mode everything is as without it: each transaction may have another session."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.exactly_once.conftest import Importer
from tests.exactly_once.pooler import PGBOUNCER, Pooler
from tests.exactly_once.test_fencing import SuspendedRun, numbers
from tests.exactly_once.test_kills import STRATEGIES
from tests.support.make_sample import BAD_ROWS, SAMPLE_PATH
from tui_importer import Options, Plan, Run, Source, Target
from tui_importer.events import LoadingStarted, Resumed
from tui_importer.testing import KILLED, Failpoint, Import, Oracle

if TYPE_CHECKING:
    from tests.conftest import Database

ROW_BY_ROW = ("sequential", "threaded")

#: Where nothing is skipped: ``.ci/run`` installs it.
pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(
        PGBOUNCER is None and "CI" not in os.environ, reason="there is no pgbouncer: apt-get install pgbouncer"
    ),
]


@pytest.fixture
def pooler(postgres: Database) -> Iterator[Pooler]:
    with Pooler(postgres.url) as pooler:
        yield pooler


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_sample_file_is_imported_through_the_pooler(
    postgres: Database, pooler: Pooler, strategy: str, tmp_path: Path
) -> None:
    # Row by row, each row is a commit: 1,000 of them show what 10,000 would.
    rows = 1_000 if strategy in ROW_BY_ROW else 10_000
    bad = sum(row <= 1 + rows for row in BAD_ROWS)
    plan = Plan(
        source=Source(file=str(SAMPLE_PATH), limit=rows),
        target=Target(database=pooler.url, table="businesses"),
        options=Options(strategy=strategy, workers=3),
    )
    report = Run(plan, rejects_file=tmp_path / "r.xlsx").execute()
    stats = report.stats
    assert (stats.total_records, stats.success_count, stats.error_count) == (rows, rows - bad, bad)
    assert stats.retries == 0
    assert postgres.scalar("SELECT count(*) FROM businesses") == rows - bad


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_killed_runs_are_resumed_through_the_pooler(
    postgres: Database, pooler: Pooler, strategy: str, tmp_path: Path
) -> None:
    """The pooler notices the lost client and ends its transaction, which releases the import's lock."""
    oracle = Oracle(tmp_path, rows=30, refused_here=(7, 12), refused_there=(3, 20))
    oracle.prepare(postgres)
    for kills, failpoint in enumerate((Failpoint.AFTER_LOAD, Failpoint.AFTER_LEDGER, Failpoint.AFTER_COMMIT)):
        plan = oracle.plan(pooler.url, strategy=strategy, batch_size=8, workers=2)
        code, _ = Import(plan, tmp_path, failpoint=failpoint, passes=1 + kills).carry_out()
        assert code == KILLED
    code, report = Import(oracle.plan(pooler.url, strategy=strategy, batch_size=8, workers=2), tmp_path).carry_out()
    assert code == 3
    assert report is not None
    oracle.check(postgres, report)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_second_run_is_refused_while_the_first_is_running(
    postgres: Database, pooler: Pooler, importer: Importer, strategy: str
) -> None:
    through = type(postgres)(postgres.kind, pooler.url, postgres.fetch)
    # Its host unknown, so that only the database can say whether the first is alive.
    first = SuspendedRun(Importer(importer.folder), through, strategy=strategy)
    postgres.execute("UPDATE tui_importer_run SET host = 'elsewhere'")
    second = importer.run(pooler.url)
    assert (second.outcome, second.exit_code) == ("failed", 4)
    assert "is importing the same rows into 't' right now" in (second.error or "")
    assert not importer.heard(LoadingStarted)
    assert first.finish().outcome == "complete"
    assert numbers(postgres) == Counter(range(300))


def test_run_that_lost_its_lock_is_superseded_and_cannot_commit(
    postgres: Database, pooler: Pooler, importer: Importer
) -> None:
    through = type(postgres)(postgres.kind, pooler.url, postgres.fetch)
    straggler = SuspendedRun(Importer(importer.folder), through)
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    assert importer.run(pooler.url).outcome == "complete"
    assert importer.heard(Resumed)[0].taken_over
    assert straggler.finish().exit_code == 4
    assert numbers(postgres) == Counter(range(300))


def test_pool_of_two_connections_is_sufficient(postgres: Database, importer: Importer) -> None:
    """One for the transaction that holds the lock, one shared by all other transactions."""
    with Pooler(postgres.url, pool_size=2) as pooler:
        report = importer.run(pooler.url, workers=4, batch_size=20)
    assert (report.outcome, report.stats.retries) == ("complete", 0)
    assert numbers(postgres) == Counter(range(300))
