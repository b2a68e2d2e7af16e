"""The form in which a run's events are written down: one JSON object a line, in recordings and in logs alike.

Each line has ``v`` (the form's version), ``ts`` (UTC, RFC 3339), ``level``, ``run_id`` and ``event``, beside the
event's own fields, and ``dry_run`` (true) where the run writes nothing. ``progress`` lines are the counters at one
moment, ``reject_groups`` lines the rejects so far by column and reason. Lines are ASCII: nothing in a cell can reach a
terminal, and no text is lost on the way.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from tui_importer.core.model.counters import Snapshot, progress
from tui_importer.core.model.report import ReasonGroup
from tui_importer.core.model.times import rfc3339
from tui_importer.errors import ExitCode
from tui_importer.events import (
    AnyEvent,
    Retrying,
    RowRejected,
    RunFinished,
    StatementDelayed,
    Stopping,
    WorkerFailed,
)

#: Raised when a line could be misread by a program that knows an older one. Lines of version 1 are read as well.
LINE_VERSION = 2

#: What the lines with counters have for an event.
PROGRESS = "progress"
#: What the lines with log records have for an event.
LOGGED = "logged"
#: What the lines with grouped rejects have for an event.
REJECT_GROUPS = "reject_groups"

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was read back. ``at`` is its time in seconds since the epoch; ``what`` is the event, the counters
    (whose own ``at`` is the line's) or the groups of rejects."""

    at: float
    what: AnyEvent | Snapshot | tuple[ReasonGroup, ...]


def event_line(event: AnyEvent, run_id: str | None, moment: dt.datetime, *, dry_run: bool = False) -> str:
    """The event as a line, without a line break."""
    return _line(moment, level(event), run_id, msgspec.to_builtins(event), dry_run=dry_run)


def progress_line(
    snapshot: Snapshot,
    rows_per_second: float,
    eta_seconds: float | None,
    run_id: str | None,
    moment: dt.datetime,
    *,
    dry_run: bool = False,
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
        dry_run=dry_run,
    )


def groups_line(
    groups: Sequence[ReasonGroup], run_id: str | None, moment: dt.datetime, *, dry_run: bool = False
) -> str:
    """The rejects by column and reason as a line, without a line break."""
    fields = {"event": REJECT_GROUPS, "groups": msgspec.to_builtins(groups)}
    return _line(moment, "info", run_id, fields, dry_run=dry_run)


def record_line(record: logging.LogRecord, run_id: str | None, moment: dt.datetime, *, dry_run: bool = False) -> str:
    """A log record as a line, without a line break; it is in no recording."""
    error = record.exc_info[1] if record.exc_info else None
    fields: dict[str, object] = {"event": LOGGED, "logger": record.name, "message": record.getMessage()}
    if error is not None:
        fields["error"] = f"{type(error).__name__}: {error}"
    return _line(moment, record.levelname.lower(), run_id, fields, dry_run=dry_run)


def decode_line(data: bytes) -> Line | None:
    """A line as it was said; None for one that is torn, or from a program that says what this one does not know."""
    try:
        fields = json.loads(data)
        if fields["v"] > LINE_VERSION:
            return None
        at = dt.datetime.fromisoformat(fields["ts"]).timestamp()
        return Line(at, _decoded(_current(fields), at))
    except (ValueError, TypeError, KeyError, RecursionError, msgspec.ValidationError):
        return None


def _current(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a line in the form of the current version."""
    if fields["v"] >= LINE_VERSION:
        return fields
    match fields["event"]:
        case "continued":
            return {**fields, "event": "unpaused"}
        case "stopping":
            return {**fields, "aborting": fields["at_once"]}
        case _:
            return fields


def _decoded(fields: dict[str, Any], at: float) -> AnyEvent | Snapshot | tuple[ReasonGroup, ...]:
    match fields["event"]:
        case "progress":
            return msgspec.convert({**fields, "at": at}, Snapshot)
        case "reject_groups":
            return msgspec.convert(fields["groups"], tuple[ReasonGroup, ...])
        case _:
            event: AnyEvent = msgspec.convert(fields, AnyEvent)
            return event


#: Outcomes of a run that came to an end, or can be taken to one.
_WARNINGS = frozenset({"complete_with_rejects", "complete_with_suppressed", "stopped"})


def level(event: AnyEvent) -> Level:
    """How grave an event is: ``info``, ``warning`` or ``error``."""
    match event:
        case WorkerFailed():
            return "error"
        case RowRejected() | Stopping() | Retrying() | StatementDelayed():
            return "warning"
        case RunFinished(exit_code=code) if code != ExitCode.OK:
            return "warning" if event.outcome in _WARNINGS else "error"
        case _:
            return "info"


def _line(moment: dt.datetime, severity: str, run_id: str | None, fields: dict[str, object], *, dry_run: bool) -> str:
    dry: dict[str, object] = {"dry_run": True} if dry_run else {}
    return json.dumps({"v": LINE_VERSION, "ts": rfc3339(moment), "level": severity, "run_id": run_id, **fields, **dry})
