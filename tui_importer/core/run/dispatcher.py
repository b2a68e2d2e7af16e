"""Telling whoever listens what happens: one event at a time, in order, and the end of the run last."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from tui_importer.errors import ImporterError
from tui_importer.events import AnyEvent, Listener, RunFinished


class EventDispatcher:
    """Calls a listener from whichever thread has something to say. ``held`` keeps others from speaking meanwhile.

    A listener that fails is not called again: ``failure`` says why, and ``failed`` is told at once.
    """

    def __init__(self, listener: Listener, failed: Callable[[str], object]) -> None:
        self.held = threading.RLock()
        self.failure: ImporterError | None = None
        self._listener = listener
        self._failed = failed
        self._said_all = False
        self._unsaid: deque[AnyEvent] = deque()

    def emit(self, event: AnyEvent) -> None:
        """Tell the listener; what it causes by stopping the run it hears of next, not in the middle.

        The end of the run is the last it hears, whatever others were about to say.
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
        except Exception as error:  # noqa: BLE001  # a stranger's code: it must not cost a row its account
            self.failure = ImporterError(f"the listener failed: {type(error).__name__}: {error}")
            self._failed(str(self.failure))
