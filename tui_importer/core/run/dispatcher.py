"""Dispatching events to a listener: one at a time, in order, and the end of the run last."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from tui_importer.errors import ImporterError
from tui_importer.events import AnyEvent, Listener, RunFinished


class EventDispatcher:
    """Calls a listener on the thread that emits an event. While a thread holds ``held``, no other can emit.

    A listener that raises is not called again: ``failure`` is the error, and ``on_failure`` is called with its message.
    """

    def __init__(self, listener: Listener, on_failure: Callable[[str], object]) -> None:
        self.held = threading.RLock()
        self.failure: ImporterError | None = None
        self._listener = listener
        self._on_failure = on_failure
        self._finished = False
        self._pending: deque[AnyEvent] = deque()

    def emit(self, event: AnyEvent) -> None:
        """Pass an event to the listener.

        Events emitted by the listener itself are passed on after the current one. Nothing is passed on after
        :class:`~tui_importer.events.RunFinished`.
        """
        with self.held:
            if self._finished:
                return
            self._finished = isinstance(event, RunFinished)
            self._pending.append(event)
            if len(self._pending) > 1:
                return
            while self._pending:
                self._call_listener(self._pending[0])
                self._pending.popleft()

    def _call_listener(self, event: AnyEvent) -> None:
        if self.failure is not None:
            return
        try:
            self._listener(event)
        except Exception as error:  # noqa: BLE001  # third-party code: it must not disturb the bookkeeping of rows
            self.failure = ImporterError(f"the listener failed: {type(error).__name__}: {error}")
            self._on_failure(str(self.failure))
