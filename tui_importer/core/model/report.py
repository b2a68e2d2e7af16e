"""The result of a run: the JSON report, and the equation that every count of it obeys."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Literal, Self

import msgspec

from tui_importer.errors import ReconciliationError
from tui_importer.events import Reject

#: The version of the report's form; raised when an existing key changes its meaning or goes away.
SCHEMA_VERSION = 1
#: Rejects in a report: enough to see what is wrong; the reject workbook has them all.
MAX_REPORTED_REJECTS = 100
#: Cells that stand for a group of rejects.
CELLS_PER_REASON = 3

Outcome = Literal[
    "complete", "complete_with_rejects", "complete_with_suppressed", "already_imported", "stopped", "failed"
]


class SourceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was read. ``rows`` leaves out blank rows; ``first_row`` to ``last_row`` are the sheet rows (from 1) of
    the data; ``sha256`` is the file's, in hex."""

    file: str
    sheet: str | None
    reader: str | None = None
    range: str | None = None
    header_row: int | None = None
    first_row: int | None = None
    last_row: int | None = None
    rows: int | None = None
    sha256: str | None = None


class TargetReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was written to. ``database`` holds no password; ``created`` says that this run made the table."""

    backend: str
    database: str
    table: str
    created: bool


class Stats(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The counts: ``total_records`` are the rows read, ``success_count`` those inserted or updated, ``error_count``
    those rejected. ``blank_rows`` are in none of the others. Of the rows ``skipped``, ``already_in`` are in the table
    by earlier runs of the import. ``suppressed`` ones were taken by the database without an error and not reported as
    inserted: a trigger or a rule of the table kept them out, or put them elsewhere. Both are left out where they are
    0."""

    total_records: int
    success_count: int
    error_count: int
    inserted: int
    updated: int
    skipped: int
    blank_rows: int
    retries: int
    duration: str
    duration_seconds: float
    records_per_second: float
    already_in: int = 0
    suppressed: int = 0

    @property
    def in_table(self) -> int:
        """The rows of the import that are in the table, by this run or an earlier one."""
        return self.success_count + self.already_in

    @classmethod
    def count(
        cls,
        *,
        read: int,
        inserted: int,
        updated: int,
        skipped: int,
        rejected: int,
        blank: int,
        retries: int,
        seconds: float,
        earlier: int = 0,
        already_in: int = 0,
        suppressed: int = 0,
    ) -> Self:
        """The stats of a run, ``earlier`` of whose rows earlier runs have dealt with (``already_in`` of these are in
        the table), whether they add up or not: a run that fails for that shows its numbers."""
        # JSON knows neither NaN nor infinity.
        seconds = round(seconds, 6) if math.isfinite(seconds) and seconds > 0 else 0.0
        pace = max(0, inserted + updated + skipped + rejected - earlier) / seconds if seconds else 0.0
        return cls(
            total_records=read,
            success_count=inserted + updated,
            error_count=rejected,
            inserted=inserted,
            updated=updated,
            skipped=skipped,
            blank_rows=blank,
            retries=retries,
            duration=f"{seconds:.2f}s",
            duration_seconds=seconds,
            records_per_second=round(pace, 1),
            already_in=already_in,
            suppressed=suppressed,
        )

    def reconcile(self) -> None:
        """Raise :class:`ReconciliationError` unless every row read is accounted for, once."""
        reconcile(self.total_records, self.inserted, self.updated, self.skipped, self.error_count)


class ReportedColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column's way from the sheet into the table."""

    source: str
    letter: str
    target: str
    type: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--verify`` compared and found equal: ``rows`` in so many ``columns``; ``not_compared`` names the columns
    whose values a database gives back in another form."""

    rows: int
    columns: int
    not_compared: tuple[str, ...] = ()


class ReportedFault(msgspec.Struct, frozen=True, kw_only=True):
    """A further fault of a rejected row."""

    cell: str
    column: str | None
    value: str | None
    reason: str
    sqlstate: str | None


class ReportedReject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rejected row with its first fault; ``more`` is there only where it has several."""

    sheet: str
    row: int
    cell: str
    column: str | None
    value: str | None
    reason: str
    sqlstate: str | None
    more: tuple[ReportedFault, ...] = ()


@dataclass(frozen=True, slots=True)
class ReasonGroup:
    """Faults that are alike (:mod:`tui_importer.core.model.reject_groups`): how many, and the cells of the first few in
    sheet order. ``reason`` is theirs, with an ellipsis for what they do not share."""

    column: str | None
    reason: str
    count: int
    cells: tuple[str, ...]
    constraint: str | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run. Times are UTC as RFC 3339 writes them; ``rejects`` is capped, ``rejects_total``,
    ``reject_groups`` and the file ``rejects_file`` are not. ``resumes`` is the run whose import this one went on with,
    or found already done: what that run has put in counts as skipped, what it rejected as rejected. The counts of a
    ``dry_run``, which writes nothing, are what an import would come to; ``verified`` is None where table and source
    were not compared."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    outcome: Outcome
    exit_code: int
    dry_run: bool = False
    method: str
    workers: int
    batch_size: int
    started_at: str
    finished_at: str
    source: SourceReport
    target: TargetReport
    stats: Stats
    columns: tuple[ReportedColumn, ...] = ()
    notes: tuple[str, ...] = ()
    error: str | None = None
    verified: Verification | None = None
    resumes: str | None = None
    rejects: tuple[ReportedReject, ...] = ()
    rejects_total: int = 0
    reject_groups: tuple[ReasonGroup, ...] = ()
    rejects_file: str | None = None


def reconcile(read: int, inserted: int, updated: int, skipped: int, rejected: int) -> None:
    """Raise :class:`ReconciliationError` unless read = inserted + updated + skipped + rejected."""
    completed = inserted + updated + skipped + rejected
    if read != completed or min(read, inserted, updated, skipped, rejected) < 0:
        raise ReconciliationError(
            f"the counts do not add up: read {read:,}, but inserted {inserted:,} + updated {updated:,} "
            f"+ skipped {skipped:,} + rejected {rejected:,} = {completed:,}"
        )


def reported(reject: Reject) -> ReportedReject:
    """A reject as the report lists it. A reject without a fault is a defect: ``ValueError``."""
    if not reject.faults:
        raise ValueError(f"row {reject.row} of {reject.sheet} was rejected without a reason")
    first, *others = reject.faults
    return ReportedReject(
        sheet=reject.sheet,
        row=reject.row,
        cell=first.cell,
        column=first.column,
        value=first.value,
        reason=first.reason,
        sqlstate=first.sqlstate,
        more=tuple(
            ReportedFault(
                cell=fault.cell, column=fault.column, value=fault.value, reason=fault.reason, sqlstate=fault.sqlstate
            )
            for fault in others
        ),
    )


def to_json(report: Report) -> bytes:
    """The report as indented JSON, ending with a line break."""
    try:
        return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
    except UnicodeEncodeError:
        # A cell may hold half of a surrogate pair, which UTF-8 cannot carry but a JSON escape can.
        return json.dumps(msgspec.to_builtins(report), indent=2, allow_nan=False).encode("ascii") + b"\n"


def from_json(data: bytes) -> Report:
    """The inverse of :func:`to_json`; raises ``ValueError`` for anything else."""
    try:
        return msgspec.convert(json.loads(data), Report)
    except msgspec.ValidationError as error:  # in older versions it is no ValueError
        raise ValueError(str(error)) from error
