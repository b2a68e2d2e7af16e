"""The rejects by reason, and the log."""

from __future__ import annotations

import datetime as dt

from textual.content import Content

from tui_importer.core.model.report import ReasonGroup
from tui_importer.tui.drawing import Piece, fitted, lines
from tui_importer.tui.terminal import Glyphs
from tui_importer.tui.view import LogLine, View
from tui_importer.tui.widgets.picture import Picture

#: The style of a log line, by level.
LEVEL_STYLES = {"info": "", "warning": "$warning", "error": "bold $error"}
_CELLS_WIDTH = 24


class RejectsPanel(Picture):
    """Rejects by column and reason: how many, and the first cells."""

    def titles(self, view: View) -> tuple[Content, Content]:
        rejected = view.counters.rejected
        if not rejected:
            return Content(_rejected(view)), Content("")
        return Content(f"{_rejected(view)} {rejected:,}"), Content("r: all of them")

    def draw(self, view: View, width: int, height: int) -> Content:
        if not view.groups:
            nothing = "rows that cannot go are named here" if not view.counters.rejected else "..."
            return Content.assemble((fitted(nothing, width, ""), "$muted"))
        if height == 1:  # no room for reasons
            words = f"{_rejected(view)} {view.counters.rejected:,}: {len(view.groups)} reasons (r)"
            return Content.assemble((fitted(words, width, ""), "bold $error"))
        shown = view.groups[:height] if len(view.groups) <= height else view.groups[: height - 1]
        digits = max(len(f"{group.count:,}") for group in shown)
        rows = [group_line(group, digits, width, self.glyphs, several=view.sources > 1) for group in shown]
        if len(view.groups) > len(shown):
            rows.append([(f"and {len(view.groups) - len(shown)} other reasons", "$muted")])
        return lines(rows)


def _rejected(view: View) -> str:
    return "would reject" if view.dry_run else "rejected"


def group_line(group: ReasonGroup, digits: int, width: int, glyphs: Glyphs, *, several: bool = False) -> list[Piece]:
    """Draw ``12  Email: value required but blank   B217, B301``; for source 2 of ``several``, ``12  #2 Email: ...``."""
    count = f"{group.count:>{digits},} "
    source = f"#{group.source} " if several else ""
    column = f"{glyphs.text(group.column, 40)}: " if group.column else ""
    cells = _first_cells(group, min(_CELLS_WIDTH, width // 3), glyphs)
    room = width - len(count) - len(cells) - 2
    words = fitted(source + column + glyphs.text(group.reason), room, glyphs.ellipsis)
    pad = " " * max(0, room - Content(words).cell_length)
    return [(count, "bold $error"), (words, ""), (f"{pad}  ", ""), (cells, "$accent")]


def _first_cells(group: ReasonGroup, width: int, glyphs: Glyphs) -> str:
    """Return as many of the first cells, uncut, as there is room for."""
    cells = [glyphs.text(cell.rpartition("!")[2]) for cell in group.cells]
    for number in range(len(cells), 0, -1):
        more = f" {glyphs.ellipsis}" if group.count > number else ""
        text = ", ".join(cells[:number]) + more
        if len(text) <= width or number == 1:
            return fitted(text, width, glyphs.ellipsis)
    return ""


class LogPanel(Picture):
    """The latest events, the newest at the bottom; routine ones are only on the log screen."""

    def titles(self, view: View) -> tuple[Content, Content]:
        return Content("log"), Content("l: all of it")

    def draw(self, view: View, width: int, height: int) -> Content:
        shown: list[LogLine] = []
        for line in reversed(view.log):
            if len(shown) == height:
                break
            if not line.routine:
                shown.append(line)
        return lines([log_line(line, width, self.glyphs) for line in reversed(shown)])


def log_line(line: LogLine, width: int, glyphs: Glyphs) -> list[Piece]:
    """Draw ``20:15:01 ▲ worker 2: the connection was lost ...``, in local time."""
    time = dt.datetime.fromtimestamp(line.at).strftime("%H:%M:%S")
    if width < 40:
        time = time[3:]
    text = fitted(glyphs.text(line.text, 1_000), width - len(time) - 3, glyphs.ellipsis)
    style = LEVEL_STYLES[line.level]
    return [(f"{time} ", "$muted"), (f"{glyphs.marks[line.level]} ", style), (text, style)]
