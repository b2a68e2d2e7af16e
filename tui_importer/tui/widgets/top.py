"""The three lines at the top: source and target, progress, and the row counts."""

from __future__ import annotations

import math
from pathlib import PurePath

from textual.content import Content

from tui_importer.core.model.counters import progress, total
from tui_importer.text.numbers import clock, plural
from tui_importer.text.sentences import equation
from tui_importer.tui.drawing import Piece, bar, between, cut, fitted, length, lines
from tui_importer.tui.terminal import Glyphs
from tui_importer.tui.view import State, View
from tui_importer.tui.widgets.picture import Picture

#: The style of each state's word.
STATE_STYLES = {
    State.STARTING: "bold $muted",
    State.READING: "bold $accent",
    State.LOADING: "bold $success",
    State.RETRYING: "bold $warning",
    State.PAUSED: "bold $warning",
    State.STOPPING: "bold $warning",
    State.ABORTING: "bold $error",
    State.INDEXING: "bold $accent",
    State.FINISHING: "bold $accent",
    State.DONE: "bold $success",
    State.REJECTS: "bold $warning",
    State.SUPPRESSED: "bold $warning",
    State.ALREADY: "bold $success",
    State.STOPPED: "bold $warning",
    State.FAILED: "bold $error",
    State.DIED: "bold $error",
}
#: Shown before the state of a run that writes nothing.
DRY_RUN = "DRY RUN"
#: Minimum useful width of a bar, in cells.
_MIN_BAR = 8


def state_pieces(view: View) -> list[Piece]:
    """Return the state's word, after ``DRY RUN`` in a dry run."""
    dry = [(DRY_RUN, "bold $warning"), (" ", "")] if view.dry_run else []
    return [*dry, (view.state.value, STATE_STYLES[view.state])]


def source_title(view: View, glyphs: Glyphs) -> str:
    """Return ``sample.xlsx › Sheet1``; of several sources, ``2 of 3: february.xlsx › Sheet1`` or how many they are."""
    if not view.source:
        return plural(view.sources, "source")
    which = f"{view.source} of {view.sources}: " if view.sources > 1 else ""
    name = which + glyphs.text(PurePath(view.file).name)
    return f"{name} {glyphs.within} {glyphs.text(view.sheet)}" if view.sheet else name


class Heading(Picture):
    """Source and target at the left; strategy, state and time at the right."""

    def draw(self, view: View, width: int, height: int) -> Content:
        glyphs = self.glyphs
        how = f"{glyphs.text(view.strategy)} {glyphs.times}{view.counters.workers_wanted}  " if view.strategy else ""
        state: list[Piece] = [*state_pieces(view), (f"  {clock(view.seconds)}", "bold")]
        right: list[Piece] = [(how, "$muted"), *state]
        if width < length(right) + len("a.xlsx ") * 3:
            right = state
        if width <= length(right):
            return cut(Content.assemble(*state_pieces(view)), width, glyphs.ellipsis)
        source = source_title(view, glyphs)
        room = max(0, width - length(right) - 2)
        left: list[Piece] = [(fitted(source, room, glyphs.ellipsis), "bold")]
        table = f" {glyphs.dot} {glyphs.text(view.table)}" if view.table else ""
        place = glyphs.text(view.target.partition("://")[2] or view.target)
        target = place + table
        if len(source) + len(glyphs.to) + 2 + len(target) > room:
            target = PurePath(place).name + table
        if target and room - len(source) > len(glyphs.to) + 8:
            left += [(f" {glyphs.to} ", "$accent")]
            left += [(fitted(target, room - length(left), glyphs.ellipsis), "")]
        return Content.assemble(*between(left, right, width))


class ProgressLine(Picture):
    """A bar, the share, the rows and the time left; says so if the number of rows is unknown.

    As long as the rows of several sources are not known, those of the one that is being imported are shown.
    """

    def draw(self, view: View, width: int, height: int) -> Content:
        of_source = view.source_counters if total(view.counters) is None else None
        counted, of = (view.counters, "") if of_source is None else (of_source, f"source {view.source}: ")
        share, rows, done = progress(counted), total(counted), counted.finished
        if view.trouble is not None and not view.counters.workers:
            return Content.assemble(
                (fitted(self.glyphs.text(view.trouble), width, self.glyphs.ellipsis), "bold $warning")
            )
        if view.state is State.READING or (view.state is State.STARTING):
            return Content.assemble(*between([(f"{of}reading, size unknown", "$accent")], [], width))
        if share is None or rows is None:
            words = f"  {of}{done:,} rows, of how many is not known"
        elif view.state is State.INDEXING:
            words = f"  {of}{done:,} rows done, making indexes"
        else:
            words = f"  {of}{int(share * 100)} %  {done:,}/{rows:,}"
        left = "" if view.state.over else f"  {_eta(view)}"
        if width - len(words) - len(left) < _MIN_BAR:
            left = ""
        room = width - len(words) - len(left)
        style = "$error" if view.state in (State.FAILED, State.DIED) else "$bar"
        drawn = bar(share, room, self.glyphs, style, "$bar-empty") if room >= _MIN_BAR else []
        return Content.assemble(*drawn, (words if drawn else words.strip(), "bold"), (left, "$muted"))


def _eta(view: View) -> str:
    if view.state is State.PAUSED:
        return "ETA paused"
    return "ETA unknown" if view.seconds_left is None else f"ETA {clock(math.ceil(view.seconds_left))}"


class Equation(Picture):
    """``read = inserted + updated + skipped + rejected``, live, with the rows in flight."""

    def draw(self, view: View, width: int, height: int) -> Content:
        counts = view.counters
        numbers = (counts.finished, counts.inserted, counts.updated, counts.skipped, counts.rejected)
        text = equation(*numbers, dry_run=view.dry_run)
        waiting = counts.read - counts.finished
        pieces: list[Piece] = []
        for number, term in enumerate(text.split(" + ")):
            style = "bold $error" if term.startswith(("rejected", "would reject")) else "bold"
            pieces += [(" + " if number else "", "$muted"), (term, style)]
        more: list[Piece] = []
        if counts.blank:
            more.append((f"blank {counts.blank:,}", "$muted"))
        if waiting > 0 and not view.state.over:
            more.append((f"{'  ' if more else ''}in flight {waiting:,}", "$muted"))
        if height > 1:
            return lines([[(fitted("".join(text for text, _ in pieces), width * 2, ""), "bold")], more])
        return Content.assemble(*between(pieces, more, width))
