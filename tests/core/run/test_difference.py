"""What an upsert would change, from records that are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tui_importer.core.conversion.convert import Conversion
from tui_importer.core.conversion.mapping import ColumnMapping, MappedColumn
from tui_importer.core.model.batch import Batch
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.table import Table, TableColumn
from tui_importer.core.model.types import INTEGER, TEXT, ColumnType, Kind
from tui_importer.core.model.write_mode import WriteKind, WriteMode
from tui_importer.core.run.difference import ChangedValue, ChangeKind, RowChange, difference

TYPES = {"id": INTEGER, "name": TEXT, "at": ColumnType(Kind.TIMESTAMP, timezone=True)}
TABLE = Table("t", tuple(TableColumn(name, type_) for name, type_ in TYPES.items()))
MAPPING = ColumnMapping(
    "S",
    0,
    tuple(TYPES),
    tuple(MappedColumn(name, place, name, Conversion(type_)) for place, (name, type_) in enumerate(TYPES.items())),
    TABLE,
)


class Sheet:
    """A source of these records, from sheet row 2 on."""

    def __init__(self, *records: tuple[Any, ...]) -> None:
        self._records = records

    def batches(self, *arguments: object) -> Iterator[Batch]:
        for row, record in enumerate(self._records, start=2):
            columns = tuple(ListColumn([cell]) for cell in record)
            yield Batch(1, "S", row, row, [row], columns, columns)


class TableContents:
    """A catalog whose table holds these records."""

    def __init__(self, *records: tuple[Any, ...]) -> None:
        self._records = records

    def read(self, table: Table, columns: Sequence[str], rows: int) -> Iterator[Sequence[Sequence[Any]]]:
        yield self._records


def found(sheet: Any, known: Any, **mode: Any) -> Any:
    return difference(sheet, MAPPING, WriteMode(WriteKind.UPSERT, ("id",), **mode), known, "a.csv")


def test_every_row_is_inserted_updated_unchanged_or_missing() -> None:
    sheet = Sheet((1, "a", None), (2, "b", None), (3, "c", None), (2, "B", None))
    result = found(sheet, TableContents((2, "old", None), (3, "c", None), (4, None, None)))
    assert (result.inserted, result.updated, result.unchanged, result.missing) == (1, 1, 1, 1)
    assert (result.superseded, result.rejected) == (1, 0)
    assert result.changes == (
        RowChange(ChangeKind.INSERT, 2, {"id": "1"}),
        RowChange(ChangeKind.UPDATE, 5, {"id": "2"}, (ChangedValue("name", "old", "B"),)),
        RowChange(ChangeKind.MISSING, None, {"id": "4"}),
    )


def test_column_with_incomparable_values_is_reported_as_not_compared() -> None:
    result = found(Sheet((1, "a", "x")), TableContents((1, "a", "y")))
    assert (result.not_compared, result.unchanged) == (("at",), 1)


def test_columns_excluded_from_the_update_are_not_compared() -> None:
    assert found(Sheet((1, "a", None)), TableContents((1, "b", None)), update=("at",)).changes == ()
