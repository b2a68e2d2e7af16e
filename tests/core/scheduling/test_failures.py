"""What workers and strangers fail with, in one line for the user."""

from __future__ import annotations

import pytest

from tui_importer.core.scheduling.failures import several, unexpected
from tui_importer.errors import ExitCode, ImporterError, PlanError, StoppedError, UnreachableError


def test_all_failures_are_named_and_the_first_decides_the_exit_code() -> None:
    group = BaseExceptionGroup("", [UnreachableError("gone"), BaseExceptionGroup("", [KeyError("n"), PlanError("p")])])
    failure = several(group)
    assert failure is not None
    assert str(failure) == "gone; KeyError: 'n'; p"
    assert failure.exit_code is ExitCode.UNREACHABLE


def test_stopped_workers_are_not_failures() -> None:
    stopped = StoppedError("enough")
    assert several(BaseExceptionGroup("", [stopped, stopped])) is None
    failure = several(BaseExceptionGroup("", [stopped, ValueError("x")]))
    assert str(failure) == "ValueError: x"


def test_keyboard_interrupt_is_raised_unchanged() -> None:
    group = BaseExceptionGroup("", [ValueError("x"), KeyboardInterrupt()])
    with pytest.raises(BaseExceptionGroup) as caught:
        several(group)
    assert caught.value is group


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("two\n  lines\tof it"), "ValueError: two lines of it"),
        (ValueError(), "ValueError"),
        (BaseException("panicked"), "BaseException: panicked"),
    ],
)
def test_unexpected_error_is_one_line(error: BaseException, line: str) -> None:
    found = unexpected(error)
    assert type(found) is ImporterError
    assert str(found) == line
