"""kill -9: wherever it hits, the import comes to its end with every row in once and every bad row named once."""

from __future__ import annotations

import itertools
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.support.kills import import_despite_kills, pairs
from tui_importer.testing import KILLED, Failpoint, Import, Oracle, SQLiteDatabase

if TYPE_CHECKING:
    from tests.conftest import Database

pytestmark = pytest.mark.once

STRATEGIES = ("sequential", "threaded", "batched", "async")
#: Processes killed in the soak: a hundred.
KILLS = {"postgresql": 50, "sqlite": 25, "generic": 25}


@pytest.mark.parametrize(
    ("database", "strategy", "failpoint"), pairs(("postgresql", "sqlite", "generic")), indirect=["database"]
)
def test_kill_at_every_failpoint_leaves_every_row_once(
    database: Database, tmp_path: Path, strategy: str, failpoint: Failpoint
) -> None:
    oracle = Oracle(tmp_path, rows=30, refused_here=(7, 12), refused_there=(3, 20))
    oracle.prepare(database)
    plan = oracle.plan(database.url, strategy=strategy, batch_size=8, workers=2)
    code, report = import_despite_kills(plan, tmp_path, failpoint)
    assert code == 3
    assert report is not None
    oracle.check(database, report)


@pytest.mark.timeout(1_800)
def test_hundred_random_kills_leave_every_row_once(database: Database, tmp_path: Path) -> None:
    """Kills at failpoints or random moments, with another strategy, batch size and worker count each time."""
    chosen, kills = random.Random(2026), 0
    for number in itertools.count():
        if kills >= KILLS[database.kind]:
            break
        oracle = Oracle(
            tmp_path,
            table=f"soak_{number}",
            rows=120,
            refused_here=chosen.sample(range(120), 9),
            refused_there=chosen.sample(range(120), 9),
        )
        oracle.prepare(database)
        code = KILLED
        while code == KILLED:
            plan = oracle.plan(
                database.url,
                strategy=chosen.choice(STRATEGIES),
                batch_size=chosen.choice((1, 3, 10, 50)),
                workers=chosen.randint(1, 4),
            )
            if chosen.random() < 0.7:
                task = Import(plan, tmp_path, failpoint=chosen.choice(list(Failpoint)), passes=chosen.randint(1, 9))
                code, report = task.carry_out()
            else:
                code, report = Import(plan, tmp_path).carry_out(kill_after=chosen.uniform(0.01, 0.15))
            kills += code == KILLED
        oracle.check_table(database)
        oracle.check_ledger(database)
        assert report is not None
        assert report.outcome in ("complete_with_rejects", "already_imported")


class RunsAndKills(RuleBasedStateMachine):
    """Any rows, any order of runs and deaths: accepted + rejected = source."""

    @initialize(
        rows=st.integers(1, 80),
        here=st.sets(st.integers(0, 79), max_size=12),
        there=st.sets(st.integers(0, 79), max_size=12),
    )
    def a_source(self, rows: int, here: set[int], there: set[int]) -> None:
        self.folder = tempfile.TemporaryDirectory()
        place = Path(self.folder.name)
        self.database = SQLiteDatabase(place / "machine.db")
        self.oracle = Oracle(
            place,
            rows=rows,
            refused_here={row for row in here if row < rows},
            refused_there={row for row in there if row < rows},
        )
        self.oracle.prepare(self.database)
        self.finished = False

    @rule(
        strategy=st.sampled_from(STRATEGIES),
        batch_size=st.integers(1, 40),
        workers=st.integers(1, 3),
        failpoint=st.none() | st.sampled_from(list(Failpoint)),
        passes=st.integers(1, 12),
    )
    def a_run(self, strategy: str, batch_size: int, workers: int, failpoint: Failpoint | None, passes: int) -> None:
        plan = self.oracle.plan(self.database.url, strategy=strategy, batch_size=batch_size, workers=workers)
        code, report = Import(plan, Path(self.folder.name), failpoint=failpoint, passes=passes).carry_out()
        if code != KILLED:
            assert report is not None
            if self.finished:
                assert (report.outcome, report.stats.inserted) == ("already_imported", 0)
            self.oracle.check(self.database, None if self.finished else report)
            self.finished = True

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            if not self.finished:
                self.a_run("batched", 1000, 1, None, 1)
            self.folder.cleanup()


TestMachine = RunsAndKills.TestCase
TestMachine.settings = settings(
    max_examples=10, stateful_step_count=6, deadline=None, suppress_health_check=list(HealthCheck)
)
