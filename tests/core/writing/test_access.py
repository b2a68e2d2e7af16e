"""What a run says beforehand that it will do."""

from __future__ import annotations

from tui_importer.core.model.table import Table
from tui_importer.core.writing.access import Access


def test_only_insert_is_required_by_default() -> None:
    access = Access(Table("t", ()), ("a",))
    assert (access.creates_table, access.stages, access.reads) == (False, False, False)
