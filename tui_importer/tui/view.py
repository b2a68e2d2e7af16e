"""The view of a run at one moment: an immutable picture, shared by all widgets.

Nothing here draws or depends on a terminal.
"""

from __future__ import annotations

from enum import Enum, StrEnum

import msgspec

from tui_importer.core.model.counters import Snapshot, SourceSnapshot, WorkerState
from tui_importer.core.model.report import ReasonGroup, Report
from tui_importer.recording.lines import Level
from tui_importer.tui.history import History


class State(StrEnum):
    """The state of a run in one word."""

    STARTING = "STARTING"
    READING = "READING"
    LOADING = "LOADING"
    RETRYING = "RETRYING"
    PAUSED = "PAUSED"
    STOPPING = "STOPPING"
    ABORTING = "ABORTING"
    INDEXING = "INDEXING"
    FINISHING = "FINISHING"
    DONE = "DONE"
    REJECTS = "DONE WITH REJECTS"
    SUPPRESSED = "DONE, NOT ALL IN"
    ALREADY = "ALREADY IMPORTED"
    STOPPED = "STOPPED"
    FAILED = "FAILED"
    DIED = "DIED"

    @property
    def over(self) -> bool:
        """Whether the run has ended, in any way."""
        return self in _OVER


_OVER = frozenset({State.DONE, State.REJECTS, State.SUPPRESSED, State.ALREADY, State.STOPPED, State.FAILED, State.DIED})


class Bound(Enum):
    """What limits the speed of a run."""

    NOTHING = "nothing"
    UNKNOWN = "not known yet"
    LIMIT = "--max-rate"
    READER = "reader"
    BALANCED = "neither"
    DATABASE = "database"


class WorkerView(msgspec.Struct, frozen=True):
    """One worker. ``name`` is its number, in a run of several sources after that of its source and a dot. ``spark`` are
    its rows per second, second by second; ``retry_in`` the seconds to its next attempt; ``trouble`` why it retries,
    failed or is blocked."""

    name: str
    state: WorkerState
    first_row: int | None
    last_row: int | None
    done: int
    rejected: int
    retries: int
    batch_seconds: float
    rate: float
    spark: tuple[float, ...]
    attempt: int = 0
    retry_in: float | None = None
    trouble: str | None = None


class LogLine(msgspec.Struct, frozen=True):
    """An event in words. ``routine`` events recur throughout the run."""

    at: float
    level: Level
    text: str
    routine: bool


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A run at one moment. Times are seconds since the epoch; rates are rows per second.

    In a run of several ``sources``, ``source`` is the number of the one that is being imported (0 before the first,
    after the last, and while there are several), ``file``, ``sheet``, ``target`` and ``table`` are of it, and
    ``source_counters`` too. Everything else is of the whole run.
    """

    run_id: str = ""
    dry_run: bool = False
    state: State = State.STARTING
    sources: int = 1
    source: int = 1
    source_counters: SourceSnapshot | None = None
    file: str = ""
    sheet: str | None = None
    target: str = ""
    table: str = ""
    strategy: str = ""
    batch_size: int = 0
    seconds: float = 0.0
    counters: Snapshot = msgspec.field(default_factory=lambda: Snapshot(at=0.0))
    now: float = 0.0
    mean: float = 0.0
    peak: float = 0.0
    seconds_left: float | None = None
    bound: Bound = Bound.UNKNOWN
    queue: float = 0.0
    history: History = msgspec.field(default_factory=History)
    workers: tuple[WorkerView, ...] = ()
    groups: tuple[ReasonGroup, ...] = ()
    log: tuple[LogLine, ...] = ()
    trouble: str | None = None
    report: Report | None = None


def word_of(state: WorkerState, *, dry_run: bool) -> str:
    """Return the worker's state in a word; in a dry run no worker writes."""
    return "checking" if dry_run and state in (WorkerState.WRITING, WorkerState.COMMITTING) else state.value
