"""Where ``--report`` writes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tui_importer.core.report import Report, to_json
from tui_importer.errors import ImporterError


def write_reports(where: str, reports: Sequence[Report]) -> None:
    """One report as an object, several as a list; ``-`` is stdout."""
    texts = [to_json(report) for report in reports]
    data = texts[0] if len(texts) == 1 else b"[\n" + b",\n".join(text.rstrip() for text in texts) + b"\n]\n"
    if where == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        # Reports hold values of rejected cells: for their owner only.
        with os.fdopen(os.open(where, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        raise ImporterError(f"{Path(where)}: cannot write the report: {error.strerror}") from error
