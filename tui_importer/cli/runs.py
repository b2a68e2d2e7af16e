"""The command ``tui-importer runs``."""

from __future__ import annotations

from collections.abc import Sequence

import click
import msgspec

from tui_importer.core.model.url import parse_address
from tui_importer.plugins.connecting import connected
from tui_importer.recording.listing import ListedRun, columns_of, listed, listed_in
from tui_importer.recording.recordings import prune, recordings_folder
from tui_importer.text.safe import visible

_DAY = 86_400.0


@click.command("runs", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.option("--db", metavar="URL", help="Ask the ledger of this database (default: this user's recordings).")
@click.option("--ledger-schema", metavar="NAME", help="PostgreSQL schema of the ledger's tables.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="List at most this many runs.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--prune", "pruning", is_flag=True, help="Remove old recordings of runs that have ended.")
@click.option(
    "--older-than", type=click.FloatRange(0), default=30.0, show_default=True, metavar="DAYS", help="With --prune."
)
def command(
    *, db: str | None, ledger_schema: str | None, limit: int, as_json: bool, pruning: bool, older_than: float
) -> None:
    """List runs: their state and counts, and how to resume those that did not finish.

    A run is described in the same words with --db and without. If it died, its recording
    knows only a minimum of its rows ("4,000+"). Rows of earlier runs count as skipped.
    """
    if pruning:
        removed = prune(recordings_folder(), older_than * _DAY)
        click.echo(f"removed {removed} recording{'' if removed == 1 else 's'}")
        return
    lines = listed(recordings_folder(), limit) if db is None else _of_ledger(db, ledger_schema, limit)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(lines), indent=2))
        return
    for text in _table(lines):
        click.echo(text)


def _of_ledger(db: str, schema: str | None, limit: int) -> list[ListedRun]:
    address = parse_address(db)
    with connected(address, "runs") as backend:
        return listed_in(backend.ledger(schema), address.display, recordings_folder(), limit)


def _table(lines: Sequence[ListedRun]) -> list[str]:
    if not lines:
        return ["no runs"]
    counts = columns_of(lines)
    rows = [("RUN", "STATE", *(name.upper() for name, _ in counts), "WHAT")]
    for line, *numbers in zip(lines, *(texts for _, texts in counts), strict=True):
        what = " · ".join(filter(None, (visible(line.database), visible(line.table))))
        rows.append((visible(line.run_id), line.state, *numbers, f"{visible(line.file)} → {what}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    shown = []
    for row, line in zip(rows, (None, *lines), strict=True):
        cells = [
            text.rjust(width) if 2 <= place < 2 + len(counts) else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        shown.append("  ".join(cells).rstrip())
        if line is not None and line.resume:
            shown.append(f"  to resume it: {visible(line.resume)}")
    return shown
