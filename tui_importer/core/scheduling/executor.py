"""The executor protocol: an executor decides where and when the imports of a run are carried out, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeAlias

import msgspec

from tui_importer.core.model.counters import Snapshot
from tui_importer.core.model.plan import Plan, database_of
from tui_importer.core.model.report import Report
from tui_importer.core.model.standard_input import source_path
from tui_importer.core.model.table_change import TableChange
from tui_importer.core.model.url import portable_address
from tui_importer.errors import ExitCode
from tui_importer.events import AnyEvent


class ImportSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One import of a run as a value, for a process that carries it out elsewhere.

    ``run_id`` is the id under which the ledger records it, ``source`` the number of its source in the run, and
    ``command`` the command line that repeats it. If ``asks``, the run is asked before rows that are in the table are
    changed. ``shared_types`` are the columns of a new table that other imports of the run fill, too, and their types.
    ``database`` in the plan's target may hold a password: whoever sends a spec has to protect it on its way.
    """

    plan: Plan
    run_id: str
    source: int
    command: str | None = None
    asks: bool = False
    shared_types: dict[str, str] = {}

    @property
    def path(self) -> Path:
        """The file that is read, as this process opens it
        (:func:`~tui_importer.core.model.standard_input.source_path`)."""
        return source_path(self.plan.source.file)

    def portable(self) -> ImportSpec:
        """The same import for a process in another folder or on another machine: the paths of its file and of an SQLite
        database are absolute, and the database's address has no password
        (:func:`~tui_importer.core.model.url.portable_address`)."""
        source, target = self.plan.source, self.plan.target
        source = msgspec.structs.replace(source, file=str(Path(source.file).absolute()))
        target = msgspec.structs.replace(target, database=portable_address(database_of(self.plan)))
        return msgspec.structs.replace(self, plan=msgspec.structs.replace(self.plan, source=source, target=target))


#: What an import tells that is carried out elsewhere. A change of the table is a question.
ToldElsewhere: TypeAlias = AnyEvent | Snapshot | Report | TableChange


class ImportElsewhere(Protocol):
    """An import that is carried out elsewhere."""

    def told(self) -> Iterator[ToldElsewhere]:
        """What it tells while it is carried out, in order: its events, its counters a few times a second, what it asks,
        and at its end its report. Raises :class:`~tui_importer.errors.ImporterError` if it ends without one.

        It goes on telling while it waits for an answer.
        """

    def answer(self, *, approved: bool) -> None:
        """Answer what it asked last: whether that change is approved."""

    def stop(self, reason: str, exit_code: ExitCode, *, aborting: bool) -> None:
        """Have it stopped, or aborted."""

    def pause(self, *, paused: bool) -> None:
        """Have it paused or unpaused."""

    def change_workers(self, workers: int) -> None:
        """Have the number of its workers changed. Raises :class:`~tui_importer.errors.UsageError` if it is not."""


class PendingImport(Protocol):
    """One import of a run. It claims, resumes and fails on its own.

    A failed import is reported, not raised: the others are carried out all the same. Both ways to carry it out raise
    only what interrupts a program (``KeyboardInterrupt``). They first wait for earlier imports into the same table if
    the order of their rows matters, so imports must be begun in the order in which the queue gives them.
    """

    @property
    def number(self) -> int:
        """The number of its source in the run, from 1."""

    def carry_out(self) -> None:
        """Carry the import out in this process and thread; called once."""

    def carry_out_elsewhere(self, begin: Callable[[ImportSpec], ImportElsewhere]) -> None:
        """Have the import carried out elsewhere instead, and return when it has ended.

        ``begin`` is called unless the run is being stopped; it raises :class:`~tui_importer.errors.ImporterError` if
        the import cannot be begun, with which the import then fails.
        """


class ImportQueue(Protocol):
    """The imports that an executor is given."""

    @property
    def stopping(self) -> bool:
        """Whether the run is being stopped: no further import begins."""

    def imports(self) -> Iterator[PendingImport]:
        """The imports in their order, each once. Ends early once the run begins to stop."""


class Executor(Protocol):
    """Carries out the imports of a run."""

    def run(self, queue: ImportQueue) -> None:
        """Carry out all imports of the queue; return when the last one has ended. No thread of the executor may be
        left then."""
