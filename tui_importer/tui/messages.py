"""Messages to the screens, as past-tense facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from textual.message import Message

from tui_importer.core.model.report import Report
from tui_importer.events import RowRejected
from tui_importer.process import messages as process
from tui_importer.recording.follow import ViewedRun
from tui_importer.recording.recordings import Recording
from tui_importer.tui.view import View


class ShownRun(msgspec.Struct, frozen=True):
    """A run on the screen: its lines, its recording, and whether it takes orders."""

    watched: ViewedRun
    recording: Recording
    orders: bool = True


#: Returns the run to show, after starting it or finding its recording. May take a while, and raise.
OpenRun = Callable[[], ShownRun]


class DashboardResult(msgspec.Struct, frozen=True):
    """How the dashboard was left: with the ``report`` of an ended run, with a ``live`` run, or with an ``error``."""

    recording: Recording | None = None
    report: Report | None = None
    live: bool = False
    error: str | None = None
    exit_code: int = 0


class RunOpened(Message):
    """The run to show was opened."""

    def __init__(self, shown: ShownRun) -> None:
        super().__init__()
        self.shown = shown


class RunRefused(Message):
    """There is no run to show; ``error`` is the reason, in a line."""

    def __init__(self, error: str, exit_code: int) -> None:
        super().__init__()
        self.error, self.exit_code = error, exit_code


class ViewChanged(Message):
    """There is a newer view of the run."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self.view = view

    def can_replace(self, message: Message) -> bool:
        """A newer view replaces one that has not been drawn yet."""
        return isinstance(message, ViewChanged)


class OrderRefused(Message):
    """The run refused an order."""

    def __init__(self, error: str) -> None:
        super().__init__()
        self.error = error


class InspectionAnswered(Message):
    """An inspection of a source or a target has answered. ``number`` identifies the inspection; answers of old ones are
    ignored."""

    def __init__(self, number: int, answer: process.Answer) -> None:
        super().__init__()
        self.number, self.answer = number, answer


class RejectsFound(Message):
    """Rejected rows that match the filter: the first of them, and the total ``count``. ``search`` numbers the
    searches."""

    def __init__(self, search: int, rejects: list[RowRejected], count: int) -> None:
        super().__init__()
        self.search, self.rejects, self.count = search, rejects, count


class RejectsWritten(Message):
    """The workbooks of rejected rows were written, with ``count`` rows, or could not be (``error``)."""

    def __init__(self, paths: Sequence[Path], count: int, error: str | None = None) -> None:
        super().__init__()
        self.paths, self.count, self.error = paths, count, error
