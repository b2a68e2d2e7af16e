"""Dispatching events to a listener: one at a time, in order, and the end of the run last."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from tui_importer.errors import ImporterError
from tui_importer.events import AnyEvent, Listener, RunFinished


class EventDispatcher:
    """Calls a listener on the thread that emits an event. While a thread holds ``held``, no other can emit.

    A listener that raises is not called again: ``failure`` has the error, and ``failed`` is called with its message.
    """

    def __init__(self, listener: Listener, failed: Callable[[str], object]) -> None:
        self.held = threading.RLock()
        self.failure: ImporterError | None = None
        self._listener = listener
        self._failed = failed
        self._said_all = False
        self._unsaid: deque[AnyEvent] = deque()

    def emit(self, event: AnyEvent) -> None:
        """Pass an event to the listener.

        Events emitted by the listener itself are passed on after the current one. Nothing is passed on after
        :class:`~tui_importer.events.RunFinished`.
        """
        with self.held:
            if self._said_all:
                return
            self._said_all = isinstance(event, RunFinished)
            self._unsaid.append(event)
            if len(self._unsaid) > 1:
                return
            while self._unsaid:
                self._tell(self._unsaid[0])
                self._unsaid.popleft()

    def _tell(self, event: AnyEvent) -> None:
        if self.failure is not None:
            return
        try:
            self._listener(event)
        except Exception as error:  # noqa: BLE001  # third-party code: it must not disturb the bookkeeping of rows
            self.failure = ImporterError(f"the listener failed: {type(error).__name__}: {error}")
            self._failed(str(self.failure))
