"""The comparison with peers as a table (Markdown) and as a chart (SVG)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from benchmarks.measuring import Taken

_BAR, _GAP, _LEFT, _WIDTH, _RIGHT = 18, 6, 190, 480, 190


@dataclass(frozen=True, slots=True)
class Result:
    """What one contender took, in medians. ``ratio`` is the median of the rounds' ratios to the best peer; it is None
    for one that failed, whose ``trouble`` says why. ``memory`` is the ratio of the peak memory to that of the script
    over calamine, if that was run. ``changed`` says which values it has changed."""

    name: str
    ours: bool
    taken: Taken | None
    ratio: float | None
    memory: float | None = None
    changed: Sequence[str] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All contenders on one kind of data, the fastest first."""

    title: str
    results: Sequence[Result]


def markdown(comparisons: Sequence[Comparison], about: str) -> str:
    """The tables."""
    lines = ["# Whole imports, compared", "", about]
    for comparison in comparisons:
        lines += ["", f"## {comparison.title}", ""]
        lines += ["| | seconds | of the best peer | CPU seconds | peak MB | of calamine's | values |"]
        lines += ["|---|--:|--:|--:|--:|--:|---|"]
        for each in comparison.results:
            name = f"**{each.name}**" if each.ours else each.name
            if each.taken is None or each.ratio is None:
                lines.append(f"| {name} | - | - | - | - | - | {_cell(each.trouble)} |")
                continue
            taken, values = each.taken, _cell("; ".join(each.changed)) or "all are in"
            numbers = f"{taken.clock:.2f} | {each.ratio:.2f} | {taken.cpu:.2f} | {taken.megabytes:.0f}"
            numbers += " | -" if each.memory is None else f" | {each.memory:.2f}"
            lines.append(f"| {name} | {numbers} | {values} |")
    return "\n".join(lines) + "\n"


def svg(comparisons: Sequence[Comparison]) -> str:
    """The seconds as bars: ours are dark, and bars of contenders that change values are hatched."""
    rows, y = list[str](), 10
    for comparison in comparisons:
        y += 22
        rows.append(f'<text x="10" y="{y}" font-weight="bold">{escape(comparison.title)}</text>')
        y += 10
        clocks = [each.taken.clock for each in comparison.results if each.taken is not None]
        for each in comparison.results:
            middle = y + _BAR - 5
            rows.append(f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end">{escape(each.name)}</text>')
            if each.taken is None or each.ratio is None:
                rows.append(f'<text x="{_LEFT}" y="{middle}" fill="#777">{escape(each.trouble[:60])}</text>')
            else:
                length = max(1.0, each.taken.clock / max(clocks) * _WIDTH)
                fill = "url(#changed)" if each.changed else "#1f5fa8" if each.ours else "#9db8d6"
                said = f"{each.taken.clock:.2f} s, ratio {each.ratio:.2f}"
                rows.append(f'<rect x="{_LEFT}" y="{y}" width="{length:.0f}" height="{_BAR}" fill="{fill}"/>')
                rows.append(f'<text x="{_LEFT + length + 6:.0f}" y="{middle}">{said}</text>')
            y += _BAR + _GAP
    y += 16
    rows.append(f'<text x="10" y="{y}" fill="#555">Ratios to the best peer. Hatched: values are changed.</text>')
    pattern = (
        '<defs><pattern id="changed" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="6" height="6" fill="#dbe5f0"/><rect width="3" height="6" fill="#9db8d6"/></pattern></defs>'
    )
    width, height = _LEFT + _WIDTH + _RIGHT, y + 14
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12">{pattern}<rect width="100%" height="100%" fill="white"/>'
        f"{''.join(rows)}</svg>\n"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
