"""The stages of an import: what is known at each, from the file that is being opened to the recorded end.

Each stage is a frozen value that adds facts to the stage before it, so ``isinstance(stage, Resolved)`` asks whether an
import has come at least so far.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from tui_importer.core.model.report import Verification
from tui_importer.core.model.table import Table
from tui_importer.core.planning.resolution import ResolvedPlan
from tui_importer.core.run.choices import Choices
from tui_importer.core.run.import_history import ImportHistory
from tui_importer.core.run.job import ImportJob
from tui_importer.core.source.open_source import OpenSource
from tui_importer.core.writing.ledger import PastRun, ResumePoint


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """The file is being opened; nothing is known of it yet."""


class Opened(Stage, frozen=True, kw_only=True):
    """The source is open. ``sha256`` is the digest of its bytes."""

    source: OpenSource
    sha256: str


class Identified(Opened, frozen=True, kw_only=True):
    """The ledger has been asked about earlier runs. ``history`` is None in a dry run, which records nothing."""

    history: ImportHistory | None


class Resolved(Identified, frozen=True, kw_only=True):
    """Every column is resolved."""

    resolved: ResolvedPlan


class Ready(Resolved, frozen=True, kw_only=True):
    """The number of workers and the batch size are chosen; rows may be read."""

    choices: Choices


class AlreadyDone(Ready, frozen=True, kw_only=True):
    """The run ``past`` has completed this import: nothing is to be written."""

    past: PastRun


class Claimed(Ready, frozen=True, kw_only=True):
    """The import is claimed.

    ``resume_point`` is None in a dry run. ``created``: this run, or an earlier one that it resumes, creates the table.
    """

    resume_point: ResumePoint | None
    created: bool


class PreparedImport(Claimed, frozen=True, kw_only=True):
    """The table is there, and so is the ``stage_table`` that an atomic import fills first (None: there is none)."""

    stage_table: Table | None

    @property
    def filled_table(self) -> Table:
        """The table that the workers write to."""
        return self.stage_table or self.resolved.mapping.table


class Loading(PreparedImport, frozen=True, kw_only=True):
    """The workers write, or have written, the rows."""

    job: ImportJob


class Published(Loading, frozen=True, kw_only=True):
    """All rows are in their table.

    ``suppressed_late`` rows counted as inserted were suppressed when the staged rows were moved.
    """

    suppressed_late: int


class Checked(Published, frozen=True, kw_only=True):
    """The table was checked. ``verification`` is None unless it was compared with the source."""

    verification: Verification | None


class Recorded(Checked, frozen=True, kw_only=True):
    """The ledger knows that the import is complete: it is too late to stop."""


StageT = TypeVar("StageT", bound=Stage)


def after(stage: Stage, kind: type[StageT], **facts: Any) -> StageT:
    """The next stage: the facts of ``stage`` and those that are new. Raises ``TypeError`` unless these are all."""
    return kind(**{name: getattr(stage, name) for name in stage.__struct_fields__}, **facts)
