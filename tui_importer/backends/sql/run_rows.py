"""Runs as rows of the ledger's table of runs."""

from __future__ import annotations

import datetime as dt
import os
import socket
from collections.abc import Mapping
from typing import Any

import msgspec

from tui_importer.backends.sql.database import SqlConnection
from tui_importer.backends.sql.dialects import Part
from tui_importer.backends.sql.ledger_tables import COUNTS, LedgerSql, LedgerTables, ascii_json, storable
from tui_importer.backends.sql.processes import is_alive, process_id, ran_here
from tui_importer.core.model.plan import ColumnPlan
from tui_importer.core.writing.ledger import LEDGER_VERSION, Counts, NewRun, PastRun, RunState

#: The columns of a run, in the order in which they are read.
_COLUMNS = tuple(column.name for column in LedgerTables.of(None).run.columns)

#: Seconds after its last sign of life at which a run on another machine counts as dead: its process cannot be checked.
STALE_SECONDS = 600


def select_runs(
    connection: SqlConnection,
    ledger: LedgerSql,
    condition: str,
    values: Mapping[str, Any],
    limit: int | None = None,
    **parts: Part,
) -> list[Mapping[str, Any]]:
    """The runs for which a condition holds, each as the columns of its row."""
    template = f"SELECT {{columns}} FROM {{run}} WHERE {condition}"
    query: str = ledger.compose(template, columns=_COLUMNS, **parts)
    if limit is not None:
        query = ledger.dialect.limited(query, limit)
    return [dict(zip(_COLUMNS, row, strict=True)) for row in connection.rows(query, values)]


def is_live(connection: SqlConnection, ledger: LedgerSql, run: Mapping[str, Any]) -> bool:
    """Whether the run's process is alive: the operating system is asked if it ran on this machine."""
    if ran_here(run["host"], run["process"]):
        return is_alive(str(run["process"]), str(run["run_id"]))
    template = "SELECT MAX(committed_at), CURRENT_TIMESTAMP FROM {batch} WHERE run_id = :run_id"
    [(last, now)] = connection.rows(ledger.compose(template), {"run_id": run["run_id"]})
    return bool((utc(now) - utc(last or run["started_at"])).total_seconds() < STALE_SECONDS)


def new_row(run: NewRun, codec: str) -> dict[str, Any]:
    """The row of a run that begins; ``codec`` as for :func:`~tui_importer.backends.sql.ledger_tables.storable`."""
    return {
        "run_id": run.run_id,
        "ledger_version": LEDGER_VERSION,
        "import_id": run.import_id,
        "round": run.generation,
        "claim": run.import_id,
        "state": RunState.RUNNING.value,
        "file": storable(run.file, codec),
        "sha256": run.sha256,
        "sheet": storable(run.sheet, codec),
        "extent": run.extent,
        "request": run.request,
        "mapping": run.mapping,
        "columns": ascii_json(run.columns),
        "target_table": run.table,
        "row_limit": run.row_limit,
        "atomic": run.atomic,
        "created_table": run.created_table,
        "strategy": run.strategy,
        "host": socket.gethostname(),
        "process": process_id(os.getpid()) or str(os.getpid()),
        "command": None if run.command is None else storable(run.command, codec),
        **dict.fromkeys(COUNTS, 0),
        "blank_rows": 0,
        "published": False,
    }


def past_run(row: Mapping[str, Any]) -> PastRun:
    """The run that a row describes."""
    return PastRun(
        run_id=row["run_id"],
        import_id=row["import_id"],
        generation=row["round"],
        state=RunState(row["state"]),
        file=row["file"],
        sha256=row["sha256"],
        sheet=row["sheet"],
        extent=row["extent"],
        request=row["request"],
        mapping=row["mapping"],
        columns=msgspec.json.decode(row["columns"], type=tuple[ColumnPlan, ...]),
        table=row["target_table"],
        row_limit=row["row_limit"],
        atomic=bool(row["atomic"]),
        created_table=bool(row["created_table"]),
        host=row["host"],
        process=row["process"],
        strategy=row["strategy"],
        command=row["command"],
        started_at=_moment(row["started_at"]) or "",
        finished_at=_moment(row["finished_at"]),
        counts=Counts(*(row[name] for name in COUNTS)),
        blank_rows=row["blank_rows"],
        error=row["error"],
        before=row["before_checksums"],
        published=bool(row["published"]),
    )


def _moment(value: Any) -> str | None:
    """A database timestamp as RFC 3339 in UTC, to the second."""
    return None if value is None else utc(value).isoformat(timespec="seconds").replace("+00:00", "Z")


def utc(value: dt.datetime | str) -> dt.datetime:
    """A database timestamp in UTC; SQLite has none but text."""
    moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)  # SQLite's CURRENT_TIMESTAMP is UTC
    return aware.astimezone(dt.UTC)
