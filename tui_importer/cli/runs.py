"""``tui-importer runs``"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import click
import msgspec

from tui_importer.console.safe import visible
from tui_importer.core.ledger import PastRun, RunState
from tui_importer.core.session import ConnectionSettings
from tui_importer.core.url import parse_address
from tui_importer.plugins.registry import load_registry
from tui_importer.recording.folders import prune, recordings_folder
from tui_importer.recording.listing import ListedRun, listed

_DAY = 86_400.0


@click.command("runs", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.option("--db", metavar="URL", help="Ask the ledger of this database (default: this user's recordings).")
@click.option("--ledger-schema", metavar="NAME", help="PostgreSQL schema of the ledger's tables.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="So many runs at most.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--prune", "pruning", is_flag=True, help="Remove old recordings of runs that have ended.")
@click.option(
    "--older-than", type=click.FloatRange(0), default=30.0, show_default=True, metavar="DAYS", help="With --prune."
)
def command(
    *, db: str | None, ledger_schema: str | None, limit: int, as_json: bool, pruning: bool, older_than: float
) -> None:
    """List runs: their state and counts, and how to go on with those that did not finish."""
    if pruning:
        removed = prune(recordings_folder(), older_than * _DAY)
        click.echo(f"removed {removed} recording{'' if removed == 1 else 's'}")
        return
    lines = listed(recordings_folder(), limit) if db is None else _of_ledger(db, ledger_schema, limit)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode([asdict(line) for line in lines]), indent=2))
        return
    for text in _table(lines):
        click.echo(text)


def _of_ledger(db: str, schema: str | None, limit: int) -> list[ListedRun]:
    registry, address = load_registry(), parse_address(db)
    spec = registry.backend_for(address.scheme)
    backend = registry.make_backend(spec.name, ConnectionSettings(address.text, "tui_importer/runs", 10.0))
    try:
        backend.connect()
        return [_of_past(past) for past in backend.ledger(schema).runs(limit)]
    finally:
        backend.close()


def _of_past(past: PastRun) -> ListedRun:
    counts = past.counts
    ended = past.state in (RunState.COMPLETE, RunState.SUPERSEDED)
    return ListedRun(
        run_id=past.run_id,
        # The ledger is not told of a death; the next run finds out.
        state="running or died" if past.state is RunState.RUNNING else past.state.value,
        started_at=past.started_at,
        file=past.file,
        table=past.table,
        read=counts.rows if past.finished_at else None,
        inserted=counts.inserted if past.finished_at else None,
        rejected=counts.rejected if past.finished_at else None,
        resume=None if ended else past.command,
    )


def _table(lines: Sequence[ListedRun]) -> list[str]:
    if not lines:
        return ["no runs"]
    number: Callable[[Any], str] = lambda value: "" if value is None else f"{value:,}"  # noqa: E731
    rows = [("RUN", "STATE", "READ", "INSERTED", "REJECTED", "WHAT")]
    rows += [
        (
            visible(line.run_id),
            line.state,
            number(line.read),
            number(line.inserted),
            number(line.rejected),
            f"{visible(line.file)} → {visible(line.table)}",
        )
        for line in lines
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    shown = []
    for row, line in zip(rows, (None, *lines), strict=True):
        cells = [
            text.rjust(width) if 2 <= place <= 4 else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        shown.append("  ".join(cells).rstrip())
        if line is not None and line.resume:
            shown.append(f"  to go on: {visible(line.resume)}")
    return shown
