"""What the steps of a run share: plan, plugins, control, events, counters, and the stage that was reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from tui_importer.core.model.counters import Phase, ReaderCounters
from tui_importer.core.model.plan import Plan
from tui_importer.core.model.report import ReasonGroup
from tui_importer.core.model.table_change import TableChange
from tui_importer.core.model.url import DatabaseAddress
from tui_importer.core.run.account import RejectSink
from tui_importer.core.run.stage_clock import StageClock
from tui_importer.core.run.stages import Stage, StageT
from tui_importer.core.scheduling.batch_queue import BatchQueue
from tui_importer.core.scheduling.run_control import RunControl
from tui_importer.core.scheduling.strategy import Strategy
from tui_importer.core.source.reader import Reader
from tui_importer.core.writing.backend import Backend, ConnectionSettings, application_name
from tui_importer.core.writing.retry import TRANSIENT_ERRORS, retried
from tui_importer.errors import DatabaseError, StoppedError
from tui_importer.events import AnyEvent, Noticed, Reject, Retrying

T = TypeVar("T")


class Rejects(RejectSink, Protocol):
    """Stores the rejects of a run until they are reported."""

    def first(self, number: int) -> list[Reject]:
        """The first ``number`` rejects in sheet order."""

    def by_reason(self) -> Sequence[ReasonGroup]:
        """All rejects, grouped (:mod:`tui_importer.core.model.reject_groups`)."""


class Components(msgspec.Struct, frozen=True):
    """The plugins of a run, each with its name (for events and the report).

    ``open_backend`` is called while the file is being read, so that the driver is imported in parallel with parsing.
    ``notes`` are for the user.
    """

    reader_name: str
    reader: Reader
    strategy_name: str
    strategy: Strategy
    backend_name: str
    open_backend: Callable[[ConnectionSettings], Backend]
    address: DatabaseAddress
    notes: tuple[str, ...] = ()


class RunContext(msgspec.Struct, kw_only=True):
    """One import of a run, as its steps see it.

    ``run_id`` is the id under which the ledger records it, and ``source`` the number of its source in the run.
    ``command`` is the command line that repeats the import. ``stage`` is the latest that was reached, and ``phase``
    overrides that of the reading thread. ``notes`` are for the user, and ``retries`` those of the engine's own database
    operations (workers count theirs). ``approve`` is asked before rows that are in the table are changed or doubled;
    ``before_completion`` is called before the ledger records that the import is complete. ``shared_types`` are the
    columns of a new table that other imports of the run fill, too.
    """

    run_id: str
    plan: Plan
    components: Components
    rejects: Rejects
    command: str | None
    control: RunControl
    emit: Callable[[AnyEvent], None]
    queue: BatchQueue
    source: int = 1
    reader: ReaderCounters = msgspec.field(default_factory=ReaderCounters)
    clock: StageClock = msgspec.field(default_factory=StageClock)
    stage: Stage = msgspec.field(default_factory=Stage)
    phase: Phase | None = None
    notes: list[str] = msgspec.field(default_factory=list)
    retries: int = 0
    approve: Callable[[TableChange], bool] | None = None
    before_completion: Callable[[], None] | None = None
    shared_types: Mapping[str, str] = msgspec.field(default_factory=dict)

    def reach(self, stage: StageT) -> StageT:
        """Note that the run has come so far; returns the stage."""
        self.stage = stage
        return stage

    def notice(self, message: str) -> None:
        """Note a message for the user."""
        self.notes.append(message)
        self.emit(Noticed(message=message))

    def connection_settings(self) -> ConnectionSettings:
        """How the run connects to its database."""
        options = self.plan.options
        return ConnectionSettings(
            url=self.components.address.text,
            application_name=application_name(self.run_id),
            connect_timeout=options.connect_timeout,
            stall_timeout=options.stall_timeout,
        )

    def retried(self, action: Callable[[], T], transient: tuple[type[DatabaseError], ...] = TRANSIENT_ERRORS) -> T:
        """The result of one of the engine's own database operations, retried after transient errors.

        Raises :class:`~tui_importer.errors.StoppedError` if the run begins to stop meanwhile.
        """
        seconds = self.plan.options.retry_for
        try:
            return retried(action, seconds, lambda pause: not self.control.wait(pause), self._on_retry, transient)
        except transient as fault:
            if self.control.stopping:
                raise StoppedError(self.control.reason) from fault
            raise

    def _on_retry(self, attempt: int, seconds: float, fault: DatabaseError) -> None:
        self.retries += 1
        self.emit(
            Retrying(
                worker=0,
                first_row=0,
                last_row=0,
                attempt=attempt,
                seconds=seconds,
                error=str(fault),
                sqlstate=fault.sqlstate,
            )
        )
