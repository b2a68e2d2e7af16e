"""Whatever goes away (the client, the server, a run, the database, the disk), nothing is lost and nothing doubled."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.conftest import sqlite_database
from tests.server.conftest import SLOW, Served, numbered, until

if TYPE_CHECKING:
    from tests.conftest import Database

pytestmark = pytest.mark.once


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    return sqlite_database(tmp_path / "here" / "t.db")


def all_are_in(database: Database, rows: int) -> None:
    """Every number once."""
    assert database.fetch("SELECT count(*), count(DISTINCT n) FROM t") == [(rows, rows)]


def test_client_disconnect_while_waiting_does_not_affect_the_run(
    serve: Callable[..., Served], sqlite: Database
) -> None:
    served = serve("--db", "t.db", "--table", "t")
    rows = numbered(20)
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + rows + b"\r\n--x--\r\n"
    connection = served.half_an_upload(b"")
    connection.close()
    until(lambda: 499 in [line.get("status") for line in served.lines()])
    with served.client.stream(
        "POST",
        "/upload?max_rate=20&batch_size=1",
        content=iter([body]),
        headers={"Content-Type": "multipart/form-data; boundary=x", "Connection": "close"},
        extensions={"timeout": {"connect": 5, "write": 5, "pool": 5, "read": 60}},
    ) as answer:
        assert answer.status_code == 200
    all_are_in(sqlite, 20)


def test_client_disconnect_during_the_upload_leaves_no_file(serve: Callable[..., Served]) -> None:
    served = serve("--db", "t.db", "--table", "t")
    with served.half_an_upload():
        until(lambda: [path for path in served.uploads if path.name.endswith(".part")])
        assert served.client.get("/health").status_code == 200
    until(lambda: served.uploads == [])
    assert served.client.get("/runs").json()["runs"] == []


def test_restarted_server_finds_the_runs_of_a_killed_server(serve: Callable[..., Served], sqlite: Database) -> None:
    served = serve("--db", "t.db", "--table", "t", "--max-runs", "1")
    first = served.begin(numbered(600), max_rate=40, batch_size=1)
    second = served.begin(numbered(20, first=600))
    with served.half_an_upload():
        run = served.at_work(first)
        served.stop(signal.SIGKILL)
    assert served.recording(run["run_id"]).alive  # it needs no server
    served.start()
    assert served.run(first)["state"] == "running"
    assert served.run(second)["state"] == "waiting"
    ended = served.ended(first)
    assert (ended["outcome"], ended["run_ids"]) == ("complete", [run["run_id"]])
    assert served.ended(second)["outcome"] == "complete"
    all_are_in(sqlite, 620)
    assert {path.name for path in served.uploads} == {first, second}


def test_server_shutdown_stops_its_runs(serve: Callable[..., Served], sqlite: Database) -> None:
    served = serve("--db", "t.db", "--table", "t", "--max-runs", "1")
    first = served.begin(numbered(400), max_rate=40, batch_size=1)
    second = served.begin(numbered(20, first=400))
    run = served.at_work(first)
    with served.client.stream("GET", f"/runs/{first}/events") as events:
        lines = events.iter_lines()
        next(lines)
        served.process.send_signal(signal.SIGTERM)
        list(lines)  # it ends, and can be taken up again
    assert served.process.wait(60) == 0
    served.client.close()
    assert served.engines() == []
    report = served.recording(run["run_id"]).report()
    assert report is not None
    assert report.outcome == "stopped"
    assert 0 < report.stats.inserted < 400
    served.start()
    ended = served.ended(first)
    assert (ended["outcome"], len(ended["run_ids"])) == ("complete", 2)
    assert ended["stats"]["skipped"] == report.stats.inserted
    served.ended(second)
    all_are_in(sqlite, 420)


def test_run_is_resumed_after_server_and_run_get_sigterm_together(
    serve: Callable[..., Served], sqlite: Database
) -> None:
    """As systemd does by default."""
    served = serve("--db", "t.db", "--table", "t")
    id_ = served.begin(numbered(200), max_rate=40, batch_size=1)
    served.at_work(id_)
    for process in served.engines():
        process.terminate()
    assert served.stop() == 0
    assert served.engines() == []
    served.start()
    assert served.ended(id_)["outcome"] == "complete"
    all_are_in(sqlite, 200)


def test_expired_uploads_are_removed(serve: Callable[..., Served]) -> None:
    served = serve("--db", "t.db", "--table", "t", "--keep", "0")
    id_ = served.begin(numbered(5))
    run = served.ended(id_)
    served.stop()
    served.start()
    until(lambda: served.client.get("/runs").json()["runs"] == [])
    assert served.uploads == []
    assert not served.recording(run["run_id"]).folder.exists()


def test_killed_run_is_resumed(serve: Callable[..., Served], sqlite: Database) -> None:
    served = serve("--db", "t.db", "--table", "t")
    id_ = served.begin(numbered(200), max_rate=40, batch_size=1)
    served.at_work(id_)
    for process in served.engines():
        process.kill()
    ended = served.ended(id_)
    assert (ended["outcome"], len(ended["run_ids"])) == ("complete", 2)
    all_are_in(sqlite, 200)


def test_runs_are_resumed_after_server_and_run_are_killed_together(
    serve: Callable[..., Served], sqlite: Database
) -> None:
    served = serve("--db", "t.db", "--table", "t")
    id_ = served.begin(numbered(200), max_rate=40, batch_size=1)
    served.at_work(id_)
    served.stop(signal.SIGKILL)
    for process in served.engines():
        process.kill()
    served.start()
    assert served.ended(id_)["outcome"] == "complete"
    all_are_in(sqlite, 200)


def test_run_with_an_unrecorded_id_is_found_by_its_file(serve: Callable[..., Served], sqlite: Database) -> None:
    served = serve("--db", "t.db", "--table", "t")
    id_ = served.begin(numbered(600), max_rate=40, batch_size=1)
    run = served.at_work(id_)
    served.stop(signal.SIGKILL)
    record = served.state / "tui-importer" / "uploads" / id_ / "record.json"
    record.write_text(record.read_text().replace(run["run_id"], "").replace('[""]', "[]"))
    served.start()
    served.wait(id_, lambda found: found["run_ids"] == [run["run_id"]])
    assert served.ended(id_)["outcome"] == "complete"
    all_are_in(sqlite, 600)


def test_file_that_crashes_every_run_is_abandoned(serve: Callable[..., Served]) -> None:
    served = serve("--db", "t.db", "--table", "t")
    id_ = served.begin(numbered(300), **SLOW)
    for times in range(1, 4):
        until(lambda times=times: len(served.run(id_)["run_ids"]) == times)  # type: ignore[misc]
        recording = served.recording(served.run(id_)["run_id"])
        for process in served.engines():
            process.kill()
        until(lambda recording=recording: not recording.alive)  # type: ignore[misc]
    ended = served.ended(id_)
    assert (ended["outcome"], ended["error"]) == (
        "failed",
        "the importer's process died 3 times, probably of this file",
    )
    assert ended["resumable"]


def test_unreachable_database_gives_503(serve: Callable[..., Served]) -> None:
    served = serve("--db", "postgresql://nobody@127.0.0.1:1/nothing", "--table", "t", "--connect-timeout", "2")
    answer = served.client.get("/health")
    assert (answer.status_code, answer.json()["database"]) == (503, "unavailable")
    failed = served.post("/upload", numbered(5))
    assert failed.status_code == 503
    assert "Retry-After" in failed.headers
    run = served.run(failed.json()["id"])
    assert (run["outcome"], run["exit_code"], run["resumable"]) == ("failed", 5, True)


def test_run_interrupted_by_a_database_outage_can_be_resumed(serve: Callable[..., Served], postgres: Database) -> None:
    served = serve("--db", postgres.url, "--table", "t", "--retry-for", "0.5")
    id_ = served.begin(numbered(200), workers=1, **SLOW)
    served.at_work(id_)
    name = postgres.scalar("SELECT current_database()")
    with psycopg.connect(postgres.url.replace(f"/{name}?", "/postgres?"), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        ended = served.ended(id_)
        assert ended["outcome"] in ("failed", "stopped")
        assert ended["resumable"]
        assert 0 < ended["stats"]["inserted"] < 200
        assert served.client.get("/health").status_code == 503
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert served.client.post(f"/runs/{id_}/resume").status_code == 202
    assert served.ended(id_)["outcome"] == "complete"
    all_are_in(postgres, 200)
    until(lambda: served.client.get("/health").status_code == 200)


def test_upload_to_a_full_disk_gives_507(serve: Callable[..., Served]) -> None:
    """A file size limit stands in for it: writes fail in the same places."""
    served = serve(
        "--db", "t.db", "--table", "t", limits=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000,) * 2)
    )
    answer = served.post("/upload", numbered(20_000))
    assert answer.status_code == 507
    assert answer.json() == {
        "error": "there is no room left for uploads: nothing of this one was kept, try again later"
    }
    assert served.uploads == []
    assert served.client.get("/health").status_code == 200
    assert served.post("/upload?dry_run=true", numbered(50)).status_code == 200


def test_full_database_disk_gives_503_and_a_resumable_run(serve: Callable[..., Served], sqlite: Database) -> None:
    limit = [520_000]
    served = serve(
        *("--db", "t.db", "--table", "t", "--retry-for", "0.3"),
        limits=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit[0],) * 2),
    )
    answer = served.post("/upload?batch_size=1000", numbered(30_000))
    assert answer.status_code == 503
    id_ = answer.json()["id"]
    assert served.run(id_)["resumable"]
    served.stop()
    limit[0] = 50_000_000
    served.start()
    served.client.post(f"/runs/{id_}/resume")
    assert served.ended(id_)["outcome"] == "complete"
    all_are_in(sqlite, 30_000)
