"""The command ``tui-importer undo RUN``."""

from __future__ import annotations

import os
import sys

import click

from tui_importer.cli.options import database_in_environment
from tui_importer.console.lines import SafeStream
from tui_importer.console.terminals import on_a_terminal
from tui_importer.core.model.url import parse_address
from tui_importer.core.run.undo import Undoing, carry_out, look_up
from tui_importer.errors import ExitCode, UsageError
from tui_importer.plugins.connecting import connected
from tui_importer.recording.recordings import Recording, recordings_folder
from tui_importer.text.numbers import plural
from tui_importer.text.safe import visible


@click.command("undo", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.argument("run")
@click.option("--db", metavar="URL", help="The database (default: that of the run, if it needs no password).")
@click.option("--ledger-schema", metavar="NAME", help="PostgreSQL schema of the ledger's tables.")
@click.option(
    "--run-column", default="_run", show_default=True, metavar="COLUMN", help="Column that holds the id of the run."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def command(*, run: str, db: str | None, ledger_schema: str | None, run_column: str, yes: bool) -> int:
    """Take back what a run has put into its table.

    The rows have to say which run they are from: --lineage, or --set with {run}. How many there are is said first. The
    same file can be imported again afterwards.
    """
    address = parse_address(db or _database_of(run) or "")
    say = SafeStream(sys.stderr).line
    with connected(address, "undo") as backend:
        ledger = backend.ledger(ledger_schema)
        try:
            undoing = look_up(backend, ledger, run, run_column)
            for line in _lines(undoing, address.display):
                say(line)
            if not yes and not _confirmed(undoing):
                say("nothing was changed")
                return ExitCode.OK
            rows = carry_out(ledger, undoing)
        finally:
            ledger.close()
    say(f"{plural(rows, 'row')} taken out of table {visible(undoing.table.qualified_name)}")
    return ExitCode.OK


def _lines(undoing: Undoing, database: str) -> list[str]:
    table = f"table {visible(undoing.table.qualified_name)} of {visible(database)}"
    runs = ", ".join(each.run_id for each in undoing.runs)
    latest = undoing.runs[0]
    lines = [f"{visible(latest.file)} › {visible(latest.sheet)} was imported into {table} by run {runs}"]
    if undoing.rows != undoing.inserted:
        lines.append(f"of the {plural(undoing.inserted, 'row')} that it put in, {undoing.rows:,} are there")
    return lines


def _confirmed(undoing: Undoing) -> bool:
    """Ask on a terminal. Raises :class:`UsageError` without one."""
    rows, table = plural(undoing.rows, "row"), visible(undoing.table.qualified_name)
    if not on_a_terminal():
        raise UsageError(f"this takes {rows} out of table {table}: --yes does it")
    return click.confirm(f"take {rows} out of table {table}?", err=True)


def _database_of(run: str) -> str | None:
    """The database that the environment names, or that of the run if it is recorded here."""
    if (named := database_in_environment(os.environ)) is not None:
        return named
    begun = Recording(recordings_folder() / run.partition(".")[0]).first("run_started")
    if begun is None:
        raise UsageError(f"run {run} is not recorded here: name its database with --db")
    return str(begun["target"])
