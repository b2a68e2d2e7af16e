"""What is said between a process and the one that began it: a request on its standard input, answers on its output.

A request may hold a database's password, so it goes through a pipe: a command line can be seen by everybody.
"""

from __future__ import annotations

import msgspec

from tui_importer.core.model.plan import Plan
from tui_importer.core.source.layout import Layout


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="message"):
    """Base of all messages."""


class ImportRequest(Message, frozen=True, kw_only=True, tag="import"):
    """Carry out a plan as a recorded run, and write the report to ``report_file`` as well, if one is named.
    ``command`` is what a person would type for it, without secrets."""

    plan: Plan
    command: str
    rejects_file: str | None = None
    report_file: str | None = None


class InspectRequest(Message, frozen=True, kw_only=True, tag="inspect"):
    """Look at the plan's source: :class:`Previewed` as soon as there are rows, then :class:`Inspected`."""

    plan: Plan


class LookAtTargetRequest(Message, frozen=True, kw_only=True, tag="look_at_target"):
    """Look at the plan's target, for a sheet of this layout where it is known: :class:`TargetSeen`."""

    plan: Plan
    layout: Layout | None = None


class RunBegun(Message, frozen=True, kw_only=True, tag="run_begun"):
    """The run has begun and is recorded under this id; nothing more will be said here."""

    run_id: str


class Previewed(Message, frozen=True, kw_only=True, tag="previewed"):
    """The first rows of the sheet (:class:`tui_importer.api.Preview`). ``raw`` says that they are as the file stores
    them: dates are numbers still."""

    sheets: tuple[str, ...]
    sheet: str
    first_row: int
    first_column: int = 0
    rows: tuple[tuple[str, ...], ...]
    raw: bool = False


class Inspected(Message, frozen=True, kw_only=True, tag="inspected"):
    """All that is known of the source (:class:`tui_importer.api.Inspection`); ``plan`` holds no password."""

    plan: Plan
    reader: str
    rows: int | None
    evidence: dict[str, str]
    notes: tuple[str, ...]
    layout: Layout | None = None


class TargetSeen(Message, frozen=True, kw_only=True, tag="target_seen"):
    """The target table: ``exists``, with how many rows, and the ``obstacle`` why the plan cannot be carried out."""

    database: str
    table: str
    exists: bool
    rows: int = 0
    obstacle: str | None = None


class Refused(Message, frozen=True, kw_only=True, tag="refused"):
    """It cannot be: one line, and the exit code of :mod:`tui_importer.errors`."""

    error: str
    exit_code: int


Request = ImportRequest | InspectRequest | LookAtTargetRequest
Answer = RunBegun | Previewed | Inspected | TargetSeen | Refused
