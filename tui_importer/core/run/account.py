"""The account of a run: what all of its writers have committed, added up."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import msgspec

from tui_importer.core.model.batch_outcome import BatchOutcome
from tui_importer.core.writing.ledger import Counts
from tui_importer.core.writing.suppressed_rows import SuppressedRows
from tui_importer.events import Reject

NO_COUNTS = Counts()
#: A percentage of rejects is only checked from this many completed rows on.
MIN_ROWS_FOR_PERCENT = 1_000


class RejectSink(Protocol):
    """Stores rejects. Called by one thread at a time; raises an error rather than lose one."""

    def add_many(self, rejects: Sequence[Reject]) -> None: ...


class RejectLimit(Protocol):
    """``--max-rejects``: whether ``rejected`` of ``completed`` rows are too many."""

    def __call__(self, rejected: int, completed: int) -> bool: ...


def reject_limit(text: str | None) -> RejectLimit:
    """Parse a limit, ``"N"`` rows or ``"P%"`` of the completed rows; None means no limit. The text is valid."""
    if text is None:
        return lambda rejected, completed: False
    if text.endswith("%"):
        share = float(text[:-1]) / 100
        return lambda rejected, completed: completed >= MIN_ROWS_FOR_PERCENT and rejected > share * completed
    most = int(text)
    return lambda rejected, completed: rejected > most


class Totals(msgspec.Struct, frozen=True):
    """What outcomes add up to. ``seconds`` is the time spent on the ``batches``, ``send_seconds`` and
    ``ledger_seconds`` are parts of it."""

    counts: Counts = NO_COUNTS
    batches: int = 0
    retries: int = 0
    seconds: float = 0.0
    send_seconds: float = 0.0
    ledger_seconds: float = 0.0

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.counts + other.counts,
            self.batches + other.batches,
            self.retries + other.retries,
            self.seconds + other.seconds,
            self.send_seconds + other.send_seconds,
            self.ledger_seconds + other.ledger_seconds,
        )

    @classmethod
    def of(cls, outcome: BatchOutcome) -> Totals:
        """Those of one outcome."""
        counts = Counts(outcome.inserted, outcome.updated, outcome.skipped, len(outcome.rejects))
        return cls(
            counts,
            int(outcome.last_row is not None),
            outcome.retries,
            outcome.seconds,
            outcome.send_seconds,
            outcome.ledger_seconds,
        )


class Account:
    """Adds up the outcomes of all batches, wherever they were written. The totals of a run come from here alone.

    ``suppressed`` says where rows were that the database suppressed, ``defaults`` how many blanks took a column's
    default, by column. Several threads may add outcomes.
    """

    def __init__(self, rejects: RejectSink, max_rejects: str | None) -> None:
        self.suppressed = SuppressedRows()
        self.defaults = Counter[str]()
        self._rejects = rejects
        self._max_rejects = max_rejects
        self._too_many = reject_limit(max_rejects)
        self._workers: dict[int, Totals] = {}
        self._lock = threading.Lock()

    def add(self, outcome: BatchOutcome) -> str | None:
        """Add an outcome, and store its rejects; returns why the run must stop, if too many rows have been rejected."""
        with self._lock:
            self._workers[outcome.worker] = self._workers.get(outcome.worker, Totals()) + Totals.of(outcome)
            self.suppressed.add(outcome)
            self.defaults.update(outcome.defaults)
            if outcome.rejects:
                self._rejects.add_many(outcome.rejects)
            counts = self._sum().counts
        if not self._too_many(counts.rejected, counts.rows):
            return None
        return f"more than {self._max_rejects} rows were rejected (--max-rejects)"

    def total(self) -> Totals:
        """What this run has committed so far."""
        with self._lock:
            return self._sum()

    def of_worker(self, worker: int) -> Totals:
        """What a worker has committed so far."""
        with self._lock:
            return self._workers.get(worker, Totals())

    def _sum(self) -> Totals:
        return sum(self._workers.values(), Totals())
