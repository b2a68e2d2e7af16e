"""Whoever listens hears one thing after the other, the end last, and may fail without harm."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from tui_importer.core.run.dispatcher import EventDispatcher
from tui_importer.events import AnyEvent, Noticed, RunFinished, WorkerStarted

END = RunFinished(
    outcome="complete", exit_code=0, read=0, inserted=0, updated=0, skipped=0, rejected=0, blank=0, seconds=0.0
)


def test_event_emitted_by_a_listener_is_delivered_afterwards() -> None:
    heard: list[tuple[str, AnyEvent]] = []

    def listen(event: AnyEvent) -> None:
        heard.append(("begins", event))
        if event == WorkerStarted(worker=1):
            dispatcher.emit(WorkerStarted(worker=2))
        heard.append(("ends", event))

    dispatcher = EventDispatcher(listen, lambda why: None)
    dispatcher.emit(WorkerStarted(worker=1))
    one, two = WorkerStarted(worker=1), WorkerStarted(worker=2)
    assert heard == [("begins", one), ("ends", one), ("begins", two), ("ends", two)]


def test_no_event_is_delivered_after_run_finished() -> None:
    heard: list[AnyEvent] = []
    dispatcher = EventDispatcher(heard.append, lambda why: None)
    for event in (WorkerStarted(worker=1), END, WorkerStarted(worker=2), END):
        dispatcher.emit(event)
    assert heard == [WorkerStarted(worker=1), END]


def test_failing_listener_is_reported_once_and_not_called_again() -> None:
    calls = list[AnyEvent]()
    failed = list[str]()

    def listen(event: AnyEvent) -> None:
        calls.append(event)
        raise LookupError("its defect")

    dispatcher = EventDispatcher(listen, failed.append)
    dispatcher.emit(WorkerStarted(worker=1))
    dispatcher.emit(WorkerStarted(worker=2))
    assert calls == [WorkerStarted(worker=1)]
    assert failed == [str(dispatcher.failure)] == ["the listener failed: LookupError: its defect"]


def test_events_of_several_threads_are_delivered_one_at_a_time() -> None:
    inside, most, heard = threading.Semaphore(1), [], []

    def listen(event: AnyEvent) -> None:
        most.append(inside.acquire(blocking=False))
        heard.append(event)
        inside.release()

    dispatcher = EventDispatcher(listen, lambda why: None)
    events = [Noticed(message=str(number)) for number in range(200)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(dispatcher.emit, events))
    assert all(most)
    assert sorted(heard, key=str) == sorted(events, key=str)
