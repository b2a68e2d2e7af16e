"""Trying again what may pass by itself: exponential backoff with full jitter, within a budget of time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tui_importer.errors import DatabaseError, TransientFault, UnreachableError

T = TypeVar("T")

#: Errors after which a fresh connection may do better.
TRANSIENT_ERRORS = (TransientFault, UnreachableError)

#: The first wait is up to so many seconds, each further one up to twice as many.
FIRST_WAIT = 0.1
#: No single wait is longer, in seconds.
LONGEST_WAIT = 10.0


class Attempts:
    """The attempts at one thing. Its budget of ``seconds`` begins with the first failure and ends with the thing."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._failed_at: float | None = None
        self.failed = 0

    def after(self, fault: DatabaseError) -> float:
        """How long to wait after this failure, in seconds; raises an error of its kind once the budget is spent."""
        # tenacity imports asyncio, which takes longer than most runs have any use for.
        from tenacity import RetryCallState, Retrying, wait_random_exponential

        now = self._clock()
        if self._failed_at is None:
            self._failed_at = now
        self.failed += 1
        left = self._failed_at + self._seconds - now
        if left <= 0:
            raise type(fault)(f"{fault}; {self._gave_up()}", sqlstate=fault.sqlstate) from fault
        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = self.failed
        wait = wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)(state)
        return min(wait, left)

    def _gave_up(self) -> str:
        tried = f"gave up after {self.failed} attempts in {self._seconds:g} s (--retry-for)"
        return f"{tried if self._seconds else 'not tried again (--retry-for 0)'}; the same command goes on from here"


def retried(
    action: Callable[[], T],
    seconds: float,
    wait: Callable[[float], bool],
    on_retry: Callable[[int, float, DatabaseError], None],
    transient: tuple[type[DatabaseError], ...] = TRANSIENT_ERRORS,
) -> T:
    """The result of ``action``, tried again while it fails in ways that may pass.

    ``wait`` sleeps and says whether to go on; where it does not, the fault is raised. ``on_retry`` hears of each wait:
    which attempt failed, how long the wait is, and the fault.
    """
    attempts = Attempts(seconds)
    while True:
        try:
            return action()
        except transient as fault:
            pause = attempts.after(fault)
            on_retry(attempts.failed, pause, fault)
            if not wait(pause):
                raise
