"""Why a request is not carried out: a status and one sentence."""

from __future__ import annotations

from collections.abc import Mapping

from tui_importer.errors import ExitCode

#: What an exit code is over HTTP (RFC 9110, 15; 507 is RFC 4918, 11.5).
STATUS_OF = {
    ExitCode.USAGE: 400,
    ExitCode.STOPPED: 503,
    ExitCode.UNREACHABLE: 503,
    ExitCode.SIGINT: 503,
    ExitCode.SIGTERM: 503,
}


class HttpError(Exception):
    """A request that is not carried out. ``str()`` is the sentence; it never holds a secret or a path."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = dict(headers or {})


def too_busy(sentence: str, seconds: int) -> HttpError:
    """429 (RFC 6585, 4): to be tried again after so many seconds."""
    return HttpError(429, sentence, {"Retry-After": str(seconds)})
