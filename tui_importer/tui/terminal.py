"""The capabilities of this terminal: characters, colours, light or dark."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import msgspec

from tui_importer.text.safe import encodable, shortened


class Glyphs(msgspec.Struct, frozen=True):
    """The characters that pictures are made of. ``parts`` are growing fractions of ``full``, the last of which is
    ``full``."""

    name: str
    full: str
    empty: str
    bar_parts: str
    spark: str
    to: str
    within: str
    dot: str
    ellipsis: str
    axis: str
    corner: str
    floor: str
    dash: str
    gauge_full: str
    gauge_empty: str
    times: str
    marks: Mapping[str, str]

    def text(self, text: str, limit: int = 200) -> str:
        """Make text from outside harmless, and escape characters that the terminal lacks."""
        shown = shortened(text, limit)
        return encodable(shown, "ascii") if self.name == "ascii" else shown


#: Worker states and log levels each have a mark of their own, so that nothing is shown by colour alone.
UNICODE = Glyphs(
    name="unicode",
    full="█",
    empty="─",
    bar_parts="▏▎▍▌▋▊▉█",
    spark="▁▂▃▄▅▆▇█",
    to="→",
    within="›",
    dot="·",
    ellipsis="…",
    axis="│",
    corner="└",
    floor="─",
    dash="–",
    gauge_full="▓",
    gauge_empty="░",
    times="×",
    marks={
        "connecting": "◌",
        "idle": "○",
        "writing": "●",
        "committing": "◉",
        "paused": "‖",
        "retrying": "↻",
        "blocked": "◍",
        "isolating": "◈",
        "done": "✓",
        "failed": "✗",
        "info": "·",
        "warning": "▲",
        "error": "✗",
    },
)
ASCII = Glyphs(
    name="ascii",
    full="#",
    empty="-",
    bar_parts="#",
    spark="_.:-=+*#",
    to="->",
    within=">",
    dot="/",
    ellipsis="...",
    axis="|",
    corner="+",
    floor="-",
    dash="-",
    gauge_full="#",
    gauge_empty=".",
    times="x",
    marks={
        "connecting": "~",
        "idle": ".",
        "writing": ">",
        "committing": "=",
        "paused": "p",
        "retrying": "?",
        "blocked": "%",
        "isolating": "/",
        "done": "+",
        "failed": "X",
        "info": " ",
        "warning": "!",
        "error": "X",
    },
)


def glyphs_for(environment: Mapping[str, str], *, utf8_mode: bool | None = None) -> Glyphs:
    """Choose lines and blocks if the locale is UTF-8, else ASCII (POSIX.1-2017, 8.2: LC_ALL, LC_CTYPE, LANG).

    In the C locale the interpreter itself sets LC_CTYPE (PEP 538), which says nothing about the terminal. It also turns
    its UTF-8 mode on (PEP 540), which identifies this case.
    """
    if utf8_mode is None:
        utf8_mode = bool(sys.flags.utf8_mode)
    ctype = environment.get("LC_CTYPE")
    if utf8_mode and ctype == "C.UTF-8":
        ctype = None
    locale = environment.get("LC_ALL") or ctype or environment.get("LANG") or "C"
    return UNICODE if "utf8" in locale.lower().replace("-", "") else ASCII


def theme_for(environment: Mapping[str, str], colours: int | None) -> str:
    """Choose the theme for a terminal: its own sixteen colours if it has no more or none are wanted
    (https://no-color.org), else dark or light as the terminal says."""
    light = environment.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")
    if environment.get("NO_COLOR") or (colours is not None and colours <= 16):
        return "ansi-light" if light else "ansi-dark"
    return "importer-light" if light else "importer-dark"


def colours_of(environment: Mapping[str, str]) -> int | None:
    """Return the number of colours that the terminal reports; None for all of them."""
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return None
    terminal = environment.get("TERM", "")
    if terminal.endswith(("-256color", "-direct")):
        return 256
    return 16
