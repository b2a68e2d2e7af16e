"""The themes, one for dark and one for light terminals."""

from __future__ import annotations

from textual.theme import Theme

_DARK = Theme(
    name="importer-dark",
    primary="#4fb3bf",
    secondary="#7aa2f7",
    accent="#5fd7d7",
    foreground="#d8dee9",
    background="#10151c",
    surface="#161d27",
    panel="#1e2733",
    success="#7fd88f",
    warning="#f2b84b",
    error="#ff6b6b",
    dark=True,
    variables={
        "chart": "#4fb3bf",
        "bar": "#7fd88f",
        "bar-empty": "#33404f",
        "frame": "#33404f",
        "muted": "#8593a3",
        "footer-background": "#1e2733",
    },
)
_LIGHT = Theme(
    name="importer-light",
    primary="#00737f",
    secondary="#2f5fb3",
    accent="#006d77",
    foreground="#1f2933",
    background="#fbfaf7",
    surface="#f1efe9",
    panel="#e6e3da",
    success="#1f7a3a",
    warning="#9a5b00",
    error="#b3261e",
    dark=False,
    variables={
        "chart": "#00737f",
        "bar": "#1f7a3a",
        "bar-empty": "#c9c4b6",
        "frame": "#c9c4b6",
        "muted": "#6a6f76",
        "footer-background": "#e6e3da",
    },
)
THEMES = (_DARK, _LIGHT)
