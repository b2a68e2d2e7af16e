"""Which columns have their sequences advanced after an import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tui_importer.core.conversion.convert import Conversion
from tui_importer.core.conversion.mapping import ColumnMapping, MappedColumn
from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.model.types import ColumnType, Kind
from tui_importer.core.writing.sequences import advance

INTEGER, TEXT = ColumnType(Kind.INTEGER), ColumnType(Kind.TEXT)


class RecordingCatalog:
    """A catalog that keeps which sequences it was asked to advance."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []

    def advance_sequences(self, table: Table, columns: Sequence[str]) -> Sequence[str]:
        self.asked.append((table.name, list(columns)))
        return ["a note"]


def mapping(*columns: TableColumn, imported: Sequence[str]) -> ColumnMapping:
    table = Table("t", columns)
    mapped = [
        MappedColumn(name, position, name, Conversion(column.type))
        for position, name in enumerate(imported)
        if (column := table.column(name)) is not None
    ]
    return ColumnMapping("Sheet1", 0, tuple(imported), tuple(mapped), table)


def test_only_imported_number_columns_with_a_default_are_advanced() -> None:
    catalog: Any = RecordingCatalog()
    columns = (
        TableColumn("id", INTEGER, default=True),
        TableColumn("number", ColumnType(Kind.NUMERIC), default=True),
        TableColumn("amount", INTEGER),
        TableColumn("code", TEXT, default=True),
        TableColumn("other_id", INTEGER, default=True),
    )
    notes = advance(catalog, mapping(*columns, imported=("id", "number", "amount", "code")))
    assert list(notes) == ["a note"]
    assert catalog.asked == [("t", ["id", "number"])]


def test_catalog_is_not_queried_without_sequence_columns() -> None:
    catalog: Any = RecordingCatalog()
    assert not advance(catalog, mapping(TableColumn("amount", INTEGER), imported=("amount",)))
    assert catalog.asked == []
