"""The throughput over the whole run, and what limits it."""

from __future__ import annotations

import textwrap

from textual.content import Content

from tui_importer.tui.drawing import chart, chart_columns, fitted, gauge, lines, short
from tui_importer.tui.view import Bound, View
from tui_importer.tui.widgets.picture import Picture

_BOUND_STYLES = {
    Bound.NOTHING: "$muted",
    Bound.UNKNOWN: "$muted",
    Bound.LIMIT: "bold $accent",
    Bound.READER: "bold $accent",
    Bound.BALANCED: "bold $success",
    Bound.DATABASE: "bold $warning",
}


class ThroughputChart(Picture):
    """Rows per second over time, with axes; current, mean and peak rate are in its frame."""

    def watch_view(self, before: View, view: View) -> None:
        # Redraw once a second: this is the most expensive picture, and it shows means over seconds.
        if int(view.seconds) != int(before.seconds) or view.state.over:
            super().watch_view(before, view)

    def titles(self, view: View) -> tuple[Content, Content]:
        below = f"now {short(view.now)}  mean {short(view.mean)}  peak {short(view.peak)}"
        return Content("rows/s"), Content(below)

    def draw(self, view: View, width: int, height: int) -> Content:
        rates = view.history.rates(max(1, chart_columns(width)))
        return chart(rates, view.history.seconds, (width, height), self.glyphs)


class BoundGauge(Picture):
    """Whether the reader or the database is the limit: how full the queue between them is."""

    def titles(self, view: View) -> tuple[Content, Content]:
        return Content("bound by"), Content("")

    def draw(self, view: View, width: int, height: int) -> Content:
        counts = view.counters
        size = counts.queue_size or 1
        held = f"queue {view.queue * size:.0f}/{size}"
        rows = [
            [(view.bound.value, _BOUND_STYLES[view.bound])],
            [(gauge(view.queue, width, self.glyphs), "$bar")],
            [(fitted(held, width, ""), "$muted")],
        ]
        if height > 4:
            advice = {
                Bound.READER: "more workers would only wait",
                Bound.DATABASE: "+ adds a worker",
                Bound.BALANCED: "both keep pace",
                Bound.LIMIT: "held back on purpose",
                Bound.UNKNOWN: "",
                Bound.NOTHING: "",
            }[view.bound]
            rows += [[(line, "$muted")] for line in _wrapped(advice, width)][: height - 3]
        return lines(rows)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(8, width))
