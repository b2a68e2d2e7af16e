"""The form in which a run's events are written down: one JSON object a line, in recordings and in logs alike.

Each line has ``v`` (the form's version), ``ts`` (UTC, RFC 3339), ``level``, ``run_id`` and ``event``, beside the
event's own fields. ``progress`` lines are the counters at one moment. Lines are ASCII: nothing in a cell can reach a
terminal, and no text is lost on the way.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Literal

import msgspec

from tui_importer.core.counters import Snapshot, progress
from tui_importer.errors import ExitCode
from tui_importer.events import AnyEvent, Retrying, RowRejected, RunFinished, Stopping, WorkerFailed

#: Raised when a line could be misread by a program that knows an older one.
LINE_VERSION = 1

#: What the lines with counters have for an event.
PROGRESS = "progress"

Level = Literal["info", "warning", "error"]


def event_line(event: AnyEvent, run_id: str | None, moment: dt.datetime) -> str:
    """The event as a line, without a line break."""
    return _line(moment, level(event), run_id, msgspec.to_builtins(event))


def progress_line(
    snapshot: Snapshot, rows_per_second: float, eta_seconds: float | None, run_id: str | None, moment: dt.datetime
) -> str:
    """The counters as a line, without a line break."""
    counters = msgspec.to_builtins(snapshot)
    del counters["at"]  # a monotonic clock's reading means nothing outside the process
    share = progress(snapshot)
    return _line(
        moment,
        "info",
        run_id,
        {
            "event": PROGRESS,
            **counters,
            "finished": snapshot.finished,
            "progress": None if share is None else round(share, 4),
            "rows_per_second": round(rows_per_second, 1),
            "eta_seconds": None if eta_seconds is None else round(eta_seconds, 1),
        },
    )


def level(event: AnyEvent) -> Level:
    """How grave an event is: ``info``, ``warning`` or ``error``."""
    match event:
        case WorkerFailed():
            return "error"
        case RowRejected() | Stopping() | Retrying():
            return "warning"
        case RunFinished(exit_code=code) if code != ExitCode.OK:
            return "warning" if event.outcome in {"complete_with_rejects", "stopped"} else "error"
        case _:
            return "info"


def _line(moment: dt.datetime, severity: Level, run_id: str | None, fields: dict[str, object]) -> str:
    time = moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"v": LINE_VERSION, "ts": time, "level": severity, "run_id": run_id, **fields})
