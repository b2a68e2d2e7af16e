"""Keeps the output of libraries (Python warnings, log records) off the terminal, and shows it on request."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import TextIO

#: Number of records kept until it is known whether they are to be shown.
_MAX_KEPT = 100

_log = logging.getLogger("tui_importer.libraries")

Show = Callable[[logging.LogRecord], object]


class _LogHandler(logging.Handler):
    """Keeps the first records, or passes all of them to ``show`` once it is set."""

    def __init__(self) -> None:
        super().__init__()
        self.show: Show | None = None
        self.kept: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if self.show is not None:
            self.show(record)
        elif len(self.kept) < _MAX_KEPT:
            self.kept.append(record)


_handler = _LogHandler()


def keep_libraries_quiet() -> None:
    """Log the warnings of libraries at debug level, and keep the log off the terminal until :func:`show_log`.

    For processes of this program only: a program that uses it as a library configures logging itself.
    """
    _log.setLevel(logging.DEBUG)
    warnings.showwarning = _log_warning
    # Only unhandled records: a server with its own logging is not affected.
    logging.lastResort = _handler


def show_log(show: Show) -> None:
    """Pass the kept records and all later ones to ``show``, including our own debug records."""
    logging.getLogger("tui_importer").setLevel(logging.DEBUG)
    _handler.show = show  # first, so that no more records are kept
    for record in _handler.kept:
        show(record)
    _handler.kept.clear()


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    _log.debug("%s: %s (%s:%d)", category.__name__, message, filename, lineno)
