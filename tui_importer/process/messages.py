"""The messages between a process and the one that started it: a request on its standard input, answers on its output.

A request may hold a database password, so it is sent through a pipe: command lines are visible to everybody.
"""

from __future__ import annotations

import msgspec

from tui_importer.core.model.counters import Snapshot
from tui_importer.core.model.plan import Plan
from tui_importer.core.model.report import Report
from tui_importer.core.model.table_change import TableChange
from tui_importer.core.scheduling.executor import ImportSpec
from tui_importer.core.source.layout import Layout
from tui_importer.events import AnyEvent


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="message"):
    """Base of all messages."""


class ImportRequest(Message, frozen=True, kw_only=True, tag="import"):
    """Carry out plans as one recorded run, and also write the report to ``report_file``, if set. ``command`` is the
    equivalent command line, without secrets, as for :class:`tui_importer.api.Run`."""

    plans: tuple[Plan, ...]
    command: str | tuple[str, ...]
    rejects_file: str | None = None
    report_file: str | None = None


class PartRequest(Message, frozen=True, kw_only=True, tag="part"):
    """Carry out one import of a run: answered by :class:`Happened`, :class:`Counted`, :class:`Asked`,
    :class:`Completing` and at last :class:`PartEnded`.

    What follows on standard input, a line each, are orders, and further requests once this one has ended. The end of
    standard input aborts the import: the run is gone.
    """

    spec: ImportSpec


class StopOrder(Message, frozen=True, kw_only=True, tag="stop"):
    """Stop the import, or abort it."""

    reason: str
    exit_code: int
    aborting: bool


class PauseOrder(Message, frozen=True, kw_only=True, tag="pause"):
    """Pause or unpause the import."""

    paused: bool


class WorkersOrder(Message, frozen=True, kw_only=True, tag="workers"):
    """Change the number of workers: answered by :class:`WorkersAnswer`."""

    workers: int


class ApprovalOrder(Message, frozen=True, kw_only=True, tag="approval"):
    """The answer to :class:`Asked`."""

    approved: bool


class CompletionOrder(Message, frozen=True, kw_only=True, tag="completion"):
    """The answer to :class:`Completing`: all that was told before it has been taken."""


class InspectRequest(Message, frozen=True, kw_only=True, tag="inspect"):
    """Inspect the plan's source: answered by :class:`Previewed` as soon as there are rows, then by
    :class:`Inspected`."""

    plan: Plan


class LookAtTargetRequest(Message, frozen=True, kw_only=True, tag="look_at_target"):
    """Inspect the plan's target, for a sheet of this layout if it is known: answered by :class:`TargetSeen`."""

    plan: Plan
    layout: Layout | None = None


class RunBegun(Message, frozen=True, kw_only=True, tag="run_begun"):
    """The run has begun and is recorded under this id. This is the last message."""

    run_id: str


class Happened(Message, frozen=True, kw_only=True, tag="happened"):
    """An event of the import."""

    event: AnyEvent


class Counted(Message, frozen=True, kw_only=True, tag="counted"):
    """The counters of the import, a few times a second."""

    snapshot: Snapshot


class Asked(Message, frozen=True, kw_only=True, tag="asked"):
    """The import asks whether it may change its table: answered by :class:`ApprovalOrder`."""

    change: TableChange


class Completing(Message, frozen=True, kw_only=True, tag="completing"):
    """The import would be recorded as complete: waits for :class:`CompletionOrder`, since nobody would tell its events
    again."""


class WorkersAnswer(Message, frozen=True, kw_only=True, tag="workers_answer"):
    """The answer to :class:`WorkersOrder`: None, or why it was refused."""

    refused: str | None


class PartEnded(Message, frozen=True, kw_only=True, tag="part_ended"):
    """The import has ended."""

    report: Report


class Previewed(Message, frozen=True, kw_only=True, tag="previewed"):
    """The first rows of the sheet (:class:`tui_importer.core.model.preview.Preview`). ``raw`` says that values are as
    stored in the file: dates are still numbers."""

    sheets: tuple[str, ...]
    sheet: str
    first_row: int
    first_column: int = 0
    rows: tuple[tuple[str, ...], ...]
    raw: bool = False


class Inspected(Message, frozen=True, kw_only=True, tag="inspected"):
    """The result of an inspection (:class:`tui_importer.inspection.Inspection`); ``plan`` holds no password."""

    plan: Plan
    reader: str
    rows: int | None
    evidence: dict[str, str]
    notes: tuple[str, ...]
    layout: Layout | None = None


class TargetSeen(Message, frozen=True, kw_only=True, tag="target_seen"):
    """The target table (:class:`tui_importer.inspection.TargetTable`)."""

    database: str
    table: str
    exists: bool
    rows: int = 0
    obstacle: str | None = None
    doubles: bool = False


class Refused(Message, frozen=True, kw_only=True, tag="refused"):
    """The request was refused: a one-line error, and the exit code of :mod:`tui_importer.errors`."""

    error: str
    exit_code: int


Request = ImportRequest | PartRequest | InspectRequest | LookAtTargetRequest
PartOrder = StopOrder | PauseOrder | WorkersOrder | ApprovalOrder | CompletionOrder
PartMessage = PartRequest | PartOrder
PartAnswer = Happened | Counted | Asked | Completing | WorkersAnswer | PartEnded | Refused
Answer = RunBegun | Previewed | Inspected | TargetSeen | Refused
