"""What a user is told when something is wrong: one line."""

from __future__ import annotations

import sys

from tui_importer.console.lines import SafeStream
from tui_importer.text.safe import visible


def print_error(message: str) -> None:
    """One line on stderr, workbook text in it made harmless."""
    SafeStream(sys.stderr).line(f"tui-importer: {visible(message)}")
