"""How long is waited, how often, and when it is given up."""

from __future__ import annotations

import pytest

from tui_importer.core.writing.retry import FIRST_WAIT, LONGEST_WAIT, Attempts, retried
from tui_importer.errors import DatabaseError, TransientFault, UnreachableError


class Clock:
    """Time that passes only when somebody waits."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_delays_grow_up_to_a_bound() -> None:
    """Full jitter: between zero and twice the previous upper bound."""
    for _ in range(200):
        attempts = Attempts(1e6, Clock())
        for number in range(1, 15):
            pause = attempts.after(TransientFault("not now"))
            assert 0 <= pause <= min(LONGEST_WAIT, FIRST_WAIT * 2**number)
            assert attempts.failed == number


@pytest.mark.parametrize("kind", [TransientFault, UnreachableError])
def test_retry_budget_starts_at_the_first_failure(kind: type[DatabaseError]) -> None:
    clock = Clock()
    attempts = Attempts(60.0, clock)
    clock.now = 1000.0
    assert attempts.after(kind("not now")) <= 60.0
    clock.now += 59.9
    assert attempts.after(kind("not now")) <= 0.1 + 1e-6
    clock.now += 0.1
    with pytest.raises(kind, match=r"not now; gave up after 3 attempts in 60 s .*; the same command goes on") as raised:
        attempts.after(kind("not now", sqlstate="53100"))
    assert raised.value.sqlstate == "53100"


def test_zero_budget_means_no_retry() -> None:
    with pytest.raises(TransientFault, match=r"not tried again \(--retry-for 0\)"):
        Attempts(0.0).after(TransientFault("not now"))


def test_action_is_repeated_until_it_succeeds() -> None:
    on_retry: list[tuple[int, str]] = []
    faults: list[DatabaseError] = [TransientFault("one"), UnreachableError("two")]

    def act() -> str:
        if faults:
            raise faults.pop(0)
        return "done"

    assert (
        retried(act, 60.0, lambda pause: True, lambda number, _, fault: on_retry.append((number, str(fault)))) == "done"
    )
    assert on_retry == [(1, "one"), (2, "two")]


def test_permanent_errors_and_errors_after_the_deadline_are_raised() -> None:
    def fail(error: DatabaseError) -> None:
        raise error

    with pytest.raises(DatabaseError, match="never"):
        retried(lambda: fail(DatabaseError("never")), 60.0, lambda pause: True, lambda *on_retry: None)
    with pytest.raises(TransientFault, match="later"):
        retried(lambda: fail(TransientFault("later")), 60.0, lambda pause: False, lambda *on_retry: None)
    only = (TransientFault,)
    with pytest.raises(UnreachableError, match="gone"):
        retried(lambda: fail(UnreachableError("gone")), 60.0, lambda pause: True, lambda *on_retry: None, only)
