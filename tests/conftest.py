"""Databases for tests: real ones, made for one test each."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent
# Tests and benchmarks share tests/support. At the end, so that an installed package wins over the checkout.
sys.path.append(str(ROOT))

from tests.support import postgres as servers  # noqa: E402
from tests.support.examples import examples  # noqa: E402
from tests.support.memory import folder_in_memory  # noqa: E402
from tests.support.once import further_cases, is_one_pair_more  # noqa: E402
from tests.support.readers import default_readers  # noqa: E402

# With Python's own thresholds, a third of the suite's time, and a fifth of the time before its first test, goes into
# looking through what is alive.
gc.set_threshold(100_000, 20, 20)

# Where bytecode may not be kept beside the sources, each of a thousand processes would compile them anew for a second.
if sys.dont_write_bytecode:
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(prefix="tui_importer-bytecode-")
    atexit.register(shutil.rmtree, sys.pycache_prefix, ignore_errors=True)
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long an example takes says nothing of the program: machines are shared.
settings.register_profile(
    "tests",
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    print_blob=True,
)
settings.load_profile("tests")

# A shell's background jobs and nohup ignore these, and so would every program that a test starts and signals.
for ignored, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, usual)

#: Seconds in which a thread that a test has let go of ends.
PATIENCE = 60.0


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


def pytest_report_header() -> str:
    """Which readers the tests are about."""
    return "readers: " + ", ".join(f"{name} for {suffix}" for suffix, name in default_readers().items())


def pytest_sessionstart() -> None:
    """Refuse to run with other readers than those that were asked for."""
    default_readers()


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the pairs of strategy and database, and the cases, that one Python is enough for."""
    for item in items:
        if is_one_pair_more(item):
            item.add_marker(pytest.mark.once)
    for item in list(further_cases(items)):
        item.add_marker(pytest.mark.once)


def pytest_collection_finish() -> None:
    """Spare garbage collections the modules and tests that are there for good."""
    gc.freeze()


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
    if given := os.environ.get(servers.SERVER_VARIABLE):
        yield given
        return
    with servers.postgres_server(durable=False) as server:
        yield server.get_uri()


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[Database]:
    """A new, empty PostgreSQL database."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        # Copying files takes a server half of the time of writing them to its log.
        strategy = "STRATEGY file_copy" if admin.info.server_version >= 150_000 else ""
        admin.execute(f"CREATE DATABASE {name} {strategy}")
        # Ten thousand commits of the row by row strategies need not wait for the disk of a server that was given.
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
def generic(tmp_path: Path) -> Iterator[Database]:
    """A database that only SQLAlchemy knows how to talk to, as far as the program can tell."""
    # As SQLAlchemy opens it, an SQLite file waits for the disk several times for each of ten thousand commits.
    place = folder_in_memory() or tmp_path
    with tempfile.TemporaryDirectory(prefix="tui_importer-generic-", dir=place) as folder:
        path = Path(folder) / "generic.db"
        yield sqlite_database(path, "generic", f"sqlite+pysqlite:///{path}")


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
    left = [thread for thread in threading.enumerate() if thread not in before]
    end = time.monotonic() + PATIENCE
    for thread in left:
        thread.join(max(0.0, end - time.monotonic()))
    left = [thread for thread in left if thread.is_alive()]
    assert not left, f"threads left behind: {left}"


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the environment of whoever runs it."""
    for name in ("TUI_IMPORTER_DB", "DATABASE_URL", "TUI_IMPORTER_DISABLE_PLUGINS", "NO_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
