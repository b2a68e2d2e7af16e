"""What screens are told, as past-tense facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message

from tui_importer.core.model.report import Report
from tui_importer.events import Reject
from tui_importer.process import messages as process
from tui_importer.recording.follow import Watched
from tui_importer.recording.recordings import Recording
from tui_importer.tui.view import View


@dataclass(frozen=True, slots=True)
class ShownRun:
    """A run that is shown: what it says, where it is recorded, and whether it takes orders."""

    watched: Watched
    recording: Recording
    orders: bool = True


#: Makes the run that is to be shown: begins it, or finds its recording. It may take a while, and raise.
OpenRun = Callable[[], ShownRun]


@dataclass(frozen=True, slots=True)
class DashboardResult:
    """How the dashboard was left: with an ended run's ``report``, from a run that goes on, or by an ``error``."""

    recording: Recording | None = None
    report: Report | None = None
    live: bool = False
    error: str | None = None
    exit_code: int = 0


class RunOpened(Message):
    """The run to be shown is there."""

    def __init__(self, shown: ShownRun) -> None:
        super().__init__()
        self.shown = shown


class RunRefused(Message):
    """There is no run: why, in a line."""

    def __init__(self, error: str, exit_code: int) -> None:
        super().__init__()
        self.error, self.exit_code = error, exit_code


class ViewChanged(Message):
    """The run looks like this now."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self.view = view

    def can_replace(self, message: Message) -> bool:
        """Only the latest picture is worth drawing."""
        return isinstance(message, ViewChanged)


class OrderRefused(Message):
    """The run does not do what it was told."""

    def __init__(self, error: str) -> None:
        super().__init__()
        self.error = error


class Looked(Message):
    """A process that looks at a source or a target has answered. ``look`` numbers the looks: old ones are ignored."""

    def __init__(self, look: int, answer: process.Answer) -> None:
        super().__init__()
        self.look, self.answer = look, answer


class RejectsFound(Message):
    """Rejected rows that fit the filter: the first so many, and how many there are. ``search`` numbers the searches."""

    def __init__(self, search: int, rejects: list[Reject], count: int) -> None:
        super().__init__()
        self.search, self.rejects, self.count = search, rejects, count


class RejectsWritten(Message):
    """The workbook of rejected rows is written, or why not."""

    def __init__(self, path: Path, count: int, error: str | None = None) -> None:
        super().__init__()
        self.path, self.count, self.error = path, count, error
