"""Transient errors of servers are retried, permanent ones are reported at once."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import pytest

from tests.exactly_once.conftest import Importer
from tests.support.once import once
from tests.support.postgres import postgres_server
from tui_importer import Run
from tui_importer.events import AnyEvent, BatchCommitted, Retrying

if TYPE_CHECKING:
    from tests.conftest import Database

#: Those of an operator or a passing shortage, and those of transactions that get in each other's way.
TRANSIENT_ERRORS = ["08006", "40001", "40P01", "53100", "53200", "53300", "55P03", "57014", "57P01", "57P02", "57P03"]


def numbers(database: Database) -> Counter[int]:
    return Counter(number for (number,) in database.fetch("SELECT n FROM t"))


@pytest.mark.parametrize("sqlstate", [TRANSIENT_ERRORS[0], *once(*TRANSIENT_ERRORS[1:])])
def test_transient_error_is_retried(postgres: Database, importer: Importer, sqlstate: str) -> None:
    """A sequence is not rolled back with its transaction, so it can count the attempts."""
    postgres.execute(
        f"""
        CREATE TABLE t (n integer, note text);
        CREATE SEQUENCE attempts;
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('attempts') <= 3 THEN RAISE 'not now' USING ERRCODE = '{sqlstate}'; END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER refuse AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION refuse();
        """
    )
    report = importer.run(postgres.url, batch_size=100, workers=1)
    assert (report.outcome, report.stats.inserted) == ("complete", 300)
    assert report.stats.retries == 3
    retries = importer.heard(Retrying)
    assert [event.attempt for event in retries] == [1, 2, 3]
    assert {(event.worker, event.sqlstate, event.error) for event in retries} == {(1, sqlstate, "not now")}
    assert numbers(postgres) == Counter(range(300))


@pytest.mark.once
def test_transient_error_fails_the_run_once_the_retry_budget_is_spent(postgres: Database, importer: Importer) -> None:
    postgres.execute(
        """
        CREATE TABLE t (n integer, note text);
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE 'never' USING ERRCODE = '53100'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION refuse();
        """
    )
    report = importer.run(postgres.url, retry_for=0.5)
    assert (report.outcome, report.exit_code) == ("failed", 4)
    assert "never; gave up after" in (report.error or "")
    assert "(--retry-for)" in (report.error or "")
    at_once = importer.run(postgres.url, retry_for=0.0)
    assert (at_once.exit_code, at_once.stats.retries) == (4, 0)
    postgres.execute("DROP TRIGGER refuse ON t")
    assert importer.run(postgres.url).outcome == "complete"
    assert numbers(postgres) == Counter(range(300))


@pytest.mark.once
@pytest.mark.parametrize(
    ("change", "undo", "said"),
    [
        ("ALTER TABLE t RENAME COLUMN note TO remark", "ALTER TABLE t RENAME COLUMN remark TO note", "does not exist"),
        ("REVOKE INSERT ON t FROM plain", "GRANT INSERT ON t TO plain", "permission denied"),
    ],
    ids=["no such column", "permission denied"],
)
def test_permanent_error_stops_the_run_and_it_can_be_resumed(
    postgres: Database, importer: Importer, change: str, undo: str, said: str
) -> None:
    name = f"plain_{os.urandom(4).hex()}"
    postgres.execute(
        f"CREATE ROLE {name} LOGIN; CREATE TABLE t (n integer, note text); GRANT ALL ON t TO {name}; "
        f"GRANT ALL ON SCHEMA public TO {name}"
    )
    try:

        def spoil(run: Run, event: AnyEvent) -> None:
            if isinstance(event, BatchCommitted) and event.first_row == 2:
                postgres.execute(change.replace("plain", name))

        url = postgres.url.replace("postgres@", f"{name}@")
        report = importer.run(url, on_event=spoil, batch_size=20, workers=1)
        assert (report.outcome, report.exit_code) == ("failed", 1)
        assert said in (report.error or "")
        assert not importer.heard(Retrying)
        postgres.execute(undo.replace("plain", name))
        assert importer.run(url).outcome == "complete"
        assert numbers(postgres) == Counter(range(300))
    finally:
        postgres.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_read_only_database_fails_without_a_retry(postgres: Database, importer: Importer) -> None:
    postgres.execute("CREATE TABLE t (n integer, note text)")
    url = f"{postgres.url}&options=-cdefault_transaction_read_only%3Don"
    report = importer.run(url)
    assert (report.outcome, report.exit_code) == ("failed", 1)
    assert "read-only transaction" in (report.error or "")
    assert not importer.heard(Retrying)


def test_statement_timeout_is_retried(postgres: Database, importer: Importer) -> None:
    """The server's own statement_timeout, while another session holds a lock."""
    postgres.execute("CREATE TABLE t (n integer, note text)")
    url = f"{postgres.url}&options=-cstatement_timeout%3D300"
    with psycopg.connect(postgres.url) as other:
        other.execute("LOCK TABLE t IN EXCLUSIVE MODE")

        def let_go(run: Run, event: AnyEvent) -> None:
            if isinstance(event, Retrying):
                other.rollback()

        report = importer.run(url, on_event=let_go, batch_size=100)
    assert (report.outcome, report.stats.inserted) == ("complete", 300)
    assert {event.sqlstate for event in importer.heard(Retrying)} == {"57014"}
    assert numbers(postgres) == Counter(range(300))


@pytest.mark.once
def test_deadlock_is_retried(postgres: Database, importer: Importer) -> None:
    """Another transaction locks, in the opposite order, the two rows that a trigger updates."""
    postgres.execute(
        """
        CREATE TABLE t (n integer, note text);
        CREATE TABLE pair (id integer PRIMARY KEY, hits integer NOT NULL);
        INSERT INTO pair VALUES (1, 0), (2, 0);
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE pair SET hits = hits + 1 WHERE id = 1;
            PERFORM pg_sleep(1);
            UPDATE pair SET hits = hits + 1 WHERE id = 2;
            RETURN NULL;
        END $$;
        CREATE TRIGGER touch AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION touch();
        """
    )
    # Ours is to be the victim: whoever is the last to wait notices it.
    with psycopg.connect(postgres.url) as other:
        other.execute("SET deadlock_timeout = '1min'")
        other.execute("UPDATE pair SET hits = 0 WHERE id = 2")

        def wait_for_the_first() -> None:
            sleeping = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
            )
            while not postgres.scalar(sleeping):
                time.sleep(0.02)
            other.execute("UPDATE pair SET hits = 0 WHERE id = 1")

        crossing = threading.Thread(target=wait_for_the_first)

        def cross(run: Run, event: AnyEvent) -> None:
            if isinstance(event, Retrying):
                crossing.join()
                other.rollback()

        crossing.start()
        report = importer.run(postgres.url, on_event=cross, batch_size=300)
    assert (report.outcome, report.stats.inserted) == ("complete", 300)
    assert "40P01" in {event.sqlstate for event in importer.heard(Retrying)}
    assert numbers(postgres) == Counter(range(300))


@pytest.mark.once
def test_serialization_failures_are_retried(postgres: Database, importer: Importer) -> None:
    """Workers at isolation level SERIALIZABLE that all count the rows of the table they write."""
    postgres.execute(
        """
        CREATE TABLE t (n integer, note text);
        CREATE TABLE counted (rows bigint);
        CREATE FUNCTION tally() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO counted SELECT count(*) FROM t;
            PERFORM pg_sleep(0.02);
            RETURN NULL;
        END $$;
        CREATE TRIGGER tally AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION tally();
        """
    )
    url = f"{postgres.url}&options=-cdefault_transaction_isolation%3Dserializable"
    report = importer.run(url, workers=3, batch_size=30)
    assert (report.outcome, report.stats.inserted) == ("complete", 300)
    assert "40001" in {event.sqlstate for event in importer.heard(Retrying)}
    assert numbers(postgres) == Counter(range(300))


@pytest.fixture
def own_server() -> Iterator[Any]:
    """A server that a test may shoot down."""
    with postgres_server() as server:
        yield server


@pytest.mark.once
@pytest.mark.parametrize(
    ("strategy", "how"),
    [
        ("threaded", signal.SIGKILL),
        ("batched", signal.SIGKILL),
        ("batched", signal.SIGQUIT),  # an immediate shutdown
        ("async", signal.SIGQUIT),
    ],
)
def test_run_survives_a_server_crash_and_restart(
    own_server: Any, importer: Importer, strategy: str, how: signal.Signals
) -> None:
    url = own_server.get_uri()
    restart: list[threading.Thread] = []

    def shoot(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted) and not restart:
            os.kill(own_server.get_pid(), how)
            restart.append(threading.Thread(target=restart_server, args=(own_server,)))
            restart[0].start()

    report = importer.run(url, on_event=shoot, strategy=strategy, workers=2, batch_size=15)
    restart[0].join()
    assert (report.outcome, report.stats.inserted) == ("complete", 300), report.error
    assert report.stats.retries == len(importer.heard(Retrying)) >= 1
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT n FROM t").fetchall()
    assert Counter(n for (n,) in found) == Counter(range(300))


def restart_server(server: Any) -> None:
    """Start the server again, once what is left of it has gone."""
    until = time.monotonic() + 60
    while any(str(server.pgdata) in " ".join(cmdline(process)) for process in psutil.process_iter()):
        assert time.monotonic() < until
        time.sleep(0.1)
    while True:
        with suppress(Exception):
            (Path(server.pgdata) / "postmaster.pid").unlink(missing_ok=True)
            server.ensure_postgres_running()
            return
        assert time.monotonic() < until
        time.sleep(0.2)


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline() if process.name() == "postgres" else []
    except psutil.Error:
        return []


@pytest.mark.once
def test_run_fails_with_exit_code_5_if_the_server_stays_down(own_server: Any, importer: Importer) -> None:
    shot = threading.Event()

    def shoot(run: Run, event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted) and not shot.is_set():
            shot.set()
            os.kill(own_server.get_pid(), signal.SIGKILL)

    report = importer.run(own_server.get_uri(), on_event=shoot, batch_size=15, retry_for=1.5)
    assert (report.outcome, report.exit_code) == ("failed", 5)
    assert "gave up after" in (report.error or "")
    restart_server(own_server)
    assert importer.run(own_server.get_uri()).outcome == "complete"


@pytest.mark.once
def test_sqlite_lock_longer_than_the_busy_timeout_is_retried(sqlite: Database, importer: Importer) -> None:
    importer.run(sqlite.url, limit=20)
    hold = (
        "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read(); c.execute('ROLLBACK')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, sqlite.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()

        def let_go(run: Run, event: AnyEvent) -> None:
            if isinstance(event, Retrying) and event.attempt == 2:
                assert other.stdin is not None
                other.stdin.close()

        report = importer.run(sqlite.url, on_event=let_go, batch_size=30)
    assert (report.outcome, report.stats.inserted) == ("complete", 280)
    assert report.stats.retries == len(importer.heard(Retrying)) >= 2
    assert numbers(sqlite) == Counter(range(300))


@pytest.mark.once
def test_import_resumes_once_the_disk_has_space(tmp_path: Path) -> None:
    """A file size limit stands in for the full disk: SQLite sees both as a failed write."""
    importer = Importer(tmp_path)
    importer.write([(n, f"{n:04}" * 50) for n in range(4_000)])

    def run(limit: int | None) -> int:
        def allow() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        return subprocess.run(
            [
                *(sys.executable, "-m", "tui_importer", "rows.csv", "--db", "full.db", "--table", "t"),
                *("--batch-size", "100", "-q", "--retry-for", "0.5"),
            ],
            cwd=tmp_path,
            timeout=60,
            check=False,
            preexec_fn=allow,
        ).returncode

    assert run(300_000) == 4
    with closing(sqlite3.connect(tmp_path / "full.db")) as database:
        [[before]] = database.execute("SELECT count(*) FROM t").fetchall()
    assert 0 < before < 4_000
    assert run(None) == 0
    with closing(sqlite3.connect(tmp_path / "full.db")) as database:
        assert database.execute("SELECT count(*), count(DISTINCT n) FROM t").fetchall() == [(4_000, 4_000)]
