"""Makes the connections of a PostgreSQL backend: named, watched, and each ending those that were lost before it."""

from __future__ import annotations

import itertools
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tui_importer.backends.postgresql.connections import (
    StatementLink,
    WatchedAsyncConnection,
    WatchedConnection,
    connected,
    connected_async,
)
from tui_importer.backends.postgresql.errors import connection_errors
from tui_importer.backends.sql.faults import first_line
from tui_importer.core.writing.backend import ConnectionSettings
from tui_importer.errors import UsageError

_log = logging.getLogger(__name__)

#: Detect within a minute that the peer of an idle connection is gone (tcp(7)). The names are libpq's.
_DEAD_PEER = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}

#: The server truncates an application_name to this number of bytes (manual, 19.8.3).
_NAME_BYTES = 63

#: Whether a backend belongs to the connection of this ``name``: a pooler may append the client's address (PgBouncer's
#: application_name_add_host).
NAMED = "name = application_name OR starts_with(application_name, name || ' ')"
_END_LOST = f"SELECT pg_terminate_backend(pid) FROM unnest(%s::text[]) AS name JOIN pg_stat_activity ON {NAMED}"


class Connector:
    """Makes the connections to one database.

    ``links`` are all connections in use, and those being made, as links of
    :class:`tui_importer.core.scheduling.stalls.Watched`.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        """Raises :class:`UsageError` for a malformed URL."""
        url = re.sub(r"^(?:postgres|postgresql\+psycopg)://", "postgresql://", settings.url)
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error:
            # The message may repeat parts of the password.
            raise UsageError(
                "malformed PostgreSQL address: write postgresql://user@host:port/database or host=... dbname=..."
            ) from None
        if not re.fullmatch(r"[0-9,]*", port := str(given.get("port", ""))):
            raise UsageError(f"malformed PostgreSQL address: {port!r} is not a port number")
        self._parameters: dict[str, Any] = {
            "application_name": settings.application_name,
            "connect_timeout": max(1, round(settings.connect_timeout)),
            **_DEAD_PEER,
            # Longer than our own stall timeout: the system ends only connections that nobody watches.
            **({"tcp_user_timeout": round(settings.stall_timeout * 2_000)} if settings.stall_timeout else {}),
            **given,
            "client_encoding": "UTF8",  # whatever the environment says: we encode in it
            "prepare_threshold": None,  # a pooler may give each transaction another server session
        }
        self._numbers = itertools.count(1)
        self.links: set[Any] = set()
        self._lost: list[str] = []
        self._lost_lock = threading.Lock()

    def connect(self, **parameters: Any) -> WatchedConnection:
        """Connect; ``parameters`` are libpq's, and override the settings."""
        all_parameters, name = self._named_parameters()
        all_parameters |= parameters

        def make() -> WatchedConnection:
            return WatchedConnection.connect(**all_parameters)

        with connection_errors():
            connection = connected(make, self.links)
        self._register_link(connection, name)
        with self._lost_connections() as lost:
            if lost:
                connection.execute(_END_LOST, [lost])
                connection.commit()
        return connection

    async def connect_async(self) -> WatchedAsyncConnection:
        """Connect for asyncio."""
        parameters, name = self._named_parameters()

        async def make() -> WatchedAsyncConnection:
            return await WatchedAsyncConnection.connect(**parameters)

        with connection_errors():
            connection = await connected_async(make, self.links)
        self._register_link(connection, name)
        with self._lost_connections() as lost:
            if lost:
                await connection.execute(_END_LOST, [lost])
                await connection.commit()
        return connection

    def _named_parameters(self) -> tuple[dict[str, Any], str]:
        """The parameters of a new connection, and the application_name that identifies its backend: behind a pooler the
        PID that a client knows is not the backend's."""
        suffix = f"/{next(self._numbers)}"
        base = str(self._parameters["application_name"]).encode()[: _NAME_BYTES - len(suffix)]
        name = base.decode(errors="ignore") + suffix
        return self._parameters | {"application_name": name}, name

    def _register_link(self, connection: WatchedConnection | WatchedAsyncConnection, name: str) -> None:
        """Register the connection as watched until it is closed."""

        def closed(link: StatementLink) -> None:
            self.links.discard(link)
            if link.given_up is not None:
                with self._lost_lock:
                    self._lost.append(link.name)

        connection.link = StatementLink(connection, name, closed)
        self.links.add(connection.link)

    @contextmanager
    def _lost_connections(self) -> Iterator[list[str]]:
        """The names of abandoned connections whose backends a new connection must end. A backend that waits for its
        lost client keeps its locks, and blocks the next attempt to write its rows."""
        with self._lost_lock:
            lost, self._lost = self._lost, []
        try:
            yield lost
        except psycopg.Error as error:
            _log.warning("the server keeps a lost connection until it notices: %s", first_line(error))
            with self._lost_lock:
                self._lost += lost
