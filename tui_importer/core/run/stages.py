"""The stages of an import: what is known at each, from the file that is being opened to the recorded end.

Each stage is a frozen value that adds facts to the stage before it, so ``isinstance(stage, Resolved)`` asks whether an
import has come at least so far.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

from tui_importer.core.model.report import Verification
from tui_importer.core.model.table import Table
from tui_importer.core.planning.resolution import ResolvedPlan
from tui_importer.core.run.choices import Choices
from tui_importer.core.run.import_history import ImportHistory
from tui_importer.core.run.job import ImportJob
from tui_importer.core.source.open_source import OpenSource
from tui_importer.core.writing.ledger import PastRun, ResumePoint


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The file is being opened; nothing is known of it yet."""


@dataclass(frozen=True, kw_only=True)
class Opened(Stage):
    """The source is open. ``sha256`` is the digest of its bytes."""

    source: OpenSource
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Identified(Opened):
    """The ledger has been asked about earlier runs. ``history`` is None in a dry run, which records nothing."""

    history: ImportHistory | None


@dataclass(frozen=True, kw_only=True)
class Resolved(Identified):
    """Every column is resolved."""

    resolved: ResolvedPlan


@dataclass(frozen=True, kw_only=True)
class Ready(Resolved):
    """The number of workers and the batch size are chosen; rows may be read."""

    choices: Choices


@dataclass(frozen=True, kw_only=True)
class AlreadyDone(Ready):
    """The run ``past`` has completed this import: nothing is to be written."""

    past: PastRun


@dataclass(frozen=True, kw_only=True)
class Claimed(Ready):
    """The import is claimed.

    ``resume_point`` is None in a dry run. ``created``: this run, or an earlier one that it resumes, creates the table.
    """

    resume_point: ResumePoint | None
    created: bool


@dataclass(frozen=True, kw_only=True)
class PreparedImport(Claimed):
    """The table is there, and so is the ``stage_table`` that an atomic import fills first (None: there is none)."""

    stage_table: Table | None

    @property
    def filled_table(self) -> Table:
        """The table that the workers write to."""
        return self.stage_table or self.resolved.mapping.table


@dataclass(frozen=True, kw_only=True)
class Loading(PreparedImport):
    """The workers write, or have written, the rows."""

    job: ImportJob


@dataclass(frozen=True, kw_only=True)
class Published(Loading):
    """All rows are in their table.

    ``suppressed_late`` rows counted as inserted were suppressed when the staged rows were moved.
    """

    suppressed_late: int


@dataclass(frozen=True, kw_only=True)
class Checked(Published):
    """The table was checked. ``verification`` is None unless it was compared with the source."""

    verification: Verification | None


@dataclass(frozen=True, kw_only=True)
class Recorded(Checked):
    """The ledger knows that the import is complete: it is too late to stop."""


StageT = TypeVar("StageT", bound=Stage)


def after(stage: Stage, kind: type[StageT], **facts: Any) -> StageT:
    """The next stage: the facts of ``stage`` and those that are new. Raises ``TypeError`` unless these are all."""
    return kind(**{field.name: getattr(stage, field.name) for field in fields(stage)}, **facts)
