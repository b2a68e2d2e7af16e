"""Imports inside of a running event loop: a notebook, a web handler."""

from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tui_importer import Options, Plan, Report, Run, Source, Target, run_import
from tui_importer.core.scheduling.task_pool import run_loop
from tui_importer.events import AnyEvent, BatchCommitted

if TYPE_CHECKING:
    from tests.conftest import Database

STRATEGIES = ("async", "batched", "sequential", "threaded")


def plan_for(folder: Path, database: Database, strategy: str) -> Plan:
    path = folder / "numbers.csv"
    path.write_text("n\n" + "".join(f"{number}\n" for number in range(300)), encoding="utf-8")
    return Plan(
        source=Source(file=path),
        target=Target(database=database.url, table="numbers"),
        options=Options(strategy=strategy, batch_size=20, workers=2),
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_works_inside_a_running_loop(
    tmp_path: Path, sqlite: Database, postgres: Database, strategy: str
) -> None:
    async def handler(database: Database) -> Report:
        return run_import(plan_for(tmp_path, database, strategy), record=False)

    for database in (sqlite, postgres):
        threads = set(threading.enumerate())
        report = asyncio.run(handler(database))
        assert (report.error, report.stats.inserted) == (None, 300)
        assert set(threading.enumerate()) <= threads
        assert database.scalar("SELECT count(*) FROM numbers") == 300


def test_a_run_inside_a_running_loop_can_be_aborted(tmp_path: Path, postgres: Database) -> None:
    def listener(event: AnyEvent) -> None:
        if isinstance(event, BatchCommitted):
            run.abort("enough")

    run = Run(plan_for(tmp_path, postgres, "async"), listener=listener)

    async def handler() -> Report:
        return run.execute()

    report = asyncio.run(handler())
    assert (report.outcome, report.exit_code) == ("stopped", 4)
    assert 0 < report.stats.inserted < 300


def test_interrupt_cancels_the_event_loop_and_propagates() -> None:
    """Ctrl-C interrupts the waiting thread, not the thread of the event loop."""
    began, cancelled = threading.Event(), threading.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def handler() -> None:
        main = threading.main_thread().ident
        assert main is not None

        def interrupt() -> None:
            began.wait(60)
            signal.pthread_kill(main, signal.SIGINT)

        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        try:
            run_loop(work)
        finally:
            interrupting.join()

    before = set(threading.enumerate())
    # A loop of ours alone: asyncio.run would take the signal for itself.
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(handler())
    finally:
        loop.close()
    assert cancelled.is_set()
    assert set(threading.enumerate()) <= before


def test_errors_propagate_from_the_loop_thread() -> None:
    async def work() -> None:
        raise LookupError("why")

    async def handler() -> None:
        run_loop(work)

    with pytest.raises(LookupError, match="why"):
        asyncio.run(handler())


def test_interrupt_while_the_thread_starts_leaves_no_thread() -> None:
    """The signal may arrive before the thread is known to have started: no coroutine may outlive the call."""
    cancelled = threading.Event()
    start = threading.Thread.start

    def start_and_interrupt(thread: threading.Thread) -> None:
        start(thread)
        began.wait(60)
        raise KeyboardInterrupt

    began = threading.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def handler() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threading.Thread, "start", start_and_interrupt)
            run_loop(work)

    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(handler())
    assert cancelled.is_set()
    assert set(threading.enumerate()) <= before
