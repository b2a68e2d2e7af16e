"""Silent connections: detected, checked at the server through a second connection, and given up if lost.

A backend exposes its connections as links (:class:`Watched`), which the monitor samples. If a
statement makes no progress (no bytes in either direction), the server is asked about it. A statement that is working or
waiting for a lock is waited for, and reported; any other is given up. Its worker then fails as on a lost connection and
retries on a new one; the ledger knows whether its batch is committed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum, auto
from typing import Any, Protocol

import msgspec

from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.errors import DatabaseError

_log = logging.getLogger(__name__)

#: The worker for which this thread or task uses connections; 0 is the engine itself.
WORKER: ContextVar[int] = ContextVar("worker", default=0)

#: How often connections are sampled, in seconds.
PERIOD = 0.1
#: How often the server is asked again about a statement that is working or waiting for a lock, in seconds.
RECHECK = 10.0
#: If the server has part of a COPY and waits for more, it is asked again after this many seconds whether more has
#: arrived: something between may buffer (a proxy, a slow network).
CONFIRM = 5.0
#: How long the check through the second connection may take, in seconds.
LOOK_UP_TIMEOUT = 10.0

#: While a run stops (the first signal ends it within 10 seconds), in seconds: the silence allowed before a connection
#: is checked, the time for the check, the time after which locks are not waited for, and the silence allowed then.
STOPPING_SILENCE = 1.5
STOPPING_LOOK_UP_TIMEOUT = 2.0
STOPPING_PATIENCE = 5.0
STOPPED_SILENCE = 1.0
#: While a run is aborted (the second signal ends it within 2 seconds), in seconds: the time for cancelled statements to
#: end, and for each statement after that (the last writes to the ledger).
ABORT_PATIENCE = 0.5
ABORTED_SILENCE = 0.2


class Activity(Enum):
    """What a server says about the statement of a silent connection."""

    WORKING = auto()
    LOCKED = auto()  # waiting for a lock that another transaction holds
    WAITING = auto()  # the server waits for its client: a request or a response was lost
    GONE = auto()  # the server has no such connection


class Finding(msgspec.Struct, frozen=True):
    """The result of a check. ``detail`` describes it in a few words; ``received`` is how many bytes of the statement's
    data the server has received, if it says so."""

    activity: Activity
    detail: str = ""
    received: int | None = None


class Link(Protocol):
    """One connection. Other threads may call its methods at any time."""

    @property
    def worker(self) -> int:
        """The worker that uses it; 0 is the engine."""

    @property
    def connecting(self) -> bool:
        """Whether it is still being established; then it has its own timeout and cannot be checked."""

    @property
    def call(self) -> int:
        """A number that changes with every statement sent."""

    def silent_since(self) -> float | None:
        """The time (monotonic clock) of the last progress of the statement in flight; None if there is none."""

    def give_up(self, why: str) -> None:
        """Make the operation in flight fail at once as on a lost connection, with this reason."""


class Watched(Protocol):
    """A backend, as far as its connections are monitored."""

    def links(self) -> Sequence[Any] | None:
        """All :class:`Link` objects in use; None if this backend's connections cannot be monitored."""

    def look_up(self, links: Sequence[Any], seconds: float) -> Sequence[Finding]:
        """Ask the server about these links through a separate connection, within about ``seconds``.

        Raises :class:`~tui_importer.errors.DatabaseError`; its SQLSTATE is None if the server did not answer.
        """


class StallListener(Protocol):
    """Is notified of statements that take long although their connection is healthy."""

    def __call__(self, worker: int, finding: Finding | None, seconds: float) -> None:
        """The worker's statement has been silent for ``seconds``; ``finding`` is None once it made progress."""


class _Case(msgspec.Struct):
    """A silent link: the number of its statement, when to check (again), and the latest finding."""

    call: int
    check_at: float
    finding: Finding | None = None


class StallMonitor:
    """Monitors the links of a backend until it is closed.

    ``timeout`` is the silence allowed, in seconds (0: no limit unless the run is stopping).
    """

    def __init__(self, backend: Watched, control: RunControl, timeout: float, listener: StallListener) -> None:
        self._backend = backend
        self._control = control
        self._timeout = timeout or float("inf")
        self._listener = listener
        self._cases: dict[int, _Case] = {}
        self._stopping_at: float | None = None
        self._aborting_at: float | None = None
        self._check_thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stall-monitor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop monitoring."""
        self._closed.set()
        self._thread.join()
        if self._check_thread is not None:
            self._check_thread.join(PERIOD)  # a daemon thread, so a dead network does not block the exit

    def _run(self) -> None:
        while not self._closed.wait(PERIOD):
            self._tick(time.monotonic())

    def _tick(self, now: float) -> None:
        if self._control.stopping and self._stopping_at is None:
            self._stopping_at = now
        if self._control.aborting and self._aborting_at is None:
            self._aborting_at = now
        suspects = []
        links = list(self._backend.links() or ())
        self._drop_missing({id(link) for link in links})
        for link in links:
            since, call = link.silent_since(), link.call
            case = self._cases.get(id(link))
            if case is not None and (since is None or case.call != call or now - since < PERIOD):
                self._close_case(link)
                case = None
            if since is None or now - since < min(PERIOD, self._timeout):
                continue
            if self._must_give_up(link, case, now - since, now):
                link.give_up(self._reason(now - since, case))
            elif not link.connecting and now - since >= self._silence and (case is None or now >= case.check_at):
                suspects.append(link)
        if suspects and (self._check_thread is None or not self._check_thread.is_alive()):
            self._check_thread = threading.Thread(target=self._check, args=(suspects,), name="look-up", daemon=True)
            self._check_thread.start()

    @property
    def _silence(self) -> float:
        return self._timeout if self._stopping_at is None else min(self._timeout, STOPPING_SILENCE)

    def _must_give_up(self, link: Link, case: _Case | None, silence: float, now: float) -> bool:
        """Whether a stopping run must give up this link, whatever the server says."""
        if self._aborting_at is not None:
            return now - self._aborting_at >= ABORT_PATIENCE and silence >= ABORTED_SILENCE
        if self._stopping_at is None:
            return False
        if now - self._stopping_at < STOPPING_PATIENCE:
            return link.connecting and min(silence, now - self._stopping_at) >= STOPPING_SILENCE
        working = case is not None and case.finding is not None and case.finding.activity is Activity.WORKING
        return silence >= STOPPED_SILENCE and not working

    def _check(self, links: Sequence[Link]) -> None:
        """Check links, in a separate thread: the second connection may hang as well."""
        calls = [link.call for link in links]
        stopping = self._stopping_at is not None
        try:
            findings = self._backend.look_up(links, STOPPING_LOOK_UP_TIMEOUT if stopping else LOOK_UP_TIMEOUT)
        except DatabaseError as error:
            for link, call in zip(links, calls, strict=True):
                self._handle_failed_check(link, call, error)
        except Exception:  # noqa: BLE001  # a third-party backend
            _log.warning("a silent connection could not be looked up", exc_info=True)
            for link, call in zip(links, calls, strict=True):
                self._give_up(link, call, "and it could not be looked up")
        else:
            for link, call, finding in zip(links, calls, findings, strict=True):
                self._handle_finding(link, call, finding)

    def _handle_failed_check(self, link: Link, call: int, error: DatabaseError) -> None:
        if error.sqlstate is None:
            self._give_up(link, call, "and a second connection got no answer either")
        else:  # the server answers, but refuses another connection
            self._cases[id(link)] = _Case(call, time.monotonic() + min(self._silence, RECHECK))

    def _handle_finding(self, link: Link, call: int, finding: Finding) -> None:
        now = time.monotonic()
        since = link.silent_since()
        if since is None or link.call != call or now - since < PERIOD:
            return  # it made progress meanwhile
        before = self._cases.get(id(link))
        known = before.finding if before is not None and before.call == call else None
        match finding.activity:
            case Activity.WORKING | Activity.LOCKED:
                self._cases[id(link)] = _Case(call, now + min(self._silence, RECHECK), finding)
                if known is None or known.activity is not finding.activity:
                    self._listener(link.worker, finding, now - since)
            case Activity.WAITING if finding.received and (known is None or known.received != finding.received):
                self._cases[id(link)] = _Case(call, now + min(self._silence, CONFIRM), finding)
            case Activity.WAITING:
                self._give_up(link, call, finding.detail or "the server is waiting for this side")
            case Activity.GONE:
                self._give_up(link, call, finding.detail or "the server does not know it any more")

    def _give_up(self, link: Link, call: int, why: str) -> None:
        since = link.silent_since()
        if since is not None and link.call == call:
            link.give_up(f"it said nothing for {time.monotonic() - since:.0f} s, {why}")

    @staticmethod
    def _reason(silence: float, case: _Case | None) -> str:
        if case is not None and case.finding is not None and case.finding.activity is Activity.LOCKED:
            return f"the run is being stopped, and its statement is waiting for a lock: {case.finding.detail}"
        return f"the run is being stopped, and it said nothing for {silence:.1f} s"

    def _close_case(self, link: Link) -> None:
        case = self._cases.pop(id(link), None)
        if case is not None and case.finding is not None and case.finding.activity is not Activity.WAITING:
            self._listener(link.worker, None, 0.0)

    def _drop_missing(self, ids: set[int]) -> None:
        for key in [key for key in self._cases if key not in ids]:
            del self._cases[key]


@contextmanager
def watching(backend: Watched, control: RunControl, timeout: float, listener: StallListener) -> Iterator[None]:
    """Within the context, monitor the backend's connections if it exposes them."""
    if backend.links() is None:
        yield
        return
    monitor = StallMonitor(backend, control, timeout, listener)
    try:
        yield
    finally:
        monitor.close()


@contextmanager
def on_behalf_of(worker: int) -> Iterator[None]:
    """Within the context, connections used by this thread or task belong to this worker."""
    token = WORKER.set(worker)
    try:
        yield
    finally:
        WORKER.reset(token)
