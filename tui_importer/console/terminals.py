"""Detects whether there is a terminal to draw on."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TextIO

#: Names Textual's driver if it draws on something that is not a terminal.
DRIVER_VARIABLE = "TEXTUAL_DRIVER"


def draws_on(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Return whether a line on this stream can be redrawn: it is a terminal, not a dumb one, and not the log of a CI
    job."""
    try:
        terminal = stream.isatty()
    except (OSError, ValueError):
        return False
    return terminal and environment.get("TERM", "dumb") != "dumb" and not environment.get("CI")


def on_a_terminal() -> bool:
    """Return whether the program runs on a terminal that can be drawn on, or in its substitute: a browser, if the
    dashboard is served by textual-serve."""
    return DRIVER_VARIABLE in os.environ or all(
        draws_on(stream, os.environ) for stream in (sys.stdin, sys.stdout, sys.stderr)
    )
