"""What the steps share: notes are heard and kept, and a database operation is tried again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.run.steps import Steps
from tui_importer.core.run.context import RunContext
from tui_importer.core.run.stages import Opened, Stage
from tui_importer.errors import StoppedError, TransientFault, UnreachableError
from tui_importer.events import Noticed, Retrying


def context_of(steps: Steps) -> RunContext:
    return steps.context


def test_a_note_is_emitted_and_kept_for_the_report(tmp_path: Path) -> None:
    steps = Steps(tmp_path)
    context_of(steps).notice("look")
    assert (steps.context.notes, steps.events) == (["look"], [Noticed(message="look")])


def test_run_starts_at_the_initial_stage(tmp_path: Path) -> None:
    context = context_of(Steps(tmp_path))
    assert context.stage == Stage()
    assert not isinstance(context.stage, Opened)


def test_operation_is_retried_and_each_failure_is_reported(tmp_path: Path) -> None:
    steps = Steps(tmp_path, retry_for=60)
    faults = [TransientFault("busy", sqlstate="57P03"), UnreachableError("gone")]

    def operate() -> str:
        if faults:
            raise faults.pop(0)
        return "done"

    assert context_of(steps).retried(operate) == "done"
    told = [(event.attempt, event.error, event.sqlstate) for event in steps.events if isinstance(event, Retrying)]
    assert told == [(1, "busy", "57P03"), (2, "gone", None)]
    assert steps.context.retries == 2


def test_permanent_error_is_raised_without_a_retry(tmp_path: Path) -> None:
    steps = Steps(tmp_path, retry_for=60)

    def operate() -> None:
        raise UnreachableError("gone")

    with pytest.raises(UnreachableError, match="gone"):
        context_of(steps).retried(operate, (TransientFault,))
    assert steps.context.retries == 0


def test_stopping_run_does_not_retry(tmp_path: Path) -> None:
    steps = Steps(tmp_path, retry_for=60)
    steps.context.control.stop("enough")

    def operate() -> None:
        raise TransientFault("busy")

    with pytest.raises(StoppedError, match="enough"):
        context_of(steps).retried(operate)
