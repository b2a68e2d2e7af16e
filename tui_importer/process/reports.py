"""Writes the reports of ``--report``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tui_importer.core.model.report import Report, to_json
from tui_importer.errors import ImporterError


def write_report(where: str, report: Report) -> None:
    """Write the report of a run; ``-`` is stdout."""
    data = to_json(report)
    if where == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        # Reports hold values of rejected cells, so only their owner may read them.
        with os.fdopen(os.open(where, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        raise ImporterError(f"{Path(where)}: cannot write the report: {error.strerror}") from error
