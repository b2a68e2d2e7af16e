"""Records a run as it happens. A failure to record never stops the import."""

from __future__ import annotations

import datetime as dt
import fcntl
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from tui_importer.core.model.counters import Snapshot
from tui_importer.core.model.plan import Plan, database_of
from tui_importer.core.model.rates import RateWindow
from tui_importer.core.model.reject_groups import RejectGroups
from tui_importer.core.model.report import Report, to_json
from tui_importer.core.model.url import portable_address
from tui_importer.events import AnyEvent, RowRejected, RunStarted
from tui_importer.recording.control import Controlled, ControlServer
from tui_importer.recording.lines import event_line, groups_line, progress_line
from tui_importer.recording.recordings import COMMAND_FILE, EVENTS_FILE, PLANS_FILE, REPORT_FILE
from tui_importer.recording.sampler import Sampler, SnapshotSource

#: Seconds between counters in a recording: a dashboard draws ten times a second and reads four times.
SAMPLE_PERIOD = 0.25
#: In a long run the period grows, up to one second after 20 minutes: a recording of a whole night stays small.
_LONG_PERIOD, _LONG_RUN = 1.0, 1_200.0
#: Seconds after which unchanged counters are recorded again, to show that the run is alive.
_UNCHANGED_PERIOD = 5.0
#: Bytes after which the groups of rejects are recorded again, so that the end of any recording contains them
#: (:data:`tui_importer.recording.follow._TAIL`): a viewer that attaches late does not read the lines before.
_GROUPS_BYTES = 128 << 10

_log = logging.getLogger(__name__)


class Recorder:
    """The recording of one run, in a folder that only its owner can read.

    Its file is locked as long as the run lives, so that others can tell whether it does. ``trouble`` is why recording
    stopped (a full disk), else None.
    """

    def __init__(self, folder: Path, run_id: str, command: str | None = None, plans: Sequence[Plan] = ()) -> None:
        """``command`` is the command line that repeats the run, and ``plans`` are those of its imports."""
        self.trouble: str | None = None
        self._folder = folder / run_id
        self._run_id = run_id
        self._dry_run = False
        self._lock = threading.Lock()
        self._sampler: Sampler | None = None
        self._before: Snapshot | None = None
        self._rates = RateWindow()
        self._snapshot: SnapshotSource | None = None
        self._groups = RejectGroups()
        self._started_at = 0.0
        self._since_groups = 0
        self._file: int | None = None
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700)
            # Locked before it gets its name, so that no one takes the run for dead, or the lock before us.
            nameless = self._folder / f".{EVENTS_FILE}"
            self._file = _open_new(nameless)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            nameless.rename(self._folder / EVENTS_FILE)
            if command is not None:
                _write_new(self._folder / COMMAND_FILE, command.encode("utf-8", "replace") + b"\n")
            if plans:
                _write_new(self._folder / PLANS_FILE, msgspec.json.encode([_kept(plan) for plan in plans]))
        except OSError as error:
            self._stop_recording(error)

    def start(self, snapshot: SnapshotSource) -> None:
        """Record the counters regularly, until :meth:`close`."""
        if self._file is not None:
            self._snapshot = snapshot
            self._started_at = snapshot().at
            self._sampler = Sampler(snapshot, SAMPLE_PERIOD, self._sample)

    def open_control(self, run: Controlled) -> ControlServer | None:
        """Accept orders for the run through its folder; None if that is impossible: then the run can only be
        watched."""
        if self._file is None:
            return None
        try:
            return ControlServer(self._folder, run)
        except OSError as error:
            _log.debug("the run takes no orders", exc_info=error)
            return None

    def on_event(self, event: AnyEvent) -> None:
        """Record an event."""
        if isinstance(event, RowRejected):
            with self._lock:
                self._groups.add(event.reject, event.source)
        if isinstance(event, RunStarted):
            self._dry_run = event.dry_run
        self._write(event_line(event, self._run_id, dt.datetime.now(dt.UTC), dry_run=self._dry_run))

    def close(self, report: Report | None) -> None:
        """Record the report and close the recording."""
        if self._sampler is not None:
            self._sampler.stop()
        if self._snapshot is not None:
            self._since_groups = _GROUPS_BYTES
            self._sample(self._snapshot(), last=True)  # the final counters and groups
        if report is not None and self._file is not None:
            try:
                _write_new(self._folder / REPORT_FILE, to_json(report))
            except OSError as error:
                self._stop_recording(error)
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _sample(self, snapshot: Snapshot, *, last: bool = False) -> None:
        before = self._before
        if before is not None and not last and self._since_groups < _GROUPS_BYTES:
            elapsed = snapshot.at - before.at
            unchanged = replace(snapshot, at=before.at) == before and not self._groups.changed
            if elapsed < (_UNCHANGED_PERIOD if unchanged else self._period(snapshot.at)):
                return
        self._before = snapshot
        self._rates.add(snapshot)
        with self._lock:
            due = self._groups.changed or self._since_groups >= _GROUPS_BYTES
            groups = self._groups.take() if due else []
            if due:
                self._since_groups = 0
        now = dt.datetime.now(dt.UTC)
        if groups:
            self._write(groups_line(groups, self._run_id, now, dry_run=self._dry_run))
        speed = (self._rates.rate(), self._rates.eta())
        self._write(progress_line(snapshot, *speed, self._run_id, now, dry_run=self._dry_run))

    def _period(self, at: float) -> float:
        """Seconds between changing counters at this time of the run."""
        share = min(1.0, (at - self._started_at) / _LONG_RUN)
        # Slightly less than the sampler's period, because its ticks are not exact.
        return (SAMPLE_PERIOD + share * (_LONG_PERIOD - SAMPLE_PERIOD)) * 0.9

    def _write(self, line: str) -> None:
        data = line.encode("ascii") + b"\n"
        with self._lock:
            if self._file is None or self.trouble is not None:
                return
            try:
                if os.write(self._file, data) < len(data):
                    raise OSError("the disk is full")
                self._since_groups += len(data)
            except OSError as error:
                self._stop_recording(error)

    def _stop_recording(self, error: OSError) -> None:
        """Stop recording; the file stays locked, because the run lives."""
        _log.debug("the run is not recorded", exc_info=error)
        self.trouble = error.strerror or str(error)


def _kept(plan: Plan) -> Plan:
    """The plan as it is of use later: from any folder, and without a password."""
    target = msgspec.structs.replace(plan.target, database=portable_address(database_of(plan)))
    return msgspec.structs.replace(plan, target=target)


def _open_new(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)


def _write_new(path: Path, data: bytes) -> None:
    with os.fdopen(_open_new(path), "wb") as file:
        file.write(data)
