"""The ledger: tables in the target database that say which rows of which import are in.

A batch's rows, its ledger entry and its rejects commit together, so the ledger never says more or less than the table
holds. It keeps intervals of sheet rows, not numbers of batches: a later run may use another strategy, worker count or
batch size. A run writes under a claim; a run that takes an import over ends the claim of the one before, whose
transactions then commit nothing more. None of that depends on knowing whether a process is alive: that only decides
whether a second run is refused or takes over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from tui_importer.core.model.completed_rows import Interval
from tui_importer.core.model.plan import ColumnPlan
from tui_importer.core.model.table import Table
from tui_importer.events import Reject

#: The version of the ledger's tables; raised when an older program could misread or harm a newer ledger.
LEDGER_VERSION = 1


class RunState(StrEnum):
    """What became of a run, as the ledger knows it."""

    RUNNING = "running"  # or its process died before it could say otherwise
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"
    SUPERSEDED = "superseded"  # it died, and another run has taken its import over


@dataclass(frozen=True, slots=True)
class Claim:
    """A run's right to write an import's rows. ``round`` counts how often the same import was begun from scratch."""

    import_id: str
    round: int
    run_id: str
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What one transaction settles: the sheet rows ``first_row`` to ``last_row``.

    ``previous_last_row`` is the last row of the entry that it extends (the one that begins at ``first_row``); None
    makes a new one. Counts and ``rejects`` are this transaction's.
    """

    first_row: int
    last_row: int
    previous_last_row: int | None = None
    inserted: int = 0
    skipped: int = 0
    rejects: Sequence[Reject] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of an import that are settled."""

    inserted: int = 0
    updated: int = 0
    skipped: int = 0
    rejected: int = 0

    @property
    def rows(self) -> int:
        """All of them."""
        return self.inserted + self.updated + self.skipped + self.rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run as it begins: what it imports (see :class:`tui_importer.core.run.identity.Identity`), and how.

    ``columns`` are the resolved ones; ``created_table`` says that this import makes its table, ``command`` is what a
    person would type to repeat the run.
    """

    run_id: str
    import_id: str
    round: int
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun(NewRun):
    """A run that the ledger knows.

    Times are UTC as RFC 3339 writes them; ``counts`` are of the import's round up to the end of this run, zero where it
    did not say how it ended and no other run has taken its import over. ``before`` are the checksums of what the table
    held before the round; ``published`` says that the rows of an atomic import are in their table.
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


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """How far an import is, as its new run finds it: ``taken_over`` is the run whose claim was ended for it."""

    claim: Claim
    intervals: Sequence[Interval] = ()
    rejected_rows: Sequence[int] = field(default=())
    counts: Counts = Counts()
    taken_over: str | None = None


class Ledger(Protocol):
    """The ledger of one database. Methods raise the errors of :mod:`tui_importer.errors`."""

    def history(self, table: str) -> Sequence[PastRun]:
        """The runs into this table (by its qualified name), the latest first; empty where there is no ledger yet.

        Raises :class:`~tui_importer.errors.UsageError` for a ledger of a newer version.
        """

    def runs(self, limit: int) -> Sequence[PastRun]:
        """The latest runs into any table."""

    def is_alive(self, run: PastRun) -> bool | None:
        """Whether the process of a run that has not said how it ended is there; None where that cannot be known,
        because it is one of another machine."""

    def begin(self, run: NewRun) -> ResumePoint:
        """Make the ledger's tables where they are missing, end the claim of a dead run of the same import (waiting for
        its transactions in flight), and claim the import.

        Raises :class:`~tui_importer.errors.BusyError` where another run of the import is alive.
        """

    def counts(self, import_id: str, round_: int) -> Counts:
        """What the entries of a round come to."""

    def rejects(self, claim: Claim) -> Iterator[Reject]:
        """The rejects of an import's round so far, by sheet row."""

    def note_before(self, claim: Claim, before: str) -> None:
        """Keep what the table held before this round (for ``--verify``)."""

    def finish(self, claim: Claim, state: RunState, counts: Counts, blank_rows: int, error: str | None) -> None:
        """Give the claim back and say how the run ended. Intervals that touch are merged."""

    def forget(self, table: str) -> None:
        """Forget every run into this table, and the ledger itself where nothing else is in it."""

    def publish(self, claim: Claim, stage: Table, table: Table, columns: Sequence[str], *, create: bool) -> None:
        """Move the rows of a staging table into the table, which is created first where ``create`` says so, and drop
        the staging table; all in one transaction, which no run without a claim can commit.

        Rows that the table does not report as inserted (a trigger, a rule) are counted as skipped from then on.
        """

    def holds_rows(self, table: Table) -> bool:
        """Whether the table is there and holds any row."""

    def count(self, table: Table) -> int:
        """How many rows the table holds."""

    def read(self, table: Table, columns: Sequence[str], rows: int) -> Iterator[Sequence[Sequence[Any]]]:
        """These columns of all rows of the table, so many rows at a time, as the driver gives them."""

    def close(self) -> None:
        """Let go of the claim's lock and the connection."""
