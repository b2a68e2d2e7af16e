"""Cells of tables: text that is never markup, in a colour of the theme."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.app import App
from textual.color import Color


def cell(app: App[object], text: str, colour: str | None = None, *, bold: bool = False, strike: bool = False) -> Text:
    """A cell with this text as it is. ``colour`` is the name of one of the theme's (``warning``, ``muted``)."""
    found = None if colour is None else Color.parse(app.theme_variables[colour]).rich_color
    return Text(text, style=Style(color=found, bold=bold or None, strike=strike or None), no_wrap=True, end="")
