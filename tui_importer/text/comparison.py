"""The comparison of ``bench``: a table, a chart and a recommendation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tui_importer.core.model.rates import rows_per_second
from tui_importer.core.model.stage_seconds import StageSeconds
from tui_importer.text.numbers import plural

#: A setting is recommended if it is faster than the automatic choice by more than this share.
WORTH_SETTING = 0.10
_BAR_WIDTH = 40
_EIGHTHS = "▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is compared. A number that is None was left to the program."""

    strategy: str
    workers: int | None = None
    batch_size: int | None = None

    @property
    def options(self) -> str:
        """The options of the command line."""
        given = (("--strategy", self.strategy), ("--workers", self.workers), ("--batch-size", self.batch_size))
        return " ".join(f"{name} {value}" for name, value in given if value is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The result of one setting. ``seconds`` is the median of its runs, from opening the file to the last index;
    ``workers`` and ``batch_size`` are those that it had. ``peak_memory`` is in bytes (None: unknown), and ``stages``
    divide the time of the latest run."""

    setting: Setting
    workers: int
    batch_size: int
    rows: int
    inserted: int
    rejected: int
    seconds: float
    peak_memory: int | None = None
    stages: StageSeconds | None = None

    @property
    def rate(self) -> float:
        """Rows per second."""
        return rows_per_second(self.rows, self.seconds)

    @property
    def name(self) -> str:
        """The strategy, with the numbers that were given: ``batched, 4 workers, 5,000 rows``."""
        workers = [plural(self.workers, "worker")] if self.setting.workers is not None else []
        rows = [plural(self.batch_size, "row")] if self.setting.batch_size is not None else []
        return ", ".join([self.setting.strategy, *workers, *rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What to set, as options of the command line (none: the program chooses as well by itself), and why."""

    options: str
    reason: str


def recommend(timings: Sequence[Timing], default: str) -> Recommendation:
    """Recommend the fastest setting, unless what the program chooses with the ``default`` strategy is about as fast."""
    best = min(timings, key=lambda each: each.seconds)
    usual = next((each for each in timings if each.setting == Setting(strategy=default)), None)
    if usual is None:
        return Recommendation(options=best.setting.options, reason="it is the fastest of those that were compared")
    if best.seconds >= usual.seconds * (1 - WORTH_SETTING):
        chosen = f"{default}, {plural(usual.workers, 'worker')}, {plural(usual.batch_size, 'row')} a batch"
        return Recommendation(options="", reason=f"the program's own choice ({chosen}) is among the fastest")
    saved = 1 - best.seconds / usual.seconds
    reason = f"it takes {100 * saved:.0f} % less time than the program's own choice"
    return Recommendation(options=best.setting.options, reason=reason)


def table(timings: Sequence[Timing]) -> list[str]:
    """Return the timings as a table that fits 80 columns; the speed-up is relative to the first one."""
    rows = [("METHOD", "WORKERS", "BATCH", "TIME", "ROWS/S", "SPEED-UP", "IN", "REJECTED", "PEAK MB")]
    for timing in timings:
        ratio = timings[0].seconds / timing.seconds if timing.seconds else 0.0
        rows.append(
            (
                timing.setting.strategy,
                str(timing.workers),
                f"{timing.batch_size:,}",
                f"{timing.seconds:.2f} s",
                f"{timing.rate:,.0f}",
                f"{ratio:.1f}x",
                f"{timing.inserted:,}",
                f"{timing.rejected:,}",
                "-" if timing.peak_memory is None else f"{timing.peak_memory / 1e6:.0f}",
            )
        )
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def chart(timings: Sequence[Timing], *, ascii_only: bool = False) -> list[str]:
    """Return the seconds as bars, the fastest first."""
    longest = max(timing.seconds for timing in timings)
    width = max(len(timing.name) for timing in timings)
    lines = []
    for timing in sorted(timings, key=lambda each: each.seconds):
        bar = _bar(timing.seconds / longest if longest else 0.0, ascii_only=ascii_only)
        lines.append(f"{timing.name:<{width}}  {bar} {timing.seconds:.2f} s")
    return lines


def _bar(share: float, *, ascii_only: bool) -> str:
    """A bar that is never empty."""
    if ascii_only:
        return "#" * max(1, round(share * _BAR_WIDTH))
    whole, part = divmod(max(1, round(share * _BAR_WIDTH * len(_EIGHTHS))), len(_EIGHTHS))
    return _EIGHTHS[-1] * whole + (_EIGHTHS[part - 1] if part else "")
