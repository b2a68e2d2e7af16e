"""The command ``tui-importer undo RUN``."""

from __future__ import annotations

import os
import sys

import click

from tui_importer.cli.plan import database_in_environment
from tui_importer.console.lines import SafeStream
from tui_importer.console.terminals import on_a_terminal
from tui_importer.core.model.url import parse_address
from tui_importer.core.run.undo import Undoing
from tui_importer.errors import ExitCode, UsageError
from tui_importer.text.numbers import plural
from tui_importer.text.safe import visible
from tui_importer.undo import recorded_database, undo_run


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

    The rows have to say which run they are from: --lineage, or --set with {run}. Their number is shown first. The same
    file can be imported again afterwards.
    """
    database = db or database_in_environment(os.environ) or recorded_database(run)
    say = SafeStream(sys.stderr).line
    undone: list[Undoing] = []

    def confirm(undoing: Undoing) -> bool:
        for line in _lines(undoing, parse_address(database).display):
            say(line)
        undone.append(undoing)
        return yes or _confirmed(undoing)

    rows = undo_run(run, database, confirm=confirm, ledger_schema=ledger_schema, run_column=run_column)
    if rows is None:
        say("nothing was changed")
    else:
        say(f"{plural(rows, 'row')} taken out of table {visible(undone[0].table.qualified_name)}")
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
