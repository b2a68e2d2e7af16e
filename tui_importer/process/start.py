"""Starts processes: runs that outlive their parent, and inspections of files that may crash a process."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from tui_importer.core.model.json_text import decode_json, encode_json
from tui_importer.errors import ExitCode, ImporterError
from tui_importer.process.messages import Answer, ImportRequest, Refused, Request, RunBegun
from tui_importer.recording.recordings import Recording

#: How often a run may die without a report (some workbooks crash the library that reads them) before its file fails.
MAX_DEATHS = 3

_MODULE = "tui_importer.process"


class RefusedError(ImporterError):
    """A process refused its request; the exit code is the one it gave."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.error)
        self.exit_code = ExitCode(refused.exit_code)


def start_run(request: ImportRequest, recordings: Path, folder: Path | None = None) -> Recording:
    """Start a run as a process that continues whatever happens to this one; returns once it is recorded.

    It runs in ``folder``, which relative paths of the plan refer to (default: the current folder). Raises
    :class:`RefusedError` if the process refuses the request, :class:`ImporterError` if it cannot be started.
    """
    process = _process(request, own_session=True, folder=folder)
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        answer = _answer(process.stdout.readline())
        last_words = b"" if isinstance(answer, RunBegun) else process.stderr.read()
    # reaps the process when it ends, so that it leaves no zombie
    threading.Thread(target=process.wait, name="run's end", daemon=True).start()
    match answer:
        case RunBegun(run_id=run_id):
            return Recording(recordings / run_id)
        case Refused():
            raise RefusedError(answer)
        case _:
            said = last_words.decode(errors="replace").strip().splitlines() or ["it ended without a word"]
            raise ImporterError(f"the run could not be begun: {said[-1]}")


class InspectionProcess:
    """An inspection of a source or a target in a process of its own: a hostile workbook can crash only that process.

    ``on_answer`` is called with each answer, from a thread; the last one is :class:`Refused` if the process died.
    """

    def __init__(self, request: Request, on_answer: Callable[[Answer], None]) -> None:
        self._process = _process(request, own_session=False)
        self._on_answer = on_answer
        self._cancelled = False
        self._thread = threading.Thread(target=self._listen, name="looking", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Kill the process; no more answers are delivered."""
        self._cancelled = True
        self._process.kill()

    def close(self) -> None:
        """Kill the process and wait until it has ended."""
        self.cancel()
        self._thread.join()

    def _listen(self) -> None:
        with self._process as process:
            assert process.stdout is not None
            for line in process.stdout:
                answer = _answer(line)
                if answer is not None and not self._cancelled:
                    self._on_answer(answer)
        if process.returncode != 0 and not self._cancelled:
            how = describe_exit(process.returncode)
            self._on_answer(Refused(error=f"the reader's process {how}", exit_code=int(ExitCode.USAGE)))


def describe_exit(code: int) -> str:
    """How a process ended that had more to say, in words."""
    return f"ended by signal {-code}" if code < 0 else "ended without a word"


def _process(request: Request, *, own_session: bool, folder: Path | None = None) -> subprocess.Popen[bytes]:
    process = start_process(own_session=own_session, folder=folder, stderr=subprocess.PIPE if own_session else None)
    assert process.stdin is not None
    try:
        process.stdin.write(encode_json(request))
        process.stdin.close()
    except BrokenPipeError:
        pass  # the process died at once: its output, if any, is read next
    return process


def start_process(
    *, own_session: bool, folder: Path | None = None, stderr: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a process that waits for a request on its standard input. ``stderr`` is discarded by default."""
    return subprocess.Popen(  # noqa: S603  # this very program
        # -P: a folder of data may hold files named like modules, which must not be imported.
        [sys.executable, "-P", "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if stderr is None else stderr,
        start_new_session=own_session,
        cwd=folder,
    )


def _answer(line: bytes) -> Answer | None:
    try:
        answer: Answer = decode_json(line, Answer)
    except msgspec.DecodeError:
        return None
    return answer
