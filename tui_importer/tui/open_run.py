"""The ways to open a run: start it, attach to it, or replay it."""

from __future__ import annotations

from tui_importer.process.messages import ImportRequest
from tui_importer.process.start import start_run
from tui_importer.recording.follow import Follower, Replay
from tui_importer.recording.recordings import Recording, recordings_folder
from tui_importer.tui.messages import OpenRun, ShownRun


def begun(request: ImportRequest) -> OpenRun:
    """Start a run as a process of its own when it is opened."""

    def open_() -> ShownRun:
        recording = start_run(request, recordings_folder())
        return ShownRun(Follower(recording), recording)

    return open_


def attached(recording: Recording) -> OpenRun:
    """Attach to a run that was started elsewhere, live or ended."""
    return lambda: ShownRun(Follower(recording), recording)


def replayed(recording: Recording, speed: float) -> OpenRun:
    """Replay an ended run, ``speed`` times as fast."""
    return lambda: ShownRun(Replay(recording, speed), recording, orders=False)
