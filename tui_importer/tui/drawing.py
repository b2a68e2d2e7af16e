"""Bars, charts, sparklines and gauges made of characters, as pure functions of numbers and a width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from textual.content import Content

from tui_importer.text.numbers import clock
from tui_importer.tui.terminal import Glyphs

#: A piece of text and its style.
Piece = tuple[str, str]

#: Rates below this are drawn as zero: one row in eleven days.
_LEAST = 1e-6
#: Columns of a chart's scale at its left, including the axis.
SCALE_WIDTH = 7


def lines(rows: Iterable[Sequence[Piece]]) -> Content:
    """Join the rows as lines of one content."""
    return Content("\n").join(Content.assemble(*row) for row in rows)


def length(pieces: Sequence[Piece]) -> int:
    """Return the number of cells that the pieces take on a line."""
    return sum(Content(text).cell_length for text, _ in pieces)


def fitted(text: str, width: int, ellipsis: str) -> str:
    """Cut the text to ``width`` cells; a cut is marked with the ellipsis."""
    return cut(Content(text), width, ellipsis).plain


def cut(content: Content, width: int, ellipsis: str) -> Content:
    """Cut a styled text to ``width`` cells; a cut is marked with the ellipsis."""
    if content.cell_length <= width:
        return content
    if width <= len(ellipsis):
        return content.truncate(max(0, width))
    return content.truncate(width - len(ellipsis)).rstrip() + ellipsis


def between(left: Sequence[Piece], right: Sequence[Piece], width: int) -> list[Piece]:
    """Put both on one line, left- and right-aligned; if the line is too short, the right side is dropped."""
    gap = width - length(left) - length(right)
    if gap < 1:
        return list(left)
    return [*left, (" " * gap, ""), *right]


def bar(share: float | None, width: int, glyphs: Glyphs, style: str, rest: str) -> list[Piece]:
    """Draw a bar of ``width`` cells, filled to ``share``; empty if the share is not known."""
    if width < 1:
        return []
    eighths = len(glyphs.bar_parts)
    filled = 0 if share is None else int(max(0.0, min(1.0, share)) * width * eighths)
    whole, part = divmod(filled, eighths)
    head = glyphs.full * whole + (glyphs.bar_parts[part - 1] if part else "")
    return [(head, style), (glyphs.empty * (width - len(head)), rest)]


def spark(values: Sequence[float], width: int, glyphs: Glyphs) -> str:
    """Draw the last values as a sparkline; a value above zero is always visible."""
    shown = list(values)[-width:] if width > 0 else []
    top = max(shown, default=0.0)
    steps = len(glyphs.spark)
    signs = [
        " " if value <= 0 or top <= 0 else glyphs.spark[min(steps - 1, int(value / top * steps))] for value in shown
    ]
    return "".join(signs).rjust(width)


def gauge(share: float, width: int, glyphs: Glyphs) -> str:
    """Draw a share of a whole, in ``width`` cells."""
    filled = round(max(0.0, min(1.0, share)) * width)
    return glyphs.gauge_full * filled + glyphs.gauge_empty * (width - filled)


def short(number: float) -> str:
    """Format a number in at most five cells: ``950``, ``8.1k``, ``12k``, ``1.2M``."""
    for limit, divisor, unit in ((1e3, 1, ""), (1e6, 1e3, "k"), (1e9, 1e6, "M"), (math.inf, 1e9, "G")):
        if number < limit * 0.9995:
            value = number / divisor
            return f"{value:.1f}{unit}" if unit and value < 9.95 else f"{value:.0f}{unit}"
    return "?"


def chart(rates: Sequence[float], seconds: float, size: tuple[int, int], glyphs: Glyphs) -> Content:
    """Draw rates over time as columns with two axes: the rate at the left, the time below. ``size`` is the width and
    height of the whole chart; ``rates`` has one value for each of its :func:`chart_columns`."""
    width, height = size
    rows, columns = height - 2, chart_columns(width)
    if rows < 1 or columns < 8:
        return Content(spark(rates, max(1, width), glyphs))
    top = _ceiling(max(rates, default=0.0))
    steps = len(glyphs.spark)
    levels = [0 if not top else max(1 if rate > 0 else 0, round(rate / top * rows * steps)) for rate in rates]
    # Each label is the value at the upper edge of its row: the top row, and the middle one if there is one.
    labels = {rows - 1: short(top)} if top else {}
    if top and rows >= 4 and rows % 2 == 0:
        labels[rows // 2 - 1] = short(top / 2)
    drawn: list[list[Piece]] = []
    for row in range(rows - 1, -1, -1):
        cells = "".join(_cell(level - row * steps, steps, glyphs) for level in levels)
        drawn.append([(f"{labels.get(row, ''):>{SCALE_WIDTH - 2}} {glyphs.axis}", "$muted"), (cells, "$chart")])
    drawn.append([(f"{'0':>{SCALE_WIDTH - 2}} {glyphs.corner}{glyphs.floor * columns}", "$muted")])
    drawn.append([(_times(seconds, columns), "$muted")])
    return lines(drawn)


def chart_columns(width: int) -> int:
    """Return how many columns of a chart of this width are left for rates."""
    return width - SCALE_WIDTH


def _cell(level: int, steps: int, glyphs: Glyphs) -> str:
    if level <= 0:
        return " "
    return glyphs.spark[min(level, steps) - 1]


def _times(seconds: float, columns: int) -> str:
    """Draw the time axis: start, middle if there is room, and end."""
    end, middle = clock(seconds), clock(seconds / 2)
    line = f"{' ' * (SCALE_WIDTH - 1)}{'0:00':<{columns + 1}}"
    if columns >= 40 and seconds >= 2:
        at = SCALE_WIDTH + columns // 2 - len(middle) // 2
        line = line[:at] + middle + line[at + len(middle) :]
    return line[: len(line) - len(end)] + end


def _ceiling(value: float) -> float:
    """Return the next round number, so that the chart's top does not move with every sample."""
    if value < _LEAST:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(unit * step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if value <= unit * step * 1.0001)
