"""The inspections that a screen waits for: at most one of each kind, a new one in place of the one before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from tui_importer.process.messages import Answer, Request


class RunningInspection(Protocol):
    """A running inspection of a source or a target (:class:`tui_importer.process.start.InspectionProcess`)."""

    def cancel(self) -> None: ...

    def close(self) -> None: ...


#: Starts an inspection, which calls the callback with its answers, from a thread.
StartInspection = Callable[[Request, Callable[[Answer], None]], RunningInspection]

InspectionKind = Literal["source", "target"]


class Inspections:
    """Running inspections. ``post`` is called with the number of an inspection and its answer, from a thread."""

    def __init__(self, start: StartInspection, post: Callable[[int, Answer], None]) -> None:
        self._start = start
        self._post = post
        self._running: dict[InspectionKind, tuple[int, RunningInspection]] = {}
        self._last_number = 0

    def begin(self, kind: InspectionKind, request: Request) -> None:
        """Begin an inspection, and cancel the one of this kind that is running."""
        if kind in self._running:
            self._running[kind][1].cancel()
        self._last_number += 1
        number = self._last_number
        self._running[kind] = (number, self._start(request, lambda answer: self._post(number, answer)))

    def kind_of(self, number: int) -> InspectionKind | None:
        """The kind of the inspection with this number; None if another one has taken its place."""
        return next((kind for kind, (running, _) in self._running.items() if running == number), None)

    def forget(self, kind: InspectionKind) -> None:
        """Forget an inspection that was refused."""
        del self._running[kind]

    def has(self, kind: InspectionKind) -> bool:
        """Whether there is an inspection of this kind that was not refused."""
        return kind in self._running

    def cancel(self) -> None:
        """Cancel all inspections."""
        for _, inspection in self._running.values():
            inspection.cancel()

    def close(self) -> None:
        """Cancel all inspections, and wait until they have ended."""
        for _, inspection in self._running.values():
            inspection.close()
