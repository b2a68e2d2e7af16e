"""A terminal with somebody in front of it: the real program in a pseudo-terminal, its screen read, keys typed."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import pyte

#: Seconds that anything may take: machines are shared. Nothing waits longer than it needs.
PATIENCE = 90.0

#: Variables that it has of the environment of whoever runs it.
KEPT = ("PATH", "HOME", "XDG_STATE_HOME", "PYTHONPYCACHEPREFIX")
ENVIRONMENT = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "COLORTERM": "truecolor"}


class Terminal:
    """Runs ``tui-importer`` with these arguments in a terminal of so many columns and rows.

    A ``blind`` one draws nothing, and has all that was ever written for its text: what it costs is not to be measured.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        size: tuple[int, int] = (80, 24),
        environment: dict[str, str] | None = None,
        *,
        blind: bool = False,
    ) -> None:
        self._blind = blind
        self.output = b""
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment = {**kept, **ENVIRONMENT, **(environment or {})}
        self.pid, self._master = pty.fork()
        if not self.pid:
            try:
                os.chdir(folder)
                os.execve(sys.executable, [sys.executable, "-m", "tui_importer", *arguments], environment)
            finally:
                os._exit(127)
        self.resize(*size)
        self._status: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.hang_up()

    @property
    def text(self) -> str:
        """What stands on the screen."""
        if self._blind:
            return self.output.decode(errors="replace")
        return "\n".join(line.rstrip() for line in self._screen.display)

    def until(self, wanted: str | Callable[[str], bool], patience: float = PATIENCE) -> str:
        """Wait until a text is on the screen; gives all of it."""
        end = time.monotonic() + patience
        while not (wanted in self.text if isinstance(wanted, str) else wanted(self.text)):
            assert time.monotonic() < end, f"{wanted!r} never came; the screen shows:\n{self.text}"
            if not self._read(0.1):
                assert wanted in self.text if isinstance(wanted, str) else wanted(self.text), (
                    f"{wanted!r} never came, and the program has ended; the screen shows:\n{self.text}"
                )
        return self.text

    def type(self, keys: str) -> None:
        """Type keys."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Make the terminal another size."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._screen.resize(rows, columns)

    def wait(self) -> int:
        """Wait until the program has ended; gives its exit code, or minus the signal that ended it."""
        end = time.monotonic() + PATIENCE
        while self._status is None:
            self._read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
            assert time.monotonic() < end, f"it never ended; the screen shows:\n{self.text}"
        while self._read(0.1):
            pass
        return self._status

    def hang_up(self) -> None:
        """The line is cut: the terminal is gone."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def ended(self) -> int:
        """Wait for a program whose terminal is gone."""
        end = time.monotonic() + PATIENCE
        while self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
            assert time.monotonic() < end, "it goes on without a terminal"
            time.sleep(0.05)
        return self._status

    def _read(self, seconds: float) -> bool:
        """Take in what comes within so many seconds; False once nothing more can come."""
        if self._master < 0:
            return False
        if not select.select([self._master], [], [], seconds)[0]:
            return self._status is None
        try:
            data = os.read(self._master, 1 << 16)
        except OSError as error:
            if error.errno != errno.EIO:  # the other end is closed
                raise
            return False
        if not data:
            return False
        self.output += data
        if not self._blind:
            self._stream.feed(data)
        return True
