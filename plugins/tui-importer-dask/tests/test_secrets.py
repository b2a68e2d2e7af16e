"""The database's password: where it goes, and where it never is."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from clusters import PATIENCE, Cluster, PostgresDatabase, running_cluster
from runs import LONG, RATE, BackgroundRun, outcomes, plans, prepared_sources, run_plan, worker_of
from tui_importer_dask.remote import Place

SECRET = "s3cret-word"
#: Everything that dask may say of itself.
TALKATIVE = {"DASK_LOGGING__DISTRIBUTED": "debug"}


@pytest.fixture
def guarded(postgres: PostgresDatabase) -> Iterator[PostgresDatabase]:
    """A database for which a user needs a password."""
    postgres.execute(f"CREATE ROLE shop LOGIN SUPERUSER PASSWORD '{SECRET}'")
    [[name]] = postgres.fetch("SHOW hba_file")
    rules = Path(name)
    before = rules.read_text()
    rules.write_text(f"local all shop scram-sha-256\n{before}")
    postgres.execute("SELECT pg_reload_conf()")
    ends = time.monotonic() + PATIENCE
    try:
        while _admits(postgres.url.replace("postgres@", "shop@")):
            assert time.monotonic() < ends
        yield PostgresDatabase(postgres.url.replace("postgres@", f"shop:{SECRET}@"))
    finally:
        rules.write_text(before)
        postgres.execute("DROP OWNED BY shop; DROP ROLE shop")


def _admits(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """All that the run sends to actors, pickled."""
    found: list[bytes] = []
    send = Place.send

    def sending(place: Place, method: str, *arguments: object) -> Any:
        found.append(pickle.dumps((method, *arguments)))
        return send(place, method, *arguments)

    monkeypatch.setattr(Place, "send", sending)
    return found


def state_of(cluster: Cluster) -> str:
    """All that the scheduler and the dask workers know, and what is shown of their processes."""

    def of_scheduler(dask_scheduler: Any) -> str:
        from distributed.protocol import pickle

        tasks = [repr((each, each.run_spec, pickle.dumps(each.run_spec))) for each in dask_scheduler.tasks.values()]
        log = list(dask_scheduler.transition_log)
        return repr((tasks, log, dask_scheduler.identity(), dict(dask_scheduler._broker._topics)))

    def of_worker(dask_worker: Any) -> str:
        state = dask_worker.state
        return repr((state.tasks, state.actors, state.log, state.stimulus_log, dask_worker.get_logs()))

    with cluster.client() as client:
        known = [client.run_on_scheduler(of_scheduler), *client.run(of_worker).values()]
        known += [client.get_scheduler_logs(), client.get_worker_logs()]
    shown = [(each.cmdline(), each.environ()) for each in cluster.imports()]
    return repr(known) + repr(shown)


def test_the_password_is_not_sent_by_default(tmp_path: Path, guarded: PostgresDatabase, sent: list[bytes]) -> None:
    sources = prepared_sources(tmp_path, guarded, 60, 60)
    with running_cluster(tmp_path / "cluster", 1, **TALKATIVE) as cluster:
        report = run_plan(plans(sources, guarded, cluster))
        assert SECRET not in cluster.logs()
    assert outcomes(report) == ["failed"] * 2
    assert {each.exit_code for each in report.imports} == {5}
    assert (report.imports[0].error or "").endswith(
        "was not sent the password (-o dask.send-password=yes), and takes it from .pgpass, PGPASSWORD or "
        "TUI_IMPORTER_DB where it runs"
    )
    assert guarded.fetch("SELECT count(*) FROM oracle_0") == [(0,)]
    assert sent
    assert not any(SECRET.encode() in each for each in sent)


def test_dask_workers_have_their_own_password(tmp_path: Path, guarded: PostgresDatabase, sent: list[bytes]) -> None:
    sources = prepared_sources(tmp_path, guarded, 60, 60)
    with running_cluster(tmp_path / "cluster", 0) as cluster:
        cluster.start_worker(PGPASSWORD=SECRET)
        cluster.start_worker(TUI_IMPORTER_DB=guarded.url)
        cluster.wait_for_workers()
        begun = BackgroundRun(plans(sources, guarded, cluster))
        report = begun.report()
        assert {worker_of(cluster, begun.events, source).address for source in (1, 2)} == {
            each.address for each in cluster.workers
        }
    for source, each in zip(sources, report.imports, strict=True):
        source.check(guarded, each)
    assert not any(SECRET.encode() in each for each in sent)


def test_a_password_that_is_sent_is_shown_nowhere(tmp_path: Path, guarded: PostgresDatabase, sent: list[bytes]) -> None:
    sources = prepared_sources(tmp_path, guarded, LONG, 60)
    send: dict[str, Any] = {"send-password": True}
    with running_cluster(tmp_path / "cluster", 2, **TALKATIVE) as cluster:
        begun = BackgroundRun(plans(sources, guarded, cluster, RATE, **send))
        begun.wait(1, 2)
        state = state_of(cluster)
        assert "tui-importer-" in state  # the actors are in it
        assert SECRET not in state
        begun.run.stop("enough")
        begun.report()
        report = run_plan(plans(sources, guarded, cluster, **send))
        logs = cluster.logs()
    assert "DEBUG" in logs
    assert SECRET not in logs
    assert any(SECRET.encode() in each for each in sent)
    assert SECRET not in repr(report) + repr(begun.events)
    for each in sources:
        each.check(guarded)
