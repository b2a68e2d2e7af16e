"""What a user is told when something is wrong: one line."""

from __future__ import annotations

import sys

from tui_importer.console.lines import Enduring
from tui_importer.console.safe import visible


def complain(message: str) -> None:
    """One line on stderr, workbook text in it made harmless."""
    Enduring(sys.stderr).line(f"tui-importer: {visible(message)}")
