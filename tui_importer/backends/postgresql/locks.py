"""The locks by which PostgreSQL distinguishes a live run from a dead one."""

from __future__ import annotations

import time

from tui_importer.backends.sql.database import SqlConnection
from tui_importer.core.writing.backend import application_name

#: How long to wait for a lock that a process killed a moment ago may still seem to hold, and how often to retry, in
#: seconds.
_LOCK_TIMEOUT = 2.0
_LOCK_PERIOD = 0.05

#: For the transaction that holds an import's lock: the server detects within a minute that the peer of the idle
#: connection is gone, and there are no timeouts (manual, 19.3.2 and 19.11.1). Settings that the server's version does
#: not have are left out.
_HOLDER_SETTINGS = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
}

#: Ends the backends whose application_name begins with a run's prefix; their transactions are rolled back.
_END_NAMED = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE starts_with(application_name, %(prefix)s)"
#: The runs that have held a lock for some time (manual, 52.12: the key's halves are classid and objid).
_HOLDERS = """
    SELECT DISTINCT substring(application_name FROM '^tui_importer/[^/]+/')
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND (classid::bigint << 32 | objid::bigint) = %(key)s AND xact_start < now() - make_interval(secs => %(age)s)
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND application_name ~ '^tui_importer/[^/]+/'
"""
#: A run claims its import as soon as it has the lock: after this time without a claim it counts as gone, in seconds.
_UNCLAIMED_SECONDS = 10.0


class AdvisoryLocks:
    """Implements :class:`tui_importer.backends.sql.ledger.ImportLocks` by advisory locks."""

    def take(self, connection: SqlConnection, import_id: str) -> bool:
        """Take the lock in a transaction, for which a pooler keeps its server session. The server releases it when the
        connection ends for any reason (manual, 13.3.5). It learns at once that a process is gone, but only when it
        reads from the socket."""
        names, values = list(_HOLDER_SETTINGS), list(_HOLDER_SETTINGS.values())
        connection.rows(
            "SELECT set_config(name, given.value, true) FROM unnest(%(names)s::text[], %(values)s::text[]) "
            "AS given (name, value) JOIN pg_settings USING (name)",
            {"names": names, "values": values},
        )
        # Without parameters it is a simple query. The portal of any other would stay until the next statement, and with
        # it the snapshot: for as long as the run, nobody could clean up what is deleted in the whole database, least of
        # all the versions of the ledger's entries (manual, 54.2.3).
        lock = f"SELECT pg_try_advisory_xact_lock({_lock_key(import_id)})"
        until = time.monotonic() + _LOCK_TIMEOUT
        while not connection.value(lock):
            if time.monotonic() > until:
                return False
            time.sleep(_LOCK_PERIOD)
        return True

    def end_run(self, connection: SqlConnection, run_id: str) -> None:
        connection.rows(_END_NAMED, {"prefix": f"{application_name(run_id)}/"})

    def end_unclaimed(self, connection: SqlConnection, import_id: str) -> None:
        for (prefix,) in connection.rows(_HOLDERS, {"key": _lock_key(import_id), "age": _UNCLAIMED_SECONDS}):
            connection.rows(_END_NAMED, {"prefix": prefix})


def _lock_key(import_id: str) -> int:
    return int.from_bytes(bytes.fromhex(import_id)[:8], signed=True)
