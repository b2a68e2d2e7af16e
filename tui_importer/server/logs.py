"""Logs as JSON lines on stderr: each has ``ts`` (UTC, RFC 3339), ``level``, ``logger`` and ``event``."""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
import traceback

from tui_importer.core.model.times import rfc3339

#: Attributes that every record has; any others were passed as ``extra``.
_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of ASCII, so that nothing a client sends can look like another line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
        fields = {
            "ts": rfc3339(moment),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _ORDINARY},
        }
        if record.exc_info and record.exc_info[1] is not None:
            fields["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps(fields, default=str)


def log_as_json() -> None:
    """Log this program, its web server and warnings of other libraries as JSON to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    # The server has its process to itself, so it may configure the root logger.
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.captureWarnings(True)
    for name in ("tui_importer", "uvicorn"):
        logging.getLogger(name).setLevel(logging.INFO)
