"""Imports of a run that are carried out in another process: both ends of it.

:class:`ImportProcess` is the end in the process of the run, :func:`carry_out_parts` the other one.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO

import msgspec

from tui_importer.core.model.json_text import decode_json, encode_json
from tui_importer.core.model.plan import checked
from tui_importer.core.model.standard_input import source_path
from tui_importer.core.model.table_change import TableChange
from tui_importer.core.run.dispatcher import EventDispatcher
from tui_importer.core.run.engine import Engine
from tui_importer.core.scheduling.executor import ImportElsewhere, ImportSpec, ToldElsewhere
from tui_importer.errors import ExitCode, ImporterError, UsageError
from tui_importer.plugins.choice import components_of
from tui_importer.plugins.registry import Registry, load_registry
from tui_importer.process.messages import (
    ApprovalOrder,
    Asked,
    Completing,
    CompletionOrder,
    Counted,
    Happened,
    Message,
    PartAnswer,
    PartEnded,
    PartMessage,
    PartOrder,
    PartRequest,
    PauseOrder,
    Refused,
    StopOrder,
    WorkersAnswer,
    WorkersOrder,
)
from tui_importer.process.prefetch import open_early
from tui_importer.process.start import RefusedError, describe_exit, start_process
from tui_importer.rejects.store import RejectStore

#: How often the counters are sent, in seconds: as often as a dashboard draws them.
_COUNT_PERIOD = 0.1
_GONE = "the run of this import is gone"
#: How long the answer to an order is waited for, in seconds.
_ANSWER_WITHIN = 5.0


class ImportProcess:
    """A process that carries out imports of a run, one after another. Used by one thread.

    The specs, with the database's password, go through a pipe. The process ignores the terminal's signals: it ends when
    it is told to, or when this process is gone. Raises :class:`~tui_importer.errors.ImporterError` if it cannot be
    started.
    """

    def __init__(self) -> None:
        try:
            self._process = start_process(own_session=True)
        except OSError as error:
            raise ImporterError(f"no process could be started: {error.strerror or error}") from error
        self._writing = threading.Lock()

    @property
    def alive(self) -> bool:
        """Whether it can carry out another import."""
        return self._process.poll() is None

    def begin(self, spec: ImportSpec, wait_until_taken: Callable[[], object] = lambda: None) -> ImportElsewhere:
        """Have an import carried out; what it tells has to be taken to its end before the next one begins.

        ``wait_until_taken`` waits until the run has taken all that was told, if that is not whoever asks for what is
        told next.
        """
        self.send(PartRequest(spec=spec))
        return _Part(self, wait_until_taken)

    def send(self, message: Message) -> None:
        """Send a message; nothing happens if the process has ended."""
        assert self._process.stdin is not None
        with self._writing:
            if self._process.stdin.closed:
                return
            try:
                self._process.stdin.write(encode_json(message) + b"\n")
                self._process.stdin.flush()
            except BrokenPipeError:
                return  # it has died, which is noticed where it is listened to

    def answers(self) -> Iterator[PartAnswer]:
        """What it says, until it ends."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = _answer(line)
            if answer is None:
                return
            yield answer

    def how_it_ended(self) -> str:
        """Wait until it has ended, and say how."""
        self.close()
        return describe_exit(self._process.returncode)

    def close(self) -> None:
        """Let it end, and wait for that."""
        assert self._process.stdin is not None
        with self._writing, suppress(BrokenPipeError):  # an order that nobody has read
            self._process.stdin.close()
        with self._process:
            pass


class _Part:
    """Implements :class:`tui_importer.core.scheduling.executor.ImportElsewhere`."""

    def __init__(self, process: ImportProcess, wait_until_taken: Callable[[], object]) -> None:
        self._process = process
        self._wait_until_taken = wait_until_taken
        self._refusals: queue.SimpleQueue[WorkersAnswer] = queue.SimpleQueue()

    def told(self) -> Iterator[ToldElsewhere]:
        for answer in self._process.answers():
            match answer:
                case Happened(event=event):
                    yield event
                case Counted(snapshot=snapshot):
                    yield snapshot
                case Asked(change=change):
                    yield change
                case Completing():
                    # Whoever asks for what comes next has taken what came before.
                    self._wait_until_taken()
                    self._process.send(CompletionOrder())
                case WorkersAnswer():
                    self._refusals.put(answer)
                case PartEnded(report=report):
                    yield report
                    return
                case Refused():
                    self._process.how_it_ended()  # it takes no other import
                    raise RefusedError(answer)
        how = self._process.how_it_ended()
        raise ImporterError(f"the process of this import {how}: the same command continues where it was")

    def stop(self, reason: str, exit_code: ExitCode, *, aborting: bool) -> None:
        self._process.send(StopOrder(reason=reason, exit_code=int(exit_code), aborting=aborting))

    def answer(self, *, approved: bool) -> None:
        self._process.send(ApprovalOrder(approved=approved))

    def pause(self, *, paused: bool) -> None:
        self._process.send(PauseOrder(paused=paused))

    def change_workers(self, workers: int) -> None:
        self._process.send(WorkersOrder(workers=workers))
        try:
            answer = self._refusals.get(timeout=_ANSWER_WITHIN)
        except queue.Empty as error:
            raise UsageError("the process of the import does not answer") from error
        if answer.refused is not None:
            raise UsageError(answer.refused)


def carry_out_parts(first: ImportSpec, messages: IO[bytes], send: Callable[[Message], None]) -> None:
    """Carry out imports that the process at the other end of the pipes begins, one after another, until that end is
    closed. An error before an import is sent, and its process ends."""
    registry = load_registry()
    mailbox = _Mailbox(send)
    threading.Thread(target=mailbox.listen, args=(messages,), name="orders", daemon=True).start()
    spec: ImportSpec | None = first
    while spec is not None:
        _carry_out(spec, registry, mailbox, send)
        spec = mailbox.specs.get()


class _Question:
    """Asks the run whether the import may change its table."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self.answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._send = send

    def __call__(self, change: TableChange) -> bool:
        self._send(Asked(change=change))
        return self.answers.get()


class _Completion:
    """Waits until the run has taken all that was told: it may be killed, and an import that is complete is not resumed,
    so its rejects would be known to nobody but the ledger."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self.taken = threading.Event()
        self._send = send

    def __call__(self) -> None:
        self._send(Completing())
        self.taken.wait()


class _Current(msgspec.Struct, frozen=True):
    """The import that is being carried out, and what it waits for."""

    engine: Engine
    question: _Question
    completion: _Completion

    def stop(self, reason: str, exit_code: ExitCode, *, aborting: bool) -> None:
        """Stop it, or abort it; it no longer waits for an answer."""
        (self.engine.abort if aborting else self.engine.stop)(reason, exit_code)
        self.question.answers.put(False)
        self.completion.taken.set()


class _Mailbox:
    """Takes messages: specs for later, and orders for the import that is being carried out."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self.specs: queue.SimpleQueue[ImportSpec | None] = queue.SimpleQueue()
        self._send = send
        self._current: _Current | None = None
        self._gone = False

    def attach(self, current: _Current | None) -> None:
        """Name the import that is being carried out, if any."""
        self._current = current
        if current is not None and self._gone:
            current.stop(_GONE, ExitCode.FAILED, aborting=True)

    def listen(self, messages: IO[bytes]) -> None:
        """Take messages until there are no more, which aborts the import: the run is gone."""
        for line in messages:
            message = decode_json(line, PartMessage)
            if isinstance(message, PartRequest):
                self.specs.put(message.spec)
            else:
                self._obey(message)
        self._gone = True
        if (current := self._current) is not None:
            current.stop(_GONE, ExitCode.FAILED, aborting=True)
        self.specs.put(None)

    def _obey(self, order: PartOrder) -> None:
        current = self._current
        match order:
            case StopOrder(reason=reason, exit_code=code, aborting=aborting) if current is not None:
                current.stop(reason, ExitCode(code), aborting=aborting)
            case PauseOrder(paused=paused) if current is not None:
                current.engine.pause(paused=paused)
            case ApprovalOrder(approved=approved) if current is not None:
                current.question.answers.put(approved)
            case CompletionOrder() if current is not None:
                current.completion.taken.set()
            case WorkersOrder(workers=workers):
                try:
                    if current is None:
                        raise UsageError("the workers can be changed while rows are being written")
                    current.engine.change_workers(workers)
                    self._send(WorkersAnswer(refused=None))
                except UsageError as error:
                    self._send(WorkersAnswer(refused=str(error)))


def _carry_out(spec: ImportSpec, registry: Registry, mailbox: _Mailbox, send: Callable[[Message], None]) -> None:
    plan = checked(spec.plan)
    opening = open_early(plan, registry)
    store = RejectStore(source_path(plan.source.file), None, dry_run=True)  # the run writes the workbook
    store.open()
    dispatcher = EventDispatcher(lambda event: send(Happened(event=event)), lambda why: engine.stop(why))
    question, completion = _Question(send), _Completion(send)
    engine = Engine(
        plan,
        components_of(plan, registry),
        store,
        dispatcher,
        run_id=spec.run_id,
        source=spec.source,
        opening=opening,
        command=spec.command,
        approve=question if spec.asks else None,
        before_completion=completion,
    )
    engine.share_types(spec.shared_types)
    mailbox.attach(_Current(engine, question, completion))
    done = threading.Event()
    counting = threading.Thread(target=_count, args=(engine, done, send), name="counters")
    counting.start()
    try:
        report = engine.execute()
    finally:
        done.set()
        counting.join()
        store.close()
        mailbox.attach(None)
    send(Counted(snapshot=engine.snapshot()))
    send(PartEnded(report=report))


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
