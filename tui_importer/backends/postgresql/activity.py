"""What the server says about the statements of silent connections."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from tui_importer.backends.postgresql.connections import StatementLink, WatchedConnection
from tui_importer.backends.postgresql.connector import NAMED, Connector
from tui_importer.backends.postgresql.errors import STATEMENT_ERRORS
from tui_importer.core.scheduling.stalls import Activity, Finding

#: ``{}`` is replaced if the server reports the progress of a COPY (PostgreSQL 14).
_ACTIVITY = f"""
    SELECT name, state, wait_event_type, wait_event, pg_blocking_pids(pid), {{}}
    FROM unnest(%s::text[]) AS name JOIN pg_stat_activity ON {NAMED}
"""
_RECEIVED = "(SELECT bytes_processed FROM pg_stat_progress_copy AS copy WHERE copy.pid = pg_stat_activity.pid)"


def look_up(connector: Connector, links: Sequence[StatementLink], seconds: float) -> Sequence[Finding]:
    """Query ``pg_stat_activity`` for the backends of these connections (manual, 27.2.3), within about ``seconds``."""
    with closing(connector.connect(connect_timeout=max(1, round(seconds)))) as connection:
        assert connection.link is not None
        timer = threading.Timer(seconds, connection.link.give_up, ["no answer to a look into pg_stat_activity"])
        timer.start()
        try:
            with STATEMENT_ERRORS:
                rows = connection.execute(_activity_query(connection), [[link.name for link in links]]).fetchall()
        finally:
            timer.cancel()
    findings = [_finding([row for row in rows if row[0] == link.name]) for link in links]
    for link, finding in zip(links, findings, strict=True):
        if finding.activity is Activity.LOCKED:
            link.disable_timeout()
    return findings


def _activity_query(connection: WatchedConnection) -> str:
    return _ACTIVITY.format(_RECEIVED if connection.info.server_version >= 140_000 else "NULL")


def _finding(rows: Sequence[tuple[Any, ...]]) -> Finding:
    """Interpret the rows that the server reports for a backend (manual, tables 27.3 and 27.4)."""
    if not rows:
        return Finding(Activity.GONE, "and the server has no session for it (or a pooler none to spare)")
    # Behind a pooler, sessions that served the connection before may still have its name: take the busiest.
    return max((_finding_of(*row[1:]) for row in rows), key=lambda finding: _BUSIEST.index(finding.activity))


_BUSIEST = (Activity.GONE, Activity.WAITING, Activity.WORKING, Activity.LOCKED)


def _finding_of(
    state: str | None, event_type: str | None, event: str | None, blockers: Sequence[int], received: int | None
) -> Finding:
    if event_type == "Lock":
        held = f", held by process {' and '.join(map(str, blockers))}" if blockers else ""
        return Finding(Activity.LOCKED, f"{event}{held}")
    waits_for = f"{event_type}: {event}" if event_type else "no wait"
    if event_type == "Client" or (state or "").startswith("idle"):
        return Finding(Activity.WAITING, f"and the server is waiting for this side ({state}, {waits_for})", received)
    return Finding(Activity.WORKING, waits_for)
