"""The program in a process that is forked from one that has loaded its libraries.

Most of the time that a new interpreter takes for a small import goes into loading them. What is forked has arguments,
folder, environment, streams and exit code of its own all the same. How libraries are loaded, and what an interpreter
takes from its environment when it begins, is seen only in a new one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tui_importer.testing.processes import fork_server

#: What the fork server has loaded: all that imports by the command line and servers need, but no user interface.
#: These names are on its command line: none of ``tui_importer.process``, by which tests find the processes of runs.
PRELOADED = [
    "tui_importer.testing.preload",
    "tui_importer.cli.import_files",
    "tui_importer.cli.main",
    "tui_importer.cli.running",
    "tui_importer.console.choice",
    "tui_importer.console.progress",
    "tui_importer.rejects.recognition",
    "tui_importer.text.resources",
    "tui_importer.text.summary",
    "tui_importer.cli.serve",
    "tui_importer.server.running",
    "platformdirs.unix",
    "pytest",  # by modules of tests, where the function is that a process executes
]


#: What forks processes, for the command line and for imports alike, since whichever comes first begins it.
CONTEXT = fork_server()
CONTEXT.set_forkserver_preload(PRELOADED)


def run(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], out: Path, err: Path, patience: float
) -> int:
    """Run the command line, nothing on its stdin, with its output in these files; gives its exit code.

    Raises :class:`subprocess.TimeoutExpired` after ``patience`` seconds, and ends it.
    """
    process = ForkedProcess(arguments, folder, environment, out, err)
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.wait()
        error.add_note(err.read_text())
        raise


class ForkedProcess:
    """The command line as a process, nothing on its stdin, that appends its output to files. To be used like a
    :class:`subprocess.Popen`."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], out: Path, err: Path
    ) -> None:
        self._arguments = list(arguments)
        self._process = CONTEXT.Process(target=_begin, args=(self._arguments, folder, dict(environment), out, err))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit code, if it has ended; that of a signal is negative."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, for so many seconds; gives the exit code."""
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired(self._arguments, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


def _begin(arguments: list[str], folder: Path, environment: dict[str, str], out: Path, err: Path) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    # As an interpreter would find what is installed there: plugins.
    sys.path[:0] = [place for place in environment.get("PYTHONPATH", "").split(os.pathsep) if place]
    added = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, path, flags in ((0, Path(os.devnull), os.O_RDONLY), (1, out, added), (2, err, added)):
        opened = os.open(path, flags)
        os.dup2(opened, number)
        os.close(opened)
    # As an interpreter opens them that begins with these.
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    sys.argv = ["tui-importer", *arguments]
    from tui_importer.cli.main import main

    main()
