"""Beginning processes: a run that outlives whoever began it, and looks at files that may take a process down."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from tui_importer.errors import ExitCode, ImporterError
from tui_importer.process.messages import Answer, ImportRequest, Refused, Request, RunBegun
from tui_importer.recording.recordings import Recording

_MODULE = "tui_importer.process"


class RefusedError(ImporterError):
    """A process refused its request; the exit code is the one it gave."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.error)
        self.exit_code = ExitCode(refused.exit_code)


def start_run(request: ImportRequest, recordings: Path, folder: Path | None = None) -> Recording:
    """Begin a run as a process of its own, which goes on whatever becomes of this one; returns once it is recorded.

    It works in ``folder``, by which the plan's paths are understood; by default that is this process's own. Raises
    :class:`RefusedError` where the request makes no sense, :class:`ImporterError` where there is no process.
    """
    process = _process(request, own_session=True, folder=folder)
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        answer = _answer(process.stdout.readline())
        last_words = b"" if isinstance(answer, RunBegun) else process.stderr.read()
    # It goes on by itself, and is nobody's zombie once it has ended.
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
    """A look at a source or a target, in a process of its own: a hostile workbook takes only that one down.

    ``on_answer`` is called with each answer, from a thread; the last one is :class:`Refused` where the process died.
    """

    def __init__(self, request: Request, on_answer: Callable[[Answer], None]) -> None:
        self._process = _process(request, own_session=False)
        self._on_answer = on_answer
        self._cancelled = False
        self._thread = threading.Thread(target=self._listen, name="looking", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """End it; nothing more is heard of it."""
        self._cancelled = True
        self._process.kill()

    def close(self) -> None:
        """End it and wait until it is gone."""
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
            ended = f"ended by signal {-process.returncode}" if process.returncode < 0 else "ended without a word"
            self._on_answer(Refused(error=f"the reader's process {ended}", exit_code=int(ExitCode.USAGE)))


def _process(request: Request, *, own_session: bool, folder: Path | None = None) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603  # this very program
        # -P: a folder of data may hold files that are called like modules, and is no place to import from.
        [sys.executable, "-P", "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if own_session else subprocess.DEVNULL,
        start_new_session=own_session,
        cwd=folder,
    )
    assert process.stdin is not None
    try:
        process.stdin.write(msgspec.json.encode(request))
        process.stdin.close()
    except BrokenPipeError:
        pass  # it died at once: what it says, or does not say, is read next
    return process


def _answer(line: bytes) -> Answer | None:
    try:
        answer: Answer = msgspec.json.decode(line, type=Answer)
    except msgspec.DecodeError:
        return None
    return answer
