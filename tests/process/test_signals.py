"""Signals reach whoever acts on them, whatever the main thread waits for."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tui_importer.process.signals import signals_passed_to

NUMBERS = (signal.SIGUSR1, signal.SIGUSR2)


@contextmanager
def arriving_signals(wanted: int) -> Iterator[tuple[list[signal.Signals], threading.Event]]:
    """The signals that arrive, and an event that is set once as many as wanted have."""
    arrived: list[signal.Signals] = []
    enough = threading.Event()

    def act(number: signal.Signals) -> None:
        arrived.append(number)
        if len(arrived) == wanted:
            enough.set()

    with signals_passed_to(act, NUMBERS):
        yield arrived, enough


def test_signals_are_forwarded_in_order() -> None:
    with arriving_signals(2) as (arrived, enough):
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert enough.wait(60)
    assert arrived == [signal.SIGUSR2, signal.SIGUSR1]


def test_a_signal_delivered_to_another_thread_does_not_wait_for_the_main_thread() -> None:
    def receive_it() -> None:
        time.sleep(0.2)  # the main thread is waiting by then, else this proves nothing
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    with arriving_signals(1) as (_, enough):
        threading.Thread(target=receive_it).start()
        enough.wait()  # without a timeout: nothing else brings the main thread back to Python


def test_other_signals_are_not_forwarded() -> None:
    before = signal.signal(signal.SIGWINCH, lambda number, frame: None)
    try:
        with arriving_signals(1) as (arrived, enough):
            os.kill(os.getpid(), signal.SIGWINCH)
            os.kill(os.getpid(), signal.SIGUSR1)
            assert enough.wait(60)
    finally:
        signal.signal(signal.SIGWINCH, before)
    assert arrived == [signal.SIGUSR1]


def test_signal_handlers_are_restored() -> None:
    handlers = [signal.getsignal(number) for number in NUMBERS]
    with arriving_signals(1):
        assert signal.getsignal(signal.SIGUSR1) not in handlers
    assert [signal.getsignal(number) for number in NUMBERS] == handlers
    assert signal.set_wakeup_fd(-1) == -1
