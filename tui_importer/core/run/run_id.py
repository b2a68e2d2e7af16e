"""The ids of runs, and of the imports of a run that has several sources."""

from __future__ import annotations

import datetime as dt
import os


def new_run_id(now: dt.datetime) -> str:
    """A new id. Ids sort by time; they are unique on this machine and, very likely, elsewhere."""
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03x}{os.urandom(2).hex()}"


def import_run_id(run_id: str, source: int, sources: int) -> str:
    """The id under which the ledger records the import of source number ``source`` (from 1) of a run.

    It is the run's own id if that is the only one.
    """
    return run_id if sources == 1 else f"{run_id}.{source}"


def run_id_of(import_run_id: str) -> str:
    """The id of the run to which an import belongs; any other text is returned unchanged."""
    return import_run_id if source_of(import_run_id) is None else import_run_id.partition(".")[0]


def source_of(import_run_id: str) -> int | None:
    """The number of the source of which this is the import's id; None for the id of a run."""
    _, _, number = import_run_id.partition(".")
    return int(number) if number.isascii() and number.isdigit() else None
