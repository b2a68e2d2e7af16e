"""The ledger: tables in the target database that record which rows of which import are committed.

A batch's rows, its ledger entry and its rejects commit together, so the ledger always agrees with the table. It records
intervals of sheet rows, not batch numbers: a later run may use another strategy, worker count or batch size. A run
writes under a claim. A run that takes over an import ends the claim of the previous run, whose transactions can then no
longer commit. None of that depends on knowing whether a process is alive: that only decides whether a second run is
refused or takes over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, StrEnum, auto
from typing import NamedTuple, Protocol

import msgspec

from tui_importer.core.model.completed_rows import Interval
from tui_importer.core.model.plan import ColumnPlan
from tui_importer.core.model.scripts import NO_SCRIPTS, ScriptMoment, Scripts
from tui_importer.core.model.table import Table
from tui_importer.events import Reject

#: The version of the ledger's tables; increased when an older program could misread or damage a newer ledger.
#: 1 is that of tui-importer 0.1, which knows neither runs whose rows are gone (:attr:`RunState.EMPTIED`) nor entries of
#: scripts.
LEDGER_VERSION = 2


class RunState(StrEnum):
    """The state of a run according to the ledger."""

    RUNNING = "running"  # or its process died before it could record another state
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"
    SUPERSEDED = "superseded"  # it died, and another run has taken over its import
    EMPTIED = "emptied"  # its rows were taken out of the table since, by another import or because it was undone


class TargetAction(Enum):
    """What happens to the target table before staged rows are moved into it."""

    NONE = auto()
    CREATE = auto()
    REPLACE = auto()  # by one of other columns
    EMPTY = auto()


class Generation(NamedTuple):
    """An import, and how often it was started from scratch."""

    import_id: str
    generation: int


class Claim(msgspec.Struct, frozen=True):
    """A run's right to write the rows of an import.

    ``generation`` counts how often the import was started from scratch. ``mends`` is the import whose rejects come back
    mended: they are closed in the transactions that write them.
    """

    import_id: str
    generation: int
    run_id: str
    schema: str | None = None
    mends: Generation | None = None


class Entry(msgspec.Struct, frozen=True):
    """What one transaction completes: the sheet rows ``first_row`` to ``last_row``.

    ``previous_last_row`` is the last row of the existing entry that this one extends (the one that begins at
    ``first_row``); None creates a new entry. The counts and ``rejects`` are of this transaction only, and so are the
    rows of ``closes``: the rejects of another import that are in now.
    """

    first_row: int
    last_row: int
    previous_last_row: int | None = None
    inserted: int = 0
    updated: int = 0
    skipped: int = 0
    rejects: Sequence[Reject] = ()
    closes: Sequence[int] = ()


class Counts(msgspec.Struct, frozen=True):
    """The completed rows of an import."""

    inserted: int = 0
    updated: int = 0
    skipped: int = 0
    rejected: int = 0

    @property
    def rows(self) -> int:
        """The total."""
        return self.in_table + self.skipped + self.rejected

    @property
    def in_table(self) -> int:
        """The number of rows that are in the table."""
        return self.inserted + self.updated

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.skipped + other.skipped,
            self.rejected + other.rejected,
        )


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it begins: what it imports (see :class:`tui_importer.core.run.identity.Identity`), and how.

    ``columns`` are the resolved columns. ``created_table``: this import creates its table. ``command`` is the command
    line that repeats the run. ``mends`` is the import whose mended rejects it imports.
    """

    run_id: str
    import_id: str
    generation: int
    file: str
    sha256: str
    sheet: str
    extent: str
    request: str
    mapping: str
    columns: tuple[ColumnPlan, ...]
    table: str
    row_limit: int | None
    atomic: bool
    created_table: bool
    strategy: str
    command: str | None
    mends: Generation | None = None


class PastRun(NewRun, frozen=True, kw_only=True):
    """A run that is recorded in the ledger.

    Times are UTC in RFC 3339 format. ``counts`` are those of the import's generation up to the end of this run; they
    are zero if the run did not record its end and no other run has taken over. ``before`` has the checksums of what the
    table held before the generation. ``published``: the rows of an atomic import are in their table.
    """

    state: RunState
    host: str
    process: str
    started_at: str
    finished_at: str | None
    counts: Counts
    blank_rows: int = 0
    error: str | None = None
    before: str | None = None
    published: bool = False


class ResumePoint(msgspec.Struct, frozen=True):
    """How much of an import is completed when a new run claims it.

    ``taken_over`` is the id of the run whose claim was ended for this.
    """

    claim: Claim
    intervals: Sequence[Interval] = ()
    rejected_rows: Sequence[int] = ()
    counts: Counts = Counts()
    taken_over: str | None = None


class Ledger(Protocol):
    """The ledger of one database. Methods raise the errors of :mod:`tui_importer.errors`."""

    def history(self, table: str) -> Sequence[PastRun]:
        """The runs into this table (by its qualified name), the latest first; empty if there is no ledger yet.

        Raises :class:`~tui_importer.errors.UsageError` if the ledger has a newer version.
        """

    def runs(self, limit: int) -> Sequence[PastRun]:
        """The latest runs into any table, at most ``limit``."""

    def is_alive(self, run: PastRun) -> bool | None:
        """Whether the process of a run that has not recorded its end is alive.

        Returns None if that cannot be known because the process belongs to another machine.
        """

    def begin(self, run: NewRun) -> ResumePoint:
        """Claim the import.

        Creates missing tables of the ledger, and ends the claim of a dead run of the same import after waiting for its
        transactions in flight. Raises :class:`~tui_importer.errors.BusyError` if another run of the import is alive.
        """

    def counts(self, import_id: str, generation: int) -> Counts:
        """The sum of a generation's entries."""

    def entry(self, claim: Claim, first_row: int) -> Entry | None:
        """The entry of the claimed import that begins at this row, with its rejects; None if there is none."""

    def rejects(self, claim: Claim) -> Iterator[Reject]:
        """The rejects of the claimed import so far, ordered by sheet row."""

    def rejected_rows(self, generation: Generation) -> Mapping[int, bool]:
        """The sheet rows that were rejected, and whether each is closed: it came back mended and is in."""

    def skip(self, claim: Claim, intervals: Sequence[Interval]) -> ResumePoint:
        """Record rows as skipped before any is written; returns what is completed then."""

    def note_before(self, claim: Claim, before: str) -> None:
        """Store the checksums of what the table held before this generation (for ``--verify``)."""

    def finish(self, claim: Claim, state: RunState, counts: Counts, blank_rows: int, error: str | None) -> None:
        """Release the claim and record how the run ended. Adjacent intervals are merged."""

    def generation_of(self, run_id: str) -> Sequence[PastRun]:
        """The runs that have written the generation of an import to which a run belongs, the latest first; empty if the
        ledger does not know it."""

    def undo(self, runs: Sequence[PastRun], table: Table, column: str, *, commit: bool) -> int:
        """Delete the rows of a generation, given by its runs, from its table: those in whose ``column`` is the id of a
        run. Returns their number.

        The import begins anew afterwards. Without ``commit``, nothing changes. Raises
        :class:`~tui_importer.errors.BusyError` if one of the runs is alive.
        """

    def forget(self, table: str) -> None:
        """Delete every run into this table, and the ledger itself if nothing else is in it."""

    def run_script(self, claim: Claim, moment: ScriptMoment, script: str) -> bool:
        """Execute a script of the claimed import in a transaction, unless an earlier run has: then return False."""

    def publish(
        self,
        claim: Claim,
        stage: Table,
        table: Table,
        columns: Sequence[str],
        change: TargetAction,
        scripts: Scripts = NO_SCRIPTS,
    ) -> None:
        """Change the table, move the rows of a staging table into it and drop the staging table, in one transaction,
        which begins and ends with the scripts.

        All other imports into a table that is replaced or emptied begin anew afterwards; raises
        :class:`~tui_importer.errors.BusyError` if one of them is being carried out. The transaction cannot commit once
        the claim has ended. Rows that the table does not report as inserted (because of a trigger or rule) count as
        skipped from then on.
        """

    def close(self) -> None:
        """Release the claim's lock and close the connection."""
