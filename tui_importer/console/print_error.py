"""Prints an error as one line."""

from __future__ import annotations

import sys

from tui_importer.console.lines import SafeStream
from tui_importer.text.safe import visible


def print_error(message: str) -> None:
    """Print one line on stderr, with text from workbooks made harmless."""
    SafeStream(sys.stderr).line(f"tui-importer: {visible(message)}")
