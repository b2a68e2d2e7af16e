"""Retries after transient errors: exponential backoff with full jitter, within a time budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tui_importer.errors import DatabaseError, TransientFault, UnreachableError

T = TypeVar("T")

#: Errors that a new connection may not have.
TRANSIENT_ERRORS = (TransientFault, UnreachableError)

#: The upper limit of the first wait in seconds; it doubles with each further one.
FIRST_WAIT = 0.1
#: The longest single wait, in seconds.
LONGEST_WAIT = 10.0


class Attempts:
    """Counts the attempts at one operation. Its budget of ``seconds`` begins with the first failure."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._failed_at: float | None = None
        self.failed = 0

    def after(self, fault: DatabaseError) -> float:
        """The wait after this failure, in seconds; raises an error of the same class once the budget is spent."""
        # Imported here because tenacity imports asyncio, which is slow to import and which most runs do not need.
        from tenacity import RetryCallState, Retrying, wait_random_exponential

        now = self._clock()
        if self._failed_at is None:
            self._failed_at = now
        self.failed += 1
        left = self._failed_at + self._seconds - now
        if left <= 0:
            raise type(fault)(f"{fault}; {self._exhausted_message()}", sqlstate=fault.sqlstate) from fault
        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = self.failed
        wait = wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)(state)
        return min(wait, left)

    def _exhausted_message(self) -> str:
        tried = f"gave up after {self.failed} attempts in {self._seconds:g} s (--retry-for)"
        return f"{tried if self._seconds else 'not tried again (--retry-for 0)'}; the same command goes on from here"


def retried(
    action: Callable[[], T],
    seconds: float,
    wait: Callable[[float], bool],
    on_retry: Callable[[int, float, DatabaseError], None],
    transient: tuple[type[DatabaseError], ...] = TRANSIENT_ERRORS,
) -> T:
    """Return the result of ``action``, retried after ``transient`` errors for up to ``seconds``.

    ``wait`` sleeps and returns whether to continue; if not, the error is raised. ``on_retry`` is called before each
    wait with the number of the failed attempt, the wait in seconds and the error.
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
