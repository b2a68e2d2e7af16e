"""Connections that stay open and say nothing are looked up, given up and outlived; locks and slow networks are not."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.exactly_once.conftest import Importer
from tests.exactly_once.proxy import BOTH, Direction, Network
from tests.exactly_once.test_fencing import numbers, wait_for
from tests.exactly_once.test_kills import STRATEGIES
from tui_importer import Report, Run
from tui_importer.core.model.counters import WorkerState
from tui_importer.events import AnyEvent, LoadingStarted, Retrying, StatementDelayed

if TYPE_CHECKING:
    from tests.conftest import Database

pytestmark = pytest.mark.once

#: How long a program may take to end, in seconds. It would wait for ever.
PATIENCE = 60


class FreezeOnSend:
    """Freezes a network at what clients send for the ``number``-th time, from the first COPY or INSERT of rows on."""

    def __init__(self, what: bytes, number: int = 2, ways: frozenset[Direction] = BOTH, *, new: bool = False) -> None:
        self._what, self._left, self._ways, self._new = what, number, ways, new
        self._loading = False
        self.fell = threading.Event()

    def __call__(self, network: Network, data: bytes) -> None:
        self._loading = self._loading or b"COPY " in data or b'INSERT INTO "t"' in data
        if self._loading and self._what in data and not self.fell.is_set():
            self._left -= 1
            if self._left == 0:
                network.freeze(self._ways, new=self._new)
                self.fell.set()


@pytest.mark.parametrize("what", ["rows", "COMMIT", "tui_importer_batch"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_run_survives_a_silent_network(postgres: Database, importer: Importer, strategy: str, what: str) -> None:
    """All existing connections stop responding; new ones work."""
    rows = b'COPY "t"' if strategy in ("batched", "async") else b'INSERT INTO "t"'
    silence = FreezeOnSend(rows if what == "rows" else what.encode())
    with Network(postgres.url, sees=silence) as network:
        report = importer.run(network.url, strategy=strategy, workers=2, batch_size=20, stall_timeout=1.0)
    assert silence.fell.is_set()
    assert (report.outcome, report.stats.inserted) == ("complete", 300)
    assert any("it said nothing for" in event.error for event in importer.heard(Retrying))
    assert numbers(postgres) == Counter(range(300))


@pytest.mark.parametrize("way", list(Direction), ids=lambda way: way.name.lower())
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_run_survives_half_open_connections(
    postgres: Database, importer: Importer, strategy: str, way: Direction
) -> None:
    """Data is lost in one direction, including the response to a successful COMMIT."""
    silence = FreezeOnSend(b"COMMIT", ways=frozenset({way}))
    with Network(postgres.url, sees=silence) as network:
        report = importer.run(network.url, strategy=strategy, workers=2, batch_size=20, stall_timeout=1.0)
    assert silence.fell.is_set()
    assert (report.outcome, report.stats.inserted) == ("complete", 300)
    assert numbers(postgres) == Counter(range(300))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_slow_network_is_not_treated_as_a_stall(postgres: Database, importer: Importer, strategy: str) -> None:
    """Slowly arriving bytes are progress, as is a network buffer that drains bit by bit."""
    count = 1_500 if strategy in ("batched", "async") else 4
    importer.write([(n, "x" * 100) for n in range(count)])
    with Network(postgres.url, bandwidth=64_000, latency=0.02) as network:
        report = importer.run(
            network.url, strategy=strategy, workers=1, batch_size=count, stall_timeout=2.0, connect_timeout=30.0
        )
    assert (report.outcome, report.stats.inserted, report.stats.retries) == ("complete", count, 0)


@pytest.mark.parametrize("batch_size", [20, 1_000])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_signal_ends_a_run_on_a_slow_network(
    postgres: Database, importer: Importer, strategy: str, batch_size: int
) -> None:
    """The signal arrives while a batch is being sent, a short one and one that would take ten seconds. Row by row, all
    1,000 rows would take a minute. Committed rows are not sent again."""
    importer.write([(n, "x" * 300) for n in range(1_000)])
    rows = b'COPY "t"' if strategy in ("batched", "async") else b'INSERT INTO "t"'
    loading = threading.Event()

    def sees(network: Network, data: bytes) -> None:
        if rows in data:
            loading.set()

    with Network(postgres.url, bandwidth=32_000, latency=0.02, sees=sees) as network:
        program = begin(importer.folder, network.url, strategy, batch_size)
        assert loading.wait(PATIENCE)
        program.send_signal(signal.SIGTERM)
        assert program.wait(PATIENCE) == 143
    stored = numbers(postgres).total()
    assert stored < 1_000, "the signal came too late to stop anything"
    report = importer.run(postgres.url, strategy=strategy)
    assert (report.outcome, report.stats.skipped) == ("complete", stored)
    assert numbers(postgres) == Counter(range(1_000))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_foreign_lock_is_awaited_and_reported(postgres: Database, importer: Importer, strategy: str) -> None:
    importer.run(postgres.url, limit=1)
    states: set[WorkerState] = set()
    delayed = threading.Event()

    def on_event(run: Run, event: AnyEvent) -> None:
        if isinstance(event, StatementDelayed):
            states.update(worker.state for worker in run.snapshot().workers)
            delayed.set()

    reports: list[Report] = []
    with psycopg.connect(postgres.url) as other:
        other.execute("LOCK TABLE t IN SHARE MODE")
        thread = threading.Thread(
            target=lambda: reports.append(
                importer.run(postgres.url, on_event=on_event, strategy=strategy, workers=1, stall_timeout=0.5)
            )
        )
        thread.start()
        assert delayed.wait(PATIENCE)
        pid = other.info.backend_pid
        other.commit()
    thread.join(PATIENCE)
    [report] = reports
    assert (report.outcome, report.stats.retries) == ("complete", 0)
    event = importer.heard(StatementDelayed)[0]
    assert (event.worker, event.locked, event.detail) == (1, True, f"relation, held by process {pid}")
    assert WorkerState.BLOCKED in states
    assert numbers(postgres) == Counter(range(300))


def test_a_run_that_waits_for_a_lock_can_be_stopped(postgres: Database, importer: Importer) -> None:
    importer.run(postgres.url, limit=1)

    def stop(run: Run, event: AnyEvent) -> None:
        if isinstance(event, StatementDelayed):
            run.stop("enough")

    with psycopg.connect(postgres.url) as other:
        other.execute("LOCK TABLE t IN SHARE MODE")
        report = importer.run(postgres.url, on_event=stop, workers=1, stall_timeout=0.5)
    assert (report.outcome, report.exit_code) == ("stopped", 4)
    assert importer.run(postgres.url).outcome == "complete"
    assert numbers(postgres) == Counter(range(300))


def test_long_running_statement_is_awaited(postgres: Database, importer: Importer) -> None:
    postgres.execute(
        """
        CREATE TABLE t (n integer, note text);
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3); RETURN NULL; END $$;
        CREATE TRIGGER slow AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION slow();
        """
    )
    report = importer.run(postgres.url, workers=1, stall_timeout=0.5)
    assert (report.outcome, report.stats.inserted, report.stats.retries) == ("complete", 300, 0)
    assert [event.locked for event in importer.heard(StatementDelayed)] == [False]


def test_unresponsive_server_is_reported_as_unreachable(postgres: Database, importer: Importer) -> None:
    with Network(postgres.url) as network:
        network.freeze()
        report = importer.run(network.url, connect_timeout=2.0)
    assert (report.outcome, report.exit_code) == ("failed", 5)


def test_disabled_stall_timeout_waits_until_the_run_is_stopped(postgres: Database, importer: Importer) -> None:
    silence = FreezeOnSend(b"COMMIT", new=True)
    runs: list[Run] = []
    with Network(postgres.url, sees=silence) as network:
        reports: list[Report] = []

        def on_event(run: Run, event: AnyEvent) -> None:
            runs.append(run)

        thread = threading.Thread(
            target=lambda: reports.append(
                importer.run(network.url, on_event=on_event, workers=1, batch_size=20, stall_timeout=0.0)
            )
        )
        thread.start()
        assert silence.fell.wait(PATIENCE)
        time.sleep(2)  # long enough for any other time limit here
        assert not importer.heard(Retrying)
        runs[0].stop("enough")
        thread.join(PATIENCE)
    assert reports[0].outcome == "stopped"


@pytest.mark.parametrize("signals", [1, 2])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_signal_ends_a_run_without_any_response(
    postgres: Database, importer: Importer, strategy: str, signals: int
) -> None:
    """All connections stop responding during a COMMIT, and new ones get no answer. The server keeps the run's sessions;
    the next run, which reaches the server, terminates them and resumes the import."""
    silence = FreezeOnSend(b"COMMIT", new=True)
    with Network(postgres.url, sees=silence) as network:
        program = begin(importer.folder, network.url, strategy)
        assert silence.fell.wait(PATIENCE)
        for _ in range(signals):
            program.send_signal(signal.SIGTERM)
            time.sleep(0.3)
        assert program.wait(PATIENCE) == 143
        report = importer.run(postgres.url, strategy=strategy)
    assert report.outcome == "complete"
    assert numbers(postgres) == Counter(range(300))
    assert importer.heard(LoadingStarted)


def begin(folder: Path, url: str, strategy: str, batch_size: int = 20) -> subprocess.Popen[bytes]:
    arguments = ["rows.csv", "--db", url, "--table", "t", "--strategy", strategy, "--workers", "2"]
    return subprocess.Popen(
        [sys.executable, "-m", "tui_importer", *arguments, "--batch-size", str(batch_size), "--no-ui", "-q"], cwd=folder
    )


def test_abandoned_session_releases_its_locks(postgres: Database, importer: Importer) -> None:
    """The abandoned connection's server session is terminated before its rows are written again."""
    silence = FreezeOnSend(b"COMMIT", ways=frozenset({Direction.TO_SERVER}))
    with Network(postgres.url, sees=silence) as network:
        assert importer.run(network.url, workers=1, batch_size=20, stall_timeout=1.0).outcome == "complete"
        wait_for(lambda: postgres.scalar("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0)
    assert numbers(postgres) == Counter(range(300))
