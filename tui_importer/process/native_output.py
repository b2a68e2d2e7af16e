"""What native libraries write to standard error: kept off the terminal, logged, and shown after a crash."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

#: Number of lines that are logged.
_MAX_LINES = 100
#: Waits for a line, which comes at the end. A process that crashes sends none, and then the text is shown.
#: Characters that a terminal would obey are left out.
_WATCHER = "trap '' HUP INT QUIT TERM; read -r ended || LC_ALL=C tr -d '\\000-\\010\\013-\\037\\177' <&3 >&2"

_log = logging.getLogger("tui_importer.libraries")


@contextmanager
def native_output_logged() -> Iterator[None]:
    """Log at debug level, at the end, what is written to descriptor 2 and not to :data:`sys.stderr`.

    A panic of a library in Rust, for example, is written there and raised as an exception, too. If the process crashes,
    such text is the only explanation: a shell, which outlives the process, then shows it.

    Nothing is done if :data:`sys.stderr` is not descriptor 2, or if there is no place for a temporary file.
    """
    try:
        diverted = _Diverted() if sys.stderr.fileno() == 2 else None
    except (OSError, ValueError):
        diverted = None
    try:
        yield
    finally:
        if diverted is not None:
            for line in diverted.end().splitlines()[:_MAX_LINES]:
                _log.debug("%s", line)
            diverted.close()


class _Diverted:
    """Descriptor 2, diverted into a file that has no name, while :data:`sys.stderr` goes where it went."""

    def __init__(self) -> None:
        import tempfile

        written, path = tempfile.mkstemp(prefix="tui_importer-")
        # Opened once more, to be read from its beginning.
        self._text = os.open(path, os.O_RDONLY)
        os.unlink(path)
        alive, self._alive = os.pipe()
        try:
            self._watcher = os.posix_spawn(
                "/bin/sh",
                ["sh", "-c", _WATCHER],
                {"PATH": os.defpath},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, alive, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, self._text, 3),
                ],
            )
            self._before = sys.stderr
            self._before.flush()
            encoding, errors = self._before.encoding, self._before.errors
            self._own = open(os.dup(2), "w", buffering=1, encoding=encoding, errors=errors)  # noqa: SIM115
            sys.stderr = self._own
            os.dup2(written, 2)
        finally:
            os.close(alive)
            os.close(written)

    def end(self) -> str:
        """Let descriptor 2 be what it was; returns what was written to it meanwhile."""
        os.dup2(self._own.fileno(), 2)
        sys.stderr = self._before
        os.write(self._alive, b"\n")
        os.close(self._alive)
        with suppress(ChildProcessError):  # whoever ignores SIGCHLD has no child to wait for
            os.waitpid(self._watcher, 0)
        with open(self._text, encoding="utf-8", errors="replace") as text:
            return text.read()

    def close(self) -> None:
        """Close what :data:`sys.stderr` was meanwhile: the log may be shown there."""
        with suppress(OSError):  # a terminal that is gone
            self._own.close()
