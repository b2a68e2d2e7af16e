"""The error that refuses a request: a status and one sentence."""

from __future__ import annotations

from collections.abc import Mapping

from tui_importer.errors import ExitCode

#: The HTTP status for each exit code (RFC 9110, 15; 507 is RFC 4918, 11.5).
STATUS_OF = {
    ExitCode.USAGE: 400,
    ExitCode.STOPPED: 503,
    ExitCode.UNREACHABLE: 503,
    ExitCode.SIGINT: 503,
    ExitCode.SIGTERM: 503,
}


class HttpError(Exception):
    """Refuses a request. ``str()`` is the sentence; it never contains a secret or a path."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = dict(headers or {})


def too_busy(sentence: str, seconds: int) -> HttpError:
    """Return a 429 error (RFC 6585, 4) that asks the client to retry after ``seconds``."""
    return HttpError(429, sentence, {"Retry-After": str(seconds)})
