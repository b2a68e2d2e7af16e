"""Options that several commands share: which rows of the file, and where they go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click

from tui_importer.cli.option_types import Pair, ValueOfColumn, ValueToSet
from tui_importer.core.model.plan import ExtraColumns, Totals, UnknownCells
from tui_importer.core.model.write_mode import OnConflict, WriteKind

Command = TypeVar("Command", bound=Callable[..., Any])


def source_options(command: Command) -> Command:
    """Add the options that select rows of the file."""
    for option in reversed(
        (
            click.option(
                "--sheet",
                "sheets",
                multiple=True,
                metavar="NAME|N|GLOB|all",
                help="Sheet by name, number or pattern, or all of them (repeatable; default: the first with a table).",
            ),
            click.option("--range", metavar="A5:F900", help="Part of the sheet, header included."),
            click.option("--header-row", type=click.IntRange(1), metavar="N", help="Sheet row of the header."),
            click.option("--no-header", is_flag=True, help="The sheet has no header."),
            click.option(
                "--totals", type=click.Choice(get_args(Totals)), help="Leave out a totals row (default), or import it."
            ),
            click.option("--reader", metavar="NAME", help="Reader plugin (default: by the file's suffix)."),
            click.option("--limit", type=click.IntRange(1), metavar="ROWS", help="Read at most this many rows."),
            click.option("--encoding", metavar="NAME", help="Encoding of delimited text that is not UTF-8 or UTF-16."),
            click.option("--delimiter", metavar="CHAR", help="Delimiter of delimited text, or a word: tab, semicolon."),
            click.option("--quote", metavar="CHAR", help="Quote of delimited text, or a word: double, single, none."),
        )
    ):
        command = option(command)
    return command


def target_options(command: Command) -> Command:
    """Add the options for the database and the mapping of columns."""
    for option in reversed(
        (
            click.option(
                "--db",
                metavar="URL",
                help="Database: a URL, libpq's host=... dbname=..., or a path for SQLite. Default: TUI_IMPORTER_DB, "
                "DATABASE_URL, else an SQLite file named after the source.",
            ),
            click.option(
                "--table",
                metavar="NAME",
                help="Target table, also with {file} and {sheet} (default: by schema or sheet, one for the same "
                "columns).",
            ),
            click.option(
                "--schema",
                metavar="auto|infer|NAME|plan.toml",
                help="Where columns and types come from (default: auto).",
            ),
            click.option("--type", "types", type=Pair("COLUMN=TYPE"), multiple=True, help="Override a column's type."),
            click.option(
                "--rename",
                type=Pair("A=b", ", a header and the name of a column"),
                multiple=True,
                help="Name of a column in the table, by its header.",
            ),
            click.option(
                "--set",
                "set_",
                type=ValueToSet(),
                multiple=True,
                help="Add a column with this value; {file}, {sheet}, {row} and {run} say where a row is from.",
            ),
            click.option(
                "--lineage",
                is_flag=True,
                default=None,
                help="Add columns that say where a row is from: _file, _sheet, _row and _run.",
            ),
            click.option(
                "--extra-columns",
                type=click.Choice(get_args(ExtraColumns)),
                help="Columns that the table does not have: fail (default), leave them out, or add them to the table.",
            ),
            click.option("--skip", multiple=True, metavar="COLUMN", help="Leave a column out."),
            *(
                click.option(f"--{name.replace('_', '-')}", name, type=ValueOfColumn(), multiple=True, help=text)
                for name, text in _FORMAT_HELP.items()
            ),
            click.option("--round", "round_", is_flag=True, help="Round numbers with more decimals than their column."),
            click.option("--round-column", multiple=True, metavar="COLUMN", help="The same for one column."),
            click.option(
                "--error-cells",
                type=click.Choice(get_args(UnknownCells)),
                help="What becomes of cells like #N/A (default: reject the row).",
            ),
            click.option(
                "--uncalculated",
                type=click.Choice(get_args(UnknownCells)),
                help="What becomes of formulas without a value (default: reject the row).",
            ),
            click.option("--mode", type=click.Choice([kind.value for kind in WriteKind]), help=_modes_help()),
            click.option("--key", multiple=True, metavar="COLUMN", help="Column that identifies a row (repeatable)."),
            click.option(
                "--on-conflict", type=click.Choice([each.value for each in OnConflict]), help=_conflicts_help()
            ),
            click.option(
                "--update",
                multiple=True,
                metavar="COLUMN",
                help="Column that an upsert updates (repeatable; default: all but the key).",
            ),
            click.option(
                "--create-schema", is_flag=True, default=None, help="Create the schema of a new table if it is missing."
            ),
            click.option("--ledger-schema", metavar="NAME", help="PostgreSQL schema for the ledger's tables."),
            click.option(
                "--connect-timeout",
                type=click.FloatRange(0, min_open=True),
                metavar="S",
                help="How long to wait for a connection (default: 10 s).",
            ),
        )
    ):
        command = option(command)
    return command


#: What each field of a format that can be given does.
_FORMAT_HELP = {
    "date_format": "How dates are written: DD.MM.YYYY, %m/%d/%y, or an order: dmy.",
    "decimal_mark": "A point or a comma; all other marks in numbers separate thousands.",
    "null_if": "A word that stands for NULL (repeatable).",
    "true_words": "A word for true (repeatable).",
    "false_words": "A word for false (repeatable).",
}


def _modes_help() -> str:
    """What each write mode does."""
    return f"{'; '.join(f'{kind.value}: {kind.summary}' for kind in WriteKind)} (default: {WriteKind.APPEND})."


def _conflicts_help() -> str:
    """What happens to a row whose key is there already."""
    choices = "; ".join(f"{each.value}: {each.summary}" for each in OnConflict)
    return f"A row whose key is there already. {choices} (default: update for an upsert, skip with --key, else error)."
