"""Whether there is a terminal to draw on."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TextIO

#: Names what Textual draws with where that is no terminal.
DRIVER_VARIABLE = "TEXTUAL_DRIVER"


def draws_on(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether a line on this stream can be redrawn: a terminal that is not a dumb one, and no CI job's log."""
    try:
        terminal = stream.isatty()
    except (OSError, ValueError):
        return False
    return terminal and environment.get("TERM", "dumb") != "dumb" and not environment.get("CI")


def on_a_terminal() -> bool:
    """Whether there is somebody in front of a terminal that can be drawn on, or of what draws in its stead: a browser,
    where the dashboard is served by textual-serve."""
    return DRIVER_VARIABLE in os.environ or all(
        draws_on(stream, os.environ) for stream in (sys.stdin, sys.stdout, sys.stderr)
    )
