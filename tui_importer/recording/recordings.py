"""Finds the recordings of runs, reads what they say about a run, and removes old ones."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from tui_importer.core.model.plan import Plan
from tui_importer.core.model.report import Report, from_json
from tui_importer.core.run.run_id import run_id_of
from tui_importer.errors import PlanError, UsageError

EVENTS_FILE = "events.jsonl"
REPORT_FILE = "report.json"
COMMAND_FILE = "command"
PLANS_FILE = "plans.json"

#: Bytes at the end of a recording that are searched for the last counters.
_TAIL = 64 << 10


def recordings_folder() -> Path:
    """The folder of this user's recordings: below ``$XDG_STATE_HOME``, or the platform's equivalent."""
    from platformdirs import user_state_path

    return user_state_path("tui-importer") / "runs"


class Recording(msgspec.Struct, frozen=True):
    """The folder of one run's recording."""

    folder: Path

    @property
    def run_id(self) -> str:
        """The run's id, which is the name of the folder."""
        return self.folder.name

    @property
    def events_file(self) -> Path:
        """The file of events, one JSON object per line (:mod:`tui_importer.recording.lines`)."""
        return self.folder / EVENTS_FILE

    @property
    def alive(self) -> bool:
        """Whether the run's process is alive."""
        try:
            file = os.open(self.events_file, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(file)
        return False

    @property
    def command(self) -> str | None:
        """The command that repeats or resumes the run, without a password."""
        try:
            return (self.folder / COMMAND_FILE).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def plan(self, source: int = 1) -> Plan | None:
        """The plan that was given for one of the sources (from 1), without a password; None if it is not recorded."""
        try:
            plans = msgspec.json.decode((self.folder / PLANS_FILE).read_bytes(), type=list[Plan])
        except (OSError, msgspec.MsgspecError, PlanError):
            return None
        return plans[source - 1] if 0 < source <= len(plans) else None

    def report(self) -> Report | None:
        """The report; None if the run has not ended, or died."""
        try:
            return from_json((self.folder / REPORT_FILE).read_bytes())
        except (OSError, ValueError):
            return None

    def lines(self) -> Iterator[dict[str, Any]]:
        """All lines; an incomplete last line of a dead process is skipped."""
        with self.events_file.open("rb") as file:
            yield from _decoded(file)

    def latest(self, event: str) -> dict[str, Any] | None:
        """The last line of an event, within the last :data:`_TAIL` bytes."""
        try:
            with self.events_file.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _TAIL))
                found = [line for line in _decoded(file.read().splitlines()) if line.get("event") == event]
        except OSError:
            return None
        return found[-1] if found else None

    def first(self, event: str, source: int | None = None) -> dict[str, Any] | None:
        """The first line of an event, of any source or of this one."""

        def fits(line: dict[str, Any]) -> bool:
            return line.get("event") == event and (source is None or line.get("source", 1) == source)

        try:
            return next(filter(fits, self.lines()), None)
        except OSError:
            return None


def recordings(folder: Path) -> list[Recording]:
    """All recordings, latest first: run ids sort by time."""
    try:
        found = [Recording(entry) for entry in folder.iterdir() if (entry / EVENTS_FILE).is_file()]
    except OSError:
        return []
    return sorted(found, key=lambda recording: recording.run_id, reverse=True)


def find_recording(folder: Path, run: str | None) -> Recording:
    """Find the recording of a run by a unique prefix of its id, or by the id of one of its imports; without one, the
    latest live run, or else the latest.

    Raises :class:`UsageError` if there is none, or if several ids have the prefix.
    """
    found = recordings(folder)
    if not found:
        raise UsageError("no run is recorded yet")
    if run is None:
        return next((recording for recording in found if recording.alive), found[0])
    run = run_id_of(run)
    fitting = [recording for recording in found if recording.run_id.startswith(run)]
    if len(fitting) == 1 or any(recording.run_id == run for recording in fitting):
        return next((recording for recording in fitting if recording.run_id == run), fitting[0])
    if fitting:
        raise UsageError(f"{len(fitting)} runs begin with {run!r}: give more of the id, as 'tui-importer runs' says it")
    raise UsageError(f"there is no run {run!r}: 'tui-importer runs' lists those that are recorded")


def prune(folder: Path, older_than: float) -> int:
    """Remove the recordings of runs that ended more than ``older_than`` seconds ago; returns their number."""
    removed = 0
    for recording in recordings(folder):
        age = time.time() - recording.events_file.stat().st_mtime
        if age >= older_than and not recording.alive:
            shutil.rmtree(recording.folder)
            removed += 1
    return removed


def _decoded(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            decoded = json.loads(line)
        except ValueError:
            continue
        if isinstance(decoded, dict):
            yield decoded
