"""Progress without a dashboard: what the user sees on stderr during a run.

Every style receives each event, and may take snapshots of the counters. None of them writes to stdout or can harm the
run.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal, Protocol, TextIO

from tui_importer.console.lines import SafeStream
from tui_importer.core.model.counters import Snapshot
from tui_importer.core.model.rates import RateWindow
from tui_importer.events import (
    AnyEvent,
    ImportStarted,
    RowRejected,
    RunFinished,
    RunStarted,
    SourceOpened,
    Verified,
)
from tui_importer.recording.lines import event_line, progress_line, record_line
from tui_importer.recording.sampler import Sampler, SnapshotSource
from tui_importer.text.numbers import plural
from tui_importer.text.safe import visible
from tui_importer.text.sentences import DRY_RUN, ROUTINE, narrate, status_line

if TYPE_CHECKING:
    from logging import LogRecord

#: Seconds between progress lines without a terminal: often enough to follow a log, seldom enough for a long run.
LINE_PERIOD = 30.0
#: Number of rejects that are printed one by one; the summary groups them and the reject file has all.
MAX_REJECT_LINES = 5

Level = Literal["info", "warning", "error"]


class Progress(Protocol):
    """A style of progress. ``on_event`` is called from the run's threads, one call at a time."""

    def start(self, snapshot: SnapshotSource) -> None:
        """Start when the run begins; ``snapshot`` returns its counters at any time from any thread."""

    def on_event(self, event: AnyEvent) -> None: ...

    def on_record(self, record: LogRecord) -> None:
        """Show a log record that the user wants to see."""

    def stop(self) -> None:
        """End when the run is over, with all threads stopped. May be called again."""


class Narrator:
    """Selects the events that are worth a line: routine events only with ``verbose``, and only the first few rejects.
    ``prefix`` begins every line of the run: that it is a dry run, or nothing."""

    def __init__(self, *, verbose: bool) -> None:
        self.prefix = ""
        self._verbose = verbose
        self._several = False
        self._rejects = 0

    def sentence(self, event: AnyEvent) -> str | None:
        """Return the line for the event, or None."""
        if isinstance(event, RunStarted):
            self.prefix = DRY_RUN if event.dry_run else ""
            self._several = event.sources > 1
        sentence = self._sentence(event)
        return None if sentence is None else self.prefix + sentence

    def _sentence(self, event: AnyEvent) -> str | None:
        dry_run = bool(self.prefix)
        if self._verbose:
            return narrate(event, dry_run=dry_run, several=self._several)
        if isinstance(event, (*ROUTINE, Verified, RunFinished)):  # the summary says how the run ended
            return None
        if isinstance(event, RowRejected) and not event.worker:  # an earlier run has printed it
            return None
        if isinstance(event, RowRejected):
            self._rejects += 1
            if self._rejects == MAX_REJECT_LINES + 1:
                would = "would be " if dry_run else ""
                return f"{would}rejected: more rows; the summary counts them by reason"
            if self._rejects > MAX_REJECT_LINES:
                return None
        return narrate(event, dry_run=dry_run, several=self._several)


class LineProgress:
    """Progress without a terminal: a line for each event worth it, and a status line every ``period`` seconds."""

    def __init__(self, stream: TextIO, *, period: float = LINE_PERIOD, verbose: bool = False) -> None:
        self._out = SafeStream(stream)
        self._period = period
        self._narrator = Narrator(verbose=verbose)
        self._rates = RateWindow()
        self._name = SourceName()
        self._sampler: Sampler | None = None

    def start(self, snapshot: SnapshotSource) -> None:
        self._rates.add(snapshot())
        self._sampler = Sampler(snapshot, self._period, self.sample)

    def on_event(self, event: AnyEvent) -> None:
        self._name.on_event(event)
        sentence = self._narrator.sentence(event)
        if sentence is not None:
            self._out.line(sentence)

    def on_record(self, record: LogRecord) -> None:
        self._out.line(self._narrator.prefix + record_sentence(record))

    def sample(self, snapshot: Snapshot) -> None:
        """Write the periodic status line."""
        self._rates.add(snapshot)
        line = status_line(self._name.text, snapshot, self._rates.rate(), self._rates.eta())
        self._out.line(self._narrator.prefix + line)

    def stop(self) -> None:
        if self._sampler is not None:
            self._sampler.stop()


class PlainProgress:
    """Progress for screen readers: one sentence for each change of state; nothing is redrawn or repeated."""

    def __init__(self, stream: TextIO, *, verbose: bool = False) -> None:
        self._out = SafeStream(stream)
        self._narrator = Narrator(verbose=verbose)

    def start(self, snapshot: SnapshotSource) -> None:
        """Do nothing: only changes are printed."""

    def on_event(self, event: AnyEvent) -> None:
        sentence = self._narrator.sentence(event)
        if sentence is not None:
            self._out.line(f"{sentence[0].upper()}{sentence[1:]}.")

    def on_record(self, record: LogRecord) -> None:
        sentence = self._narrator.prefix + record_sentence(record)
        self._out.line(f"{sentence[0].upper()}{sentence[1:]}.")

    def stop(self) -> None:
        """Do nothing: there is no thread to stop."""


class QuietProgress:
    """No progress: a failure or a stop is reported at the end, with the exit code."""

    def start(self, snapshot: SnapshotSource) -> None:
        """Do nothing."""

    def on_event(self, event: AnyEvent) -> None:
        """Do nothing."""

    def on_record(self, record: LogRecord) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class JsonProgress:
    """Progress for programs: every event, and the counters every ``period`` seconds, as one JSON object per line.

    The objects are those of a recording (:mod:`tui_importer.recording.lines`).
    """

    def __init__(
        self, stream: TextIO, *, period: float = LINE_PERIOD, now: Callable[[], dt.datetime] = _utc_now
    ) -> None:
        self._out = SafeStream(stream)
        self._period = period
        self._now = now
        self._rates = RateWindow()
        self._run_id: str | None = None
        self._dry_run = False
        self._sampler: Sampler | None = None

    def start(self, snapshot: SnapshotSource) -> None:
        self._rates.add(snapshot())
        self._sampler = Sampler(snapshot, self._period, self.sample)

    def on_event(self, event: AnyEvent) -> None:
        if isinstance(event, RunStarted):
            self._run_id, self._dry_run = event.run_id, event.dry_run
        self._out.line(event_line(event, self._run_id, self._now(), dry_run=self._dry_run))

    def on_record(self, record: LogRecord) -> None:
        self._out.line(record_line(record, self._run_id, self._now(), dry_run=self._dry_run))

    def sample(self, snapshot: Snapshot) -> None:
        """Write the periodic counters."""
        self._rates.add(snapshot)
        speed = (self._rates.rate(), self._rates.eta())
        self._out.line(progress_line(snapshot, *speed, self._run_id, self._now(), dry_run=self._dry_run))

    def stop(self) -> None:
        if self._sampler is not None:
            self._sampler.stop()


def record_sentence(record: LogRecord) -> str:
    """Return a log record as one line, including its exception."""
    error = record.exc_info[1] if record.exc_info else None
    why = f": {type(error).__name__}: {error}" if error is not None else ""
    return f"{record.levelname.lower()}: {record.name}: {visible(record.getMessage() + why)}"


class SourceName:
    """The name of what is being imported: the file, later the sheet; of several sources, which one it is."""

    def __init__(self) -> None:
        self.text = "import"
        self._sources = 1

    def on_event(self, event: AnyEvent) -> None:
        """Take the name from the event, if it has one."""
        match event:
            case RunStarted():
                self._sources = event.sources
                self.text = event.file if event.sources == 1 else plural(event.sources, "source")
            case ImportStarted():
                self.text = f"{event.source} of {self._sources}, {PurePath(event.file).name}"
            case SourceOpened() if self._sources == 1:
                self.text = event.sheet
