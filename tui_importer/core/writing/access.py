"""What a run will do at the database, so that a right that it lacks is named before it begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tui_importer.core.model.table import Table
from tui_importer.core.writing.backend import Backend


@dataclass(frozen=True, slots=True)
class Access:
    """Rows go into ``columns`` of ``table``. ``creates_table`` says that it is made first, ``stages`` that the rows
    wait in another table beside it and ``reads`` that it is read as well."""

    table: Table
    columns: tuple[str, ...]
    creates_table: bool = False
    stages: bool = False
    reads: bool = False


class AccessChecker(Protocol):
    """A :class:`~tui_importer.core.writing.backend.Backend` that can be asked what it permits."""

    def check_access(self, access: Access) -> None:
        """Raise :class:`~tui_importer.errors.DatabaseError` where something of it is not permitted: one line that says
        what is lacking and what gives it."""


def check_access(backend: Backend, access: Access) -> None:
    """Ask the backend, where it can be asked; raises as :meth:`AccessChecker.check_access` does."""
    check: Callable[[Access], None] | None = getattr(backend, "check_access", None)
    if check is not None:
        check(access)
