"""What a catalog does that does not say otherwise."""

from __future__ import annotations

from tui_importer.core.model.table import Table
from tui_importer.core.writing.access import Access
from tui_importer.core.writing.catalog import BaseCatalog

TABLE = Table("t", ())


def test_everything_is_permitted() -> None:
    BaseCatalog().check_access(Access(TABLE, ("a",), creates_table=True))


def test_sequences_are_left_alone() -> None:
    assert not BaseCatalog().advance_sequences(TABLE, ["a"])
