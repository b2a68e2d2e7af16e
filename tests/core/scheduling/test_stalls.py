"""What the monitor makes of what a server says, with links and servers that do as they are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from tui_importer.core.scheduling import stalls
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.scheduling.stalls import Activity, Finding, watching
from tui_importer.errors import DatabaseError, UnreachableError


class SilentLink:
    """Has been silent since it was made, until it is given up."""

    worker = 3
    connecting = False
    call = 1

    def __init__(self) -> None:
        self.since: float | None = time.monotonic()
        self.why: str | None = None
        self.given_up = threading.Event()

    def silent_since(self) -> float | None:
        return self.since

    def give_up(self, why: str) -> None:
        self.why, self.since = why, None
        self.given_up.set()


class Server:
    """Answers look-ups with these findings, the last one again and again."""

    def __init__(self, *findings: Finding | DatabaseError) -> None:
        self.link = SilentLink()
        self.looks = 0
        self._findings = list(findings)
        self.looked_often = threading.Event()

    def links(self) -> Sequence[Any]:
        return [self.link]

    def look_up(self, links: Sequence[Any], seconds: float) -> Sequence[Finding]:
        finding = self._findings[min(self.looks, len(self._findings) - 1)]
        self.looks += 1
        if self.looks >= 4:
            self.looked_often.set()
        if isinstance(finding, DatabaseError):
            raise finding
        return [finding]


Told = list[tuple[int, Activity | None]]


def watch(server: Server, until: threading.Event, stop: RunControl | None = None, timeout: float = 0.2) -> Told:
    """What is told until then."""
    told: Told = []

    def on_finding(worker: int, finding: Finding | None, seconds: float) -> None:
        told.append((worker, finding.activity if finding else None))

    with watching(server, stop or RunControl(), timeout, on_finding):
        assert until.wait(60)
    return told


@pytest.mark.parametrize("activity", [Activity.WORKING, Activity.LOCKED])
def test_active_or_blocked_connection_is_reported_once_and_kept(activity: Activity) -> None:
    server = Server(Finding(activity))
    assert watch(server, server.looked_often) == [(3, activity)]
    assert server.link.why is None


@pytest.mark.parametrize(
    "finding",
    [
        Finding(Activity.WAITING),
        Finding(Activity.GONE),
        UnreachableError("no answer"),
        Finding(Activity.WAITING, "", 0),
    ],
)
def test_idle_stalled_connection_is_abandoned(finding: Finding | DatabaseError) -> None:
    server = Server(finding)
    assert watch(server, server.link.given_up) == []
    assert "it said nothing for" in (server.link.why or "")


def test_copy_connection_is_abandoned_only_without_progress() -> None:
    sizes = (1000, 2000, 3000, 3000)
    server = Server(*(Finding(Activity.WAITING, "", size) for size in sizes))
    watch(server, server.link.given_up)
    assert server.looks == len(sizes)


def test_stall_check_is_repeated_if_the_server_has_too_many_clients() -> None:
    server = Server(UnreachableError("too many clients", sqlstate="53300"))
    watch(server, server.looked_often)
    assert server.link.why is None


@pytest.mark.once
def test_stopping_run_abandons_a_connection_waiting_for_a_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalls, "STOPPING_PATIENCE", 2.5)  # after the first look
    server, stop = Server(Finding(Activity.LOCKED, "relation")), RunControl()
    stop.stop("enough")
    watch(server, server.link.given_up, stop, timeout=0)
    assert "waiting for a lock: relation" in (server.link.why or "")


def test_stall_timeout_0_never_checks() -> None:
    server = Server(Finding(Activity.GONE))
    pause = threading.Event()
    threading.Timer(0.6, pause.set).start()
    watch(server, pause, timeout=0)
    assert (server.looks, server.link.why) == (0, None)


def test_abort_does_not_wait_for_stalled_statements() -> None:
    server, stop = Server(Finding(Activity.WORKING)), RunControl()
    stop.abort("now")
    watch(server, server.link.given_up, stop)
    stop.close()
    assert server.link.why is not None


def test_recovery_after_a_stall_is_reported() -> None:
    server = Server(Finding(Activity.LOCKED))
    gone_on = threading.Event()
    told: Told = []

    def on_finding(worker: int, finding: Finding | None, seconds: float) -> None:
        told.append((worker, finding.activity if finding else None))
        if finding is None:
            gone_on.set()
        else:
            server.link.call, server.link.since = 2, None

    with watching(server, RunControl(), 0.2, on_finding):
        assert gone_on.wait(60)
    assert told == [(3, Activity.LOCKED), (3, None)]
