"""The access that a run needs, so that a missing privilege is reported before the run begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tui_importer.core.model.table import Table
from tui_importer.core.writing.backend import Backend


@dataclass(frozen=True, slots=True)
class Access:
    """The access needed to insert into ``columns`` of ``table``.

    ``creates_table``: the run creates the table first. ``stages``: it also creates a staging table beside it.
    ``reads``: it also reads the table.
    """

    table: Table
    columns: tuple[str, ...]
    creates_table: bool = False
    stages: bool = False
    reads: bool = False


class AccessChecker(Protocol):
    """A :class:`~tui_importer.core.writing.backend.Backend` that can check access beforehand."""

    def check_access(self, access: Access) -> None:
        """Raise :class:`~tui_importer.errors.DatabaseError` if anything is not permitted.

        The message is one line that names the missing privilege and how to grant it.
        """


def check_access(backend: Backend, access: Access) -> None:
    """Check the access if the backend supports it; raises as :meth:`AccessChecker.check_access` does."""
    check: Callable[[Access], None] | None = getattr(backend, "check_access", None)
    if check is not None:
        check(access)
