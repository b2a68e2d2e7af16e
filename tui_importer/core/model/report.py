"""The result of a run: the JSON report, and the equation that its counts satisfy."""

from __future__ import annotations

import json
import math
from typing import Literal, Self

import msgspec

from tui_importer.core.model.json_text import encode_json
from tui_importer.core.model.plugin_values import PluginValue
from tui_importer.core.model.rates import rows_per_second
from tui_importer.core.model.stage_seconds import StageSeconds
from tui_importer.errors import ReconciliationError
from tui_importer.events import Reject

#: The version of the report's format; increased when an existing key changes its meaning or is removed.
SCHEMA_VERSION = 1
#: The number of rejects in a report: enough to see what is wrong; the reject workbook has all of them.
MAX_REPORTED_REJECTS = 100
#: The number of cells given for a group of rejects.
CELLS_PER_REASON = 3

Outcome = Literal[
    "complete", "complete_with_rejects", "complete_with_suppressed", "already_imported", "stopped", "failed"
]


class SourceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was read.

    ``rows`` does not include blank rows; ``first_row`` to ``last_row`` are the sheet rows (from 1) of the data;
    ``sha256`` is the file's digest in hexadecimal.
    """

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
    """What was written to. ``database`` contains no password; ``created``: this run created the table."""

    backend: str
    database: str
    table: str
    created: bool


class Stats(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The counts of a run.

    ``total_records`` is the number of rows read, ``success_count`` of those inserted or updated, ``error_count`` of
    those rejected; none of these includes ``blank_rows``. Of the rows ``skipped``, ``already_in`` are in the table from
    earlier runs of the import. The ``suppressed`` rows were accepted by the database without an error but not reported
    as inserted: a trigger or rule of the table kept them out or stored them elsewhere. Earlier runs of the import
    completed ``completed_earlier`` of the rows, which do not count in ``records_per_second``. The ``existing`` rows
    were skipped because their key was in the table already, and nothing was to be changed there.
    ``already_in``, ``suppressed``, ``completed_earlier`` and ``existing`` are omitted if 0.
    """

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
    completed_earlier: int = 0
    existing: int = 0

    @property
    def in_table(self) -> int:
        """The number of rows of the import that are in the table, from this run or an earlier one."""
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
        completed_earlier: int = 0,
        already_in: int = 0,
        suppressed: int = 0,
        existing: int = 0,
    ) -> Self:
        """The stats of a run, without checking that they add up: a run that fails for that reports them too."""
        # JSON has neither NaN nor infinity.
        seconds = round(seconds, 6) if math.isfinite(seconds) and seconds > 0 else 0.0
        rate = rows_per_second(inserted + updated + skipped + rejected - completed_earlier, seconds)
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
            records_per_second=round(rate, 1),
            already_in=already_in,
            suppressed=suppressed,
            completed_earlier=completed_earlier,
            existing=existing,
        )

    def reconcile(self) -> None:
        """Raise :class:`ReconciliationError` unless every row read is accounted for exactly once."""
        reconcile(self.total_records, self.inserted, self.updated, self.skipped, self.error_count)


class ReportedColumn(msgspec.Struct, frozen=True, kw_only=True):
    """How a source column maps to a target column."""

    source: str
    letter: str
    target: str
    type: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What ``--verify`` compared and found equal: ``rows`` rows in ``columns`` columns.

    ``not_compared`` names the columns whose values a database returns in another form.
    """

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
    """A rejected row with its first fault; ``more`` is omitted unless there are several.

    ``source`` is the number of its source in the run, omitted if 1.
    """

    sheet: str
    row: int
    cell: str
    column: str | None
    value: str | None
    reason: str
    sqlstate: str | None
    more: tuple[ReportedFault, ...] = ()
    source: int = 1


class ReasonGroup(msgspec.Struct, frozen=True):
    """Similar faults (:mod:`tui_importer.core.model.reject_groups`).

    ``count`` is their number and ``cells`` has the first few in sheet order. ``reason`` has an ellipsis for the part in
    which they differ. ``source`` is the number of their source in the run, from 1; 0 for a group
    of several sources.
    """

    column: str | None
    reason: str
    count: int
    cells: tuple[str, ...]
    constraint: str | None = None
    source: int = 1


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run.

    Times are UTC in RFC 3339 format. ``rejects`` is capped; ``rejects_total``, ``reject_groups`` and the file
    ``rejects_file`` cover all rejects. ``resumes`` is the earlier run that this one resumed or that had already
    completed the import: rows written by it count as skipped, rows rejected by it as rejected. A ``dry_run`` writes
    nothing, and its counts are those that an import would have. ``stages`` divide the duration of the import; they are
    None for one that was not begun. ``peak_memory`` is that of the process that carried it out, since it began, in
    bytes; None if the system does not tell. ``plugin_options`` are those of the plan. ``verified``
    is None if table and source were not compared.
    """

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
    stages: StageSeconds | None = None
    peak_memory: int | None = None
    columns: tuple[ReportedColumn, ...] = ()
    plugin_options: dict[str, dict[str, PluginValue]] = {}
    notes: tuple[str, ...] = ()
    error: str | None = None
    verified: Verification | None = None
    resumes: str | None = None
    rejects: tuple[ReportedReject, ...] = ()
    rejects_total: int = 0
    reject_groups: tuple[ReasonGroup, ...] = ()
    rejects_file: str | None = None


class SetReport(Report, frozen=True, kw_only=True):
    """The result of a run of several sources: totals, and the report of each import in ``imports``, in their order.

    The fields of :class:`Report` that name things (``method``, and those of ``source`` and ``target``) name the first
    few of all imports, and ``workers`` and ``batch_size`` are the largest. ``notes`` are about the whole run. Columns,
    stages, rejects, verification and the notes on each import are in ``imports`` alone. The ``run_id`` of an import is
    the run's with a dot and the number of its source: the ledger knows it by that.
    """

    imports: tuple[Report, ...]


def reports_of_imports(report: Report) -> tuple[Report, ...]:
    """The report of each import of a run, in the order of their sources."""
    return report.imports if isinstance(report, SetReport) else (report,)


def reconcile(read: int, inserted: int, updated: int, skipped: int, rejected: int) -> None:
    """Raise :class:`ReconciliationError` unless read = inserted + updated + skipped + rejected."""
    completed = inserted + updated + skipped + rejected
    if read != completed or min(read, inserted, updated, skipped, rejected) < 0:
        raise ReconciliationError(
            f"the counts do not add up: read {read:,}, but inserted {inserted:,} + updated {updated:,} "
            f"+ skipped {skipped:,} + rejected {rejected:,} = {completed:,}"
        )


def reported(reject: Reject, source: int = 1) -> ReportedReject:
    """A reject from this source as listed in the report.

    Raises ``ValueError`` for one without a fault, which is a defect.
    """
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
        source=source,
    )


def to_json(report: Report) -> bytes:
    """The report as indented JSON, ending with a line break."""
    return encode_json(report, indent=2) + b"\n"


def from_json(data: bytes) -> Report:
    """The inverse of :func:`to_json`; raises ``ValueError`` for anything else."""
    try:
        raw = json.loads(data)
        several = isinstance(raw, dict) and "imports" in raw
        return msgspec.convert(raw, SetReport if several else Report)
    except msgspec.ValidationError as error:  # not a ValueError in older versions
        raise ValueError(str(error)) from error
