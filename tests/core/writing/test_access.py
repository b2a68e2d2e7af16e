"""Asking a backend what it permits before the run begins."""

from __future__ import annotations

from typing import Any

import pytest

from tui_importer.core.model.table import Table
from tui_importer.core.writing.access import Access, check_access
from tui_importer.errors import DatabaseError

ACCESS = Access(Table("t", ()), ("a",), creates_table=True)


class Checking:
    """A backend that permits nothing, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Access] = []

    def check_access(self, access: Access) -> None:
        self.asked.append(access)
        raise DatabaseError("no INSERT on table t")


def test_a_backend_that_cannot_be_asked_permits_everything() -> None:
    backend: Any = object()
    check_access(backend, ACCESS)


def test_a_backend_is_asked_for_just_this_access() -> None:
    backend: Any = Checking()
    with pytest.raises(DatabaseError, match="no INSERT on table t"):
        check_access(backend, ACCESS)
    assert backend.asked == [ACCESS]


def test_nothing_beyond_inserting_is_asked_for_by_default() -> None:
    access = Access(Table("t", ()), ("a",))
    assert (access.creates_table, access.stages, access.reads) == (False, False, False)
