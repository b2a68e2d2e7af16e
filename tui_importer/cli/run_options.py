"""The options for how imports are carried out, which all commands that import share."""

from __future__ import annotations

import click

from tui_importer.cli.option_types import CountOrAuto
from tui_importer.cli.options import Command


def run_options(command: Command) -> Command:
    """Add the options for strategy, workers, limits and rejects."""
    for option in reversed(
        (
            click.option(
                "--strategy", metavar="NAME", help="sequential, threaded, batched (default), async, or a plugin's."
            ),
            click.option(
                "--executor",
                metavar="NAME",
                help="What carries out several imports: sequential, processes, a plugin's.",
            ),
            click.option(
                "--jobs", type=CountOrAuto(), help="Number of imports carried out side by side, in local processes."
            ),
            click.option("--workers", type=CountOrAuto(), help="Number of connections that write side by side."),
            click.option("--batch-size", type=CountOrAuto(), help="Number of rows in a batch."),
            click.option("--max-rejects", metavar="N|P%", help="Stop when more rows than that are rejected."),
            click.option(
                "--max-rate",
                type=click.FloatRange(0, min_open=True),
                metavar="ROWS/S",
                help="Limit the rate, to spare a busy database.",
            ),
            click.option(
                "--timeout", type=click.FloatRange(0, min_open=True), metavar="S", help="Abort after this many seconds."
            ),
            click.option(
                "--retry-for",
                type=click.FloatRange(0),
                metavar="S",
                help="How long to retry after transient errors (default: 300).",
            ),
            click.option(
                "--stall-timeout",
                type=click.FloatRange(0),
                metavar="S",
                help="Give up a connection that is silent for this long (default: 60; 0: never).",
            ),
            click.option("--atomic", is_flag=True, default=None, help="Show the rows all at once, or none of them."),
            click.option(
                "--verify", is_flag=True, default=None, help="Compare checksums of source and table at the end."
            ),
            click.option(
                "--before", metavar="FILE.sql", help="Execute a script once, before the first row (see the manual)."
            ),
            click.option("--after", metavar="FILE.sql", help="Execute a script once, after the last row."),
            click.option("--comment", metavar="TEXT", help="Comment of a table that is created."),
            click.option(
                "--rejects-ok", is_flag=True, default=None, help="End with 0 instead of 3 if rows were rejected."
            ),
        )
    ):
        command = option(command)
    return command
