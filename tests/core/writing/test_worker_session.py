"""One session at a time, which fails as stopped once the run is aborted."""

from __future__ import annotations

import pytest

from tests.core.writing.test_batch_writer import FakeSession, SingleSession
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.writing.operation import run
from tui_importer.core.writing.worker_session import WorkerSession
from tui_importer.errors import DatabaseError, StoppedError


class ClosableSession(FakeSession):
    """Notes that it is closed, and may fail to."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.closed = self.cancelled = 0
        self._error = error

    def close(self) -> None:
        self.closed += 1
        if self._error is not None:
            raise self._error

    def cancel(self) -> None:
        self.cancelled += 1


def test_a_session_is_closed_once() -> None:
    session = ClosableSession()
    opened = WorkerSession(SingleSession(session), RunControl())
    run(opened.close())
    opened.cancel()
    run(opened.open())
    is_open = [opened.is_open]
    assert opened.current is session
    opened.cancel()
    run(opened.close())
    run(opened.close())
    is_open.append(opened.is_open)
    assert is_open == [True, False]
    assert (session.closed, session.cancelled) == (1, 1)


def test_error_closing_a_discarded_session_is_ignored() -> None:
    opened = WorkerSession(SingleSession(ClosableSession(OSError("broken pipe"))), RunControl())
    run(opened.open())
    run(opened.discard())
    assert not opened.is_open


def test_abort_cancels_the_current_statement_and_prevents_further_ones() -> None:
    control, statements = RunControl(), list[str]()
    opened = WorkerSession(SingleSession(FakeSession()), control)

    def cancelled() -> None:
        statements.append("cancelled")
        control.abort("enough")
        raise DatabaseError("canceling statement due to user request")

    with pytest.raises(StoppedError, match="enough"):
        run(opened.call(cancelled))
    with pytest.raises(StoppedError, match="enough"):
        run(opened.call(statements.append, "another"))
    control.close()
    assert statements == ["cancelled"]
