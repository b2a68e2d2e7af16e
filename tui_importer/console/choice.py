"""Chooses the style of progress without a dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from tui_importer.console.progress import JsonProgress, LineProgress, PlainProgress, Progress, QuietProgress
from tui_importer.console.terminals import draws_on


def choose_progress(
    stream: TextIO,
    environment: Mapping[str, str],
    *,
    quiet: bool = False,
    plain: bool = False,
    json: bool = False,
    verbose: bool = False,
) -> Progress:
    """Return the style for these options. ``json`` wins over ``quiet`` and ``quiet`` over ``plain``."""
    if json:
        return JsonProgress(stream)
    if quiet:
        return QuietProgress()
    if plain:
        return PlainProgress(stream, verbose=verbose)
    if draws_on(stream, environment):
        # rich takes a while to import, and only a terminal needs it.
        from tui_importer.console.bar import BarProgress

        return BarProgress(stream, verbose=verbose)
    return LineProgress(stream, verbose=verbose)
