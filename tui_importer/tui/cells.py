"""Table cells: text that is never interpreted as markup, in a colour of the theme."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.app import App
from textual.color import Color


def cell(app: App[object], text: str, colour: str | None = None, *, bold: bool = False, strike: bool = False) -> Text:
    """Return a cell with this literal text. ``colour`` names a variable of the theme (``warning``, ``muted``)."""
    found = None if colour is None else Color.parse(app.theme_variables[colour]).rich_color
    return Text(text, style=Style(color=found, bold=bold or None, strike=strike or None), no_wrap=True, end="")
