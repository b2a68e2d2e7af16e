"""What libraries say beside the way (Python warnings, log records): kept off the terminal, shown on request."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import TextIO

#: Records that are kept until it is known whether anybody wants to see them.
_KEPT = 100

_log = logging.getLogger("tui_importer.libraries")

Show = Callable[[logging.LogRecord], object]


class _Quiet(logging.Handler):
    """Keeps the first records, or hands all of them to whoever wants them."""

    def __init__(self) -> None:
        super().__init__()
        self.show: Show | None = None
        self.kept: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if self.show is not None:
            self.show(record)
        elif len(self.kept) < _KEPT:
            self.kept.append(record)


_quiet = _Quiet()


def keep_libraries_quiet() -> None:
    """Log the warnings of libraries, at debug level, and keep the log off the terminal until :func:`show_log`.

    For processes that are this program: whoever uses it as a library decides for themselves.
    """
    _log.setLevel(logging.DEBUG)
    warnings.showwarning = _log_warning
    # Only what nobody handles: a server that sets up logging of its own is not affected.
    logging.lastResort = _quiet


def show_log(show: Show) -> None:
    """Hand what was kept, and all that follows, to ``show``; our own debug records, too."""
    logging.getLogger("tui_importer").setLevel(logging.DEBUG)
    _quiet.show = show  # first, so that none is kept any more
    for record in _quiet.kept:
        show(record)
    _quiet.kept.clear()


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    _log.debug("%s: %s (%s:%d)", category.__name__, message, filename, lineno)
