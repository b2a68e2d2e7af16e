"""Every write mode under the faults that the other tests try with rows that are only added."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.conftest import Database
from tests.exactly_once.pooler import PGBOUNCER, Pooler
from tests.exactly_once.proxy import Cut, Network, Proxy
from tests.exactly_once.test_server_faults import restart_server
from tests.exactly_once.test_silence import FreezeOnSend
from tests.support.postgres import postgres_server
from tui_importer import Options, Plan, Report, Run, Source, Target
from tui_importer.events import AnyEvent, BatchCommitted
from tui_importer.testing import KILLED, Failpoint, Import, ModeOracle, StageFailpoint

pytestmark = pytest.mark.once


@pytest.fixture(params=["postgresql", "sqlite"])
def database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue("postgres" if request.param == "postgresql" else "sqlite")
    return found


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reject workbooks of sets are written into the current folder."""
    monkeypatch.chdir(tmp_path)


def run(plan: Plan, on_event: Any = lambda run, event: None) -> Report:
    run = Run(plan, listener=lambda event: on_event(run, event))
    return run.execute()


def through(proxy: Proxy, database: Database) -> str:
    name = conninfo_to_dict(database.url)["dbname"]
    return f"postgresql://postgres@127.0.0.1:{proxy.port}/{name}?sslmode=disable&gssencmode=disable"


@pytest.mark.parametrize("mode", ["create", "truncate"])
def test_lost_answer_to_any_commit_changes_nothing(postgres: Database, tmp_path: Path, mode: str) -> None:
    """To each COMMIT of the import in turn: of the ledger, of a batch, of all staged rows."""
    cuts, number = 0, 0
    while cuts == number:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        os.chdir(folder)
        oracle = ModeOracle(folder, mode)
        postgres.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        oracle.prepare(postgres)
        with Proxy(postgres.url, Cut.BEFORE_ANSWER, {number}) as proxy:
            report = run(oracle.plan(through(proxy, postgres), batch_size=20, retry_for=20.0))
            cuts += proxy.cuts
        oracle.check(postgres, report)
    assert cuts >= 5


@pytest.mark.parametrize("move", list(StageFailpoint), ids=lambda move: move.name.lower())
@pytest.mark.parametrize("how", ["truncate", "replace", "atomic", "atomic, new table"])
def test_kill_when_staged_rows_are_moved_moves_them_once(
    database: Database, tmp_path: Path, how: str, move: StageFailpoint
) -> None:
    atomic, new = how.startswith("atomic"), how.endswith("new table")
    file = tmp_path / "t.csv"
    file.write_text("n,note\n" + "".join(f"{number},new\n" for number in range(20)))
    if not new:
        # Not the columns of the file: a table of its columns replaces that of --mode replace.
        last = "old" if how == "replace" else "note"
        database.execute(f"CREATE TABLE t (n integer PRIMARY KEY, {last} varchar(9)); INSERT INTO t VALUES (-1, 'old')")
    plan = Plan(
        source=Source(file=str(file)),
        target=Target(database=database.url, table="t", mode="append" if atomic else how),  # type: ignore[arg-type]
        options=Options(batch_size=7, atomic=atomic),
    )
    code, _ = Import(plan, tmp_path, failpoint=move).carry_out()
    assert code == KILLED
    moved = move is StageFailpoint.AFTER_MOVE
    if moved or not new:
        assert database.scalar("SELECT count(*) FROM t") == (20 + (atomic and not new) if moved else 1)
    assert run(plan).exit_code == 0
    kept = [(-1, "old")] if atomic and not new else []
    assert database.fetch("SELECT * FROM t ORDER BY n") == [*kept, *((number, "new") for number in range(20))]


@pytest.mark.parametrize("mode", ["create", "skip"])
def test_kill_at_every_failpoint_leaves_the_table_of_a_loop(database: Database, tmp_path: Path, mode: str) -> None:
    """As in the tests of the other modes, at all failpoints one after another."""
    oracle = ModeOracle(tmp_path, mode)
    oracle.prepare(database)
    for kills, failpoint in enumerate(Failpoint):
        plan = oracle.plan(database.url, batch_size=5)
        code, _ = Import(plan, tmp_path, failpoint=failpoint, passes=1 + kills // 3).carry_out()
        assert code == KILLED
    code, _ = Import(oracle.plan(database.url), tmp_path).carry_out()
    assert code == 3
    oracle.check(database)


def test_server_crashes_change_nothing(tmp_path: Path) -> None:
    """The server is killed in the middle of each import of a set."""
    restarts: list[threading.Thread] = []
    with postgres_server() as server:
        database = Database("postgresql", server.get_uri(), fetching(server.get_uri()))
        oracles = [ModeOracle(tmp_path, mode) for mode in ("truncate", "upsert")]
        for each in oracles:
            each.prepare(database)
        shot: set[int] = set()

        def shoot(run: Run, event: AnyEvent) -> None:
            if isinstance(event, BatchCommitted) and event.source not in shot:
                shot.add(event.source)
                os.kill(server.get_pid(), signal.SIGKILL)
                restarts.append(threading.Thread(target=restart_server, args=(server,)))
                restarts[-1].start()
                restarts[-1].join()

        plans = [each.plan(database.url, batch_size=12) for each in oracles]
        set_run = Run(plans, listener=lambda event: shoot(set_run, event))
        report: Any = set_run.execute()
        assert len(restarts) == len(oracles)
        for oracle, each in zip(oracles, report.imports, strict=True):
            oracle.check(database, each)


def fetching(url: str) -> Any:
    def fetch(query: str, *, returns: bool = True) -> list[tuple[Any, ...]]:
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if returns else []

    return fetch


@pytest.mark.parametrize("mode", ["upsert", "truncate"])
@pytest.mark.skipif(PGBOUNCER is None and "CI" not in os.environ, reason="there is no pgbouncer")
def test_killed_runs_are_resumed_through_the_pooler(postgres: Database, tmp_path: Path, mode: str) -> None:
    oracle = ModeOracle(tmp_path, mode)
    oracle.prepare(postgres)
    with Pooler(postgres.url) as pooler:
        plan = oracle.plan(pooler.url, batch_size=9)
        for failpoint in (Failpoint.AFTER_LOAD, Failpoint.AFTER_COMMIT):
            code, _ = Import(plan, tmp_path, failpoint=failpoint).carry_out()
            assert code == KILLED
            oracle.check_unfinished(postgres)
        oracle.check(postgres, Import(plan, tmp_path).carry_out()[1])


@pytest.mark.parametrize(("mode", "what"), [("upsert", "WITH written AS"), ("truncate", "COMMIT")])
def test_silent_network_changes_nothing(postgres: Database, tmp_path: Path, mode: str, what: str) -> None:
    oracle = ModeOracle(tmp_path, mode)
    oracle.prepare(postgres)
    silence = FreezeOnSend(what.encode())
    with Network(postgres.url, sees=silence) as network:
        report = run(oracle.plan(network.url, batch_size=9, stall_timeout=1.0))
    assert silence.fell.is_set()
    oracle.check(postgres, report)


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_set_that_is_killed_again_and_again_ends_with_the_table_of_a_loop(
    database: Database, tmp_path: Path, mode: str
) -> None:
    """One import after another: two files into one table. Each kill comes a little later than the one before."""
    oracle = ModeOracle(tmp_path, mode, files=2)
    oracle.prepare(database)
    plan, kills = oracle.plan(database.url, batch_size=6), 0
    for failpoint in itertools.cycle(Failpoint):
        code, report = Import(plan, tmp_path, failpoint=failpoint, passes=1 + 2 * kills).carry_out()
        if code != KILLED:
            break
        kills += 1
    assert kills >= 3
    oracle.check(database, report)


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_lost_answers_change_nothing_of_a_set_in_several_processes(
    postgres: Database, tmp_path: Path, mode: str
) -> None:
    oracle = ModeOracle(tmp_path, mode, files=3, rows=90)
    oracle.prepare(postgres)
    jobs: Any = {"executor": "processes", "plugin_options": {"processes": {"jobs": 2}}}
    with Proxy(postgres.url, Cut.BEFORE_ANSWER, set(range(6, 200, 4))) as proxy:
        report = run(oracle.plan(through(proxy, postgres), batch_size=8, **jobs))
    assert proxy.cuts >= 3
    oracle.check(postgres, report)
