"""The format of a run's events in recordings and logs: one JSON object per line.

Each line has ``v`` (the version of the format), ``ts`` (UTC, RFC 3339), ``level``, ``run_id`` and ``event``, the
event's own fields, and ``dry_run`` (true) if the run writes nothing. ``progress`` lines hold the counters at one
moment, ``reject_groups`` lines the rejects so far by column and reason. Lines are ASCII: no cell can send control
characters to a terminal, and no text is lost.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

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

#: Increased when a program that knows an older version could misread a line. Lines of version 1 can still be read.
LINE_VERSION = 2

#: The ``event`` of lines with counters.
PROGRESS = "progress"
#: The ``event`` of lines with log records.
LOGGED = "logged"
#: The ``event`` of lines with grouped rejects.
REJECT_GROUPS = "reject_groups"

Level = Literal["info", "warning", "error"]


class Line(msgspec.Struct, frozen=True):
    """A decoded line. ``at`` is its time in seconds since the epoch; ``what`` is the event, the counters (whose own
    ``at`` is the line's) or the groups of rejects."""

    at: float
    what: AnyEvent | Snapshot | tuple[ReasonGroup, ...]


def event_line(event: AnyEvent, run_id: str | None, moment: dt.datetime, *, dry_run: bool = False) -> str:
    """Encode an event as a line, without a line break."""
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
    """Encode the counters as a line, without a line break.

    Of several sources, it has those that are being imported: with all of hundreds, each line would be long.
    """
    sources = tuple(source for source in snapshot.sources if source.active)
    counters = msgspec.to_builtins(replace(snapshot, sources=sources))
    del counters["at"]  # monotonic, so meaningless outside of the process
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
    """Encode the groups of rejects as a line, without a line break."""
    fields = {"event": REJECT_GROUPS, "groups": msgspec.to_builtins(groups)}
    return _line(moment, "info", run_id, fields, dry_run=dry_run)


def record_line(record: logging.LogRecord, run_id: str | None, moment: dt.datetime, *, dry_run: bool = False) -> str:
    """Encode a log record as a line, without a line break; recordings have none."""
    error = record.exc_info[1] if record.exc_info else None
    fields: dict[str, object] = {"event": LOGGED, "logger": record.name, "message": record.getMessage()}
    if error is not None:
        fields["error"] = f"{type(error).__name__}: {error}"
    return _line(moment, record.levelname.lower(), run_id, fields, dry_run=dry_run)


def decode_line(data: bytes) -> Line | None:
    """Decode a line; None for one that is incomplete, or of an unknown event or a later version."""
    try:
        fields = json.loads(data)
        if fields["v"] > LINE_VERSION:
            return None
        at = dt.datetime.fromisoformat(fields["ts"]).timestamp()
        return Line(at, _decoded(_current(fields), at))
    except (ValueError, TypeError, KeyError, RecursionError, msgspec.ValidationError):
        return None


def _current(fields: dict[str, Any]) -> dict[str, Any]:
    """Convert a line's fields to the current version."""
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


#: Outcomes of runs that ended with a warning, or can be resumed.
_WARNINGS = frozenset({"complete_with_rejects", "complete_with_suppressed", "stopped"})


def level(event: AnyEvent) -> Level:
    """The severity of an event: ``info``, ``warning`` or ``error``."""
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
