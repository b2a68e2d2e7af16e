"""The ways to a run that is to be shown: begun now, followed, or played again."""

from __future__ import annotations

from tui_importer.process.messages import ImportRequest
from tui_importer.process.start import start_run
from tui_importer.recording.folders import Recording, recordings_folder
from tui_importer.recording.follow import Follower, Replay
from tui_importer.tui.messages import Opening, Shown


def begun(request: ImportRequest) -> Opening:
    """A run that is begun as a process of its own when it is opened."""

    def open_() -> Shown:
        recording = start_run(request, recordings_folder())
        return Shown(Follower(recording), recording)

    return open_


def attached(recording: Recording) -> Opening:
    """A run that was begun elsewhere, live or ended."""
    return lambda: Shown(Follower(recording), recording)


def replayed(recording: Recording, speed: float) -> Opening:
    """An ended run, so many times as fast as it was."""
    return lambda: Shown(Replay(recording, speed), recording, orders=False)
