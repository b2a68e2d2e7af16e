"""The exceptions: they travel between processes with all that they say."""

from __future__ import annotations

import pickle

import pytest

from tui_importer.errors import (
    BusyError,
    DatabaseError,
    DataFault,
    ExitCode,
    ImporterError,
    PlanError,
    StoppedError,
    SupersededError,
    TransientFault,
    UnreachableError,
    WorkerError,
)


@pytest.mark.parametrize(
    "error",
    [
        BusyError("busy"),
        DataFault("refused", sqlstate="23505", offset=3, column="n", constraint="t_pkey", kind="duplicate"),
        DatabaseError("refused", sqlstate="42P01"),
        PlanError("no such column"),
        StoppedError("enough"),
        SupersededError("taken over"),
        TransientFault("lost", sqlstate="08006"),
        UnreachableError("no answer"),
        WorkerError(3, "Sheet1", 2, 1_001, UnreachableError("no answer")),
        WorkerError(3, "Sheet1", 2, 1_001, ZeroDivisionError("division by zero")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_can_be_pickled(error: ImporterError) -> None:
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is type(error)
    assert (str(copied), vars(copied), copied.exit_code) == (str(error), vars(error), error.exit_code)


def test_worker_error_has_the_exit_code_of_its_cause() -> None:
    assert WorkerError(1, "S", 2, 3, UnreachableError("no answer")).exit_code is ExitCode.UNREACHABLE
    assert WorkerError(1, "S", 2, 3, ValueError("what")).exit_code is ExitCode.FAILED
