"""The options for how a folder is watched, which ``watch`` and ``serve`` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from tui_importer.cli.option_types import Number
from tui_importer.cli.options import Command
from tui_importer.process.watched_folder import MIN_PERIOD, WatchOptions

_DEFAULTS = WatchOptions()


def watch_options(prefix: str = "", where: str = "") -> Callable[[Command], Command]:
    """Add the options, with names that begin with ``prefix``; ``where`` says what the folders are relative to."""
    options = (
        click.option(
            f"--{prefix}pattern",
            "watch_patterns",
            multiple=True,
            metavar="GLOB",
            help="Only files that match this pattern (repeatable).",
        ),
        click.option(
            f"--{prefix}settle",
            "watch_settle",
            type=Number(0),
            default=_DEFAULTS.settle,
            show_default=True,
            metavar="S",
            help="Import a file once it has not changed for this long.",
        ),
        click.option(
            f"--{prefix}every",
            "watch_every",
            type=Number(MIN_PERIOD),
            default=_DEFAULTS.every,
            show_default=True,
            metavar="S",
            help="Time between two looks into the folder.",
        ),
        click.option(
            f"--{prefix}done", "watch_done", metavar="FOLDER", help=f"Move files there that are imported{where}."
        ),
        click.option(
            f"--{prefix}failed",
            "watch_failed",
            metavar="FOLDER",
            help=f"Move files there that cannot be imported{where}.",
        ),
    )

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def watch_options_of(given: Mapping[str, Any]) -> WatchOptions:
    """The options as they were typed."""
    return WatchOptions(
        patterns=given["watch_patterns"],
        settle=given["watch_settle"],
        every=given["watch_every"],
        done=given["watch_done"],
        failed=given["watch_failed"],
    )
