"""A real PgBouncer in transaction mode, between a test's programs and its database."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg.conninfo import conninfo_to_dict

#: Where Debian puts it, beside what is in the PATH.
PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class Pooler:
    """PgBouncer with so many server connections for each database."""

    def __init__(self, server: str, pool_size: int = 12) -> None:
        self._parameters = conninfo_to_dict(server)
        self._pool_size = pool_size
        self._user = str(self._parameters.get("user") or "postgres")
        self._database = str(self._parameters["dbname"])
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port: int = free.getsockname()[1]
        self._folder = Path(tempfile.mkdtemp(prefix="tui_importer-pooler-"))

    @property
    def url(self) -> str:
        """The database through the pooler."""
        return f"postgresql://{self._user}@127.0.0.1:{self._port}/{self._database}?sslmode=disable&gssencmode=disable"

    def __enter__(self) -> Self:
        assert PGBOUNCER is not None
        settings, users, log = (self._folder / name for name in ("pgbouncer.ini", "users.txt", "log.txt"))
        host, port = str(self._parameters["host"]), self._parameters.get("port") or 5432
        users.write_text(f'"{self._user}" "{self._parameters.get("password") or ""}"\n')
        settings.write_text(
            f"""
            [databases]
            {self._database} = host={host} port={port} dbname={self._database}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {self._port}
            unix_socket_dir =
            auth_type = trust
            auth_file = {users}
            pool_mode = transaction
            default_pool_size = {self._pool_size}
            """
        )
        # It does not run as root, but as somebody who can read its settings and reach the server's socket.
        for path in (self._folder, settings, users):
            path.chmod(0o755 if path.is_dir() else 0o644)
        user = Path(host).owner() if host.startswith("/") else "nobody"
        as_user = ["-u", user] if os.getuid() == 0 else []
        with log.open("w") as output:
            self._process = subprocess.Popen([PGBOUNCER, *as_user, str(settings)], stdout=output, stderr=output)
        until = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    self.__exit__(None, None, None)
                    raise
                time.sleep(0.05)
            else:
                return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder)
