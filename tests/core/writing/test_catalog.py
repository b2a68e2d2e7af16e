"""What a catalog does that does not say otherwise."""

from __future__ import annotations

from tui_importer.core.model.table import Table
from tui_importer.core.writing.access import Access
from tui_importer.core.writing.catalog import BaseCatalog

TABLE = Table("t", ())


def test_base_catalog_permits_everything() -> None:
    BaseCatalog().check_access(Access(TABLE, ("a",), creates_table=True))


def test_base_catalog_does_not_advance_sequences() -> None:
    assert not BaseCatalog().advance_sequences(TABLE, ["a"])
