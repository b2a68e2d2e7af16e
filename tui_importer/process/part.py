"""One import of a run that is carried out in a process of its own: both ends of it.

:class:`PartProcess` is the end in the process of the run, :func:`carry_out_part` the other one.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO

import msgspec

from tui_importer.core.model.counters import Snapshot
from tui_importer.core.model.json_text import decode_json, encode_json
from tui_importer.core.model.plan import checked
from tui_importer.core.model.report import Report
from tui_importer.core.model.standard_input import source_path
from tui_importer.core.run.dispatcher import EventDispatcher
from tui_importer.core.run.engine import Engine
from tui_importer.core.scheduling.executor import ImportSpec
from tui_importer.errors import ExitCode, ImporterError, UsageError
from tui_importer.events import AnyEvent
from tui_importer.plugins.choice import components_of
from tui_importer.plugins.registry import load_registry
from tui_importer.process.messages import (
    Counted,
    Happened,
    Message,
    PartAnswer,
    PartEnded,
    PartOrder,
    PartRequest,
    PauseOrder,
    Refused,
    StopOrder,
    WorkersAnswer,
    WorkersOrder,
)
from tui_importer.process.prefetch import open_early
from tui_importer.process.start import RefusedError, ended, start_process
from tui_importer.rejects.store import RejectStore

#: How often the counters are told, in seconds: as often as a dashboard draws them.
_COUNT_PERIOD = 0.1
#: How long the answer to an order is waited for, in seconds.
_ANSWER_WITHIN = 5.0


class PartProcess:
    """Carries out an import in a new process. Implements
    :class:`tui_importer.core.scheduling.executor.ImportElsewhere`.

    The spec, with the database's password, goes through a pipe. The process ignores the terminal's signals: it ends
    when it is told to, or when this process is gone.
    """

    def __init__(self, spec: ImportSpec) -> None:
        try:
            self._process = start_process(own_session=True)
        except OSError as error:
            raise ImporterError(f"no process could be started: {error.strerror or error}") from error
        self._writing = threading.Lock()
        self._answers: queue.SimpleQueue[WorkersAnswer] = queue.SimpleQueue()
        self._send(PartRequest(spec=spec))

    def told(self) -> Iterator[AnyEvent | Snapshot | Report]:
        with self._process as process:
            assert process.stdout is not None
            assert process.stdin is not None
            try:
                for line in process.stdout:
                    match _answer(line):
                        case Happened(event=event):
                            yield event
                        case Counted(snapshot=snapshot):
                            yield snapshot
                        case WorkersAnswer() as answer:
                            self._answers.put(answer)
                        case PartEnded(report=report):
                            yield report
                            return
                        case Refused() as refused:
                            raise RefusedError(refused)
                        case None:
                            break
            finally:
                with self._writing, suppress(BrokenPipeError):  # an order that nobody has read
                    process.stdin.close()
        how = ended(process.returncode)
        raise ImporterError(f"the process of this import {how}: the same command continues where it was")

    def stop(self, reason: str, exit_code: ExitCode, *, aborting: bool) -> None:
        self._send(StopOrder(reason=reason, exit_code=int(exit_code), aborting=aborting))

    def pause(self, *, paused: bool) -> None:
        self._send(PauseOrder(paused=paused))

    def change_workers(self, workers: int) -> None:
        self._send(WorkersOrder(workers=workers))
        try:
            answer = self._answers.get(timeout=_ANSWER_WITHIN)
        except queue.Empty as error:
            raise UsageError("the process of the import does not answer") from error
        if answer.refused is not None:
            raise UsageError(answer.refused)

    def _send(self, message: Message) -> None:
        assert self._process.stdin is not None
        with self._writing:
            if self._process.stdin.closed:
                return  # it has ended
            try:
                self._process.stdin.write(encode_json(message) + b"\n")
                self._process.stdin.flush()
            except BrokenPipeError:
                return  # it has died, which is noticed where it is listened to


def carry_out_part(spec: ImportSpec, orders: IO[bytes], send: Callable[[Message], None]) -> ExitCode:
    """Carry out an import that the process at the other end of the pipes has begun; returns its exit code."""
    registry = load_registry()
    plan = checked(spec.plan)
    opening = open_early(plan, registry)
    store = RejectStore(source_path(plan.source.file), None, dry_run=plan.options.dry_run)
    store.open()
    dispatcher = EventDispatcher(lambda event: send(Happened(event=event)), lambda why: engine.stop(why))
    engine = Engine(
        plan,
        components_of(plan, registry),
        store,
        dispatcher,
        run_id=spec.run_id,
        source=spec.source,
        opening=opening,
        command=spec.command,
    )
    done = threading.Event()
    threading.Thread(target=_obey, args=(engine, orders, send), name="orders", daemon=True).start()
    counting = threading.Thread(target=_count, args=(engine, done, send), name="counters")
    counting.start()
    try:
        report = store.save(engine.execute(), engine.headers)
    finally:
        done.set()
        counting.join()
        store.close()
    send(Counted(snapshot=engine.snapshot()))
    send(PartEnded(report=report))
    return ExitCode(report.exit_code)


def _obey(engine: Engine, orders: IO[bytes], send: Callable[[Message], None]) -> None:
    """Carry out the orders; the end of the pipe aborts the import."""
    for line in orders:
        match decode_json(line, PartOrder):
            case StopOrder(reason=reason, exit_code=code, aborting=aborting):
                (engine.abort if aborting else engine.stop)(reason, ExitCode(code))
            case PauseOrder(paused=paused):
                engine.pause(paused=paused)
            case WorkersOrder(workers=workers):
                try:
                    engine.change_workers(workers)
                    send(WorkersAnswer(refused=None))
                except UsageError as error:
                    send(WorkersAnswer(refused=str(error)))
    engine.abort("the run of this import is gone", ExitCode.FAILED)


def _count(engine: Engine, done: threading.Event, send: Callable[[Message], None]) -> None:
    while not done.wait(_COUNT_PERIOD):
        send(Counted(snapshot=engine.snapshot()))


def _answer(line: bytes) -> PartAnswer | None:
    """The message in a line; None if the process died while it wrote it."""
    try:
        answer: PartAnswer = decode_json(line, PartAnswer)
    except msgspec.DecodeError:
        return None
    return answer
