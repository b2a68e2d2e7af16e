"""Numbers and times in readable form."""

from __future__ import annotations

import math


def plural(count: int, noun: str) -> str:
    """Format a count with its noun: ``1 row``, ``2,000 rows``, ``3 retries``, ``6 indexes``."""
    if count == 1:
        return f"{count:,} {noun}"
    if noun.endswith("ry"):
        return f"{count:,} {noun[:-1]}ies"
    return f"{count:,} {noun}{'es' if noun.endswith(('x', 'ch', 'sh', 's')) else 's'}"


def format_rate(rows_per_second: float) -> str:
    """Format a rate: ``8,120 rows/s``, with a decimal below ten."""
    return f"{rows_per_second:,.0f} rows/s" if rows_per_second >= 10 else f"{rows_per_second:.1f} rows/s"


def format_duration(seconds: float) -> str:
    """Format an elapsed time: ``0.41 s``, ``42 s``, ``12 min 5 s``, ``3 h 0 min``."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, whole = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {whole} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min"


def format_eta(seconds: float | None) -> str:
    """Format a remaining time: ``00:07 left``, ``1:02:03 left``."""
    if seconds is None or not math.isfinite(seconds):
        return "time left unknown"
    return f"{clock(math.ceil(seconds))} left"


def clock(seconds: float) -> str:
    """Format a time as a clock: ``00:12``, ``1:02:03``."""
    minutes, whole = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes:02}:{whole:02}"


def size(count: int) -> str:
    """Format a number of bytes: ``512 bytes``, ``1.4 MB`` (1 MB is 1,000,000 bytes)."""
    if count < 1000:
        return plural(count, "byte")
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 1000:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:,.1f} TB"
