"""What an upsert of a sheet would change in its table, without writing anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from enum import StrEnum
from typing import Any

import msgspec

from tui_importer.core.conversion.mapping import ColumnMapping
from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.model.completed_rows import CompletedRows
from tui_importer.core.model.counters import ReaderCounters
from tui_importer.core.model.write_mode import WriteMode
from tui_importer.core.source.open_source import OpenSource
from tui_importer.core.writing.catalog import Catalog
from tui_importer.core.writing.defaults import default_places
from tui_importer.core.writing.verification import comparable

#: Rows read at a time, of the sheet and of the table.
_ROWS = 5_000

Key = tuple[str, ...]
Record = tuple[Any, ...]


class ChangeKind(StrEnum):
    """What would become of a row."""

    INSERT = "insert"
    UPDATE = "update"
    MISSING = "missing"  # the table has it, the sheet does not: an upsert leaves it as it is


class ChangedValue(msgspec.Struct, frozen=True):
    """A value of a row that would be updated, as text; None for NULL."""

    column: str
    old: str | None
    new: str | None


class RowChange(msgspec.Struct, frozen=True):
    """A row that differs: its sheet row (None if it is missing), its key as text, and the values that would change."""

    kind: ChangeKind
    row: int | None
    key: dict[str, str | None]
    values: tuple[ChangedValue, ...] = ()


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What an upsert would do. Of several rows of one key, only the last one counts; the others are ``superseded``.

    ``rejected`` rows cannot be converted. The values of the columns ``not_compared`` come back from the database in
    another form than they are sent.
    """

    source: str
    table: str
    inserted: int
    updated: int
    unchanged: int
    missing: int
    superseded: int
    rejected: int
    not_compared: tuple[str, ...]
    changes: tuple[RowChange, ...]


def difference(source: OpenSource, mapping: ColumnMapping, mode: WriteMode, catalog: Catalog, name: str) -> Difference:
    """Compare the rows of the sheet with those of the table; ``name`` is the source's, for people.

    Holds the rows of the sheet and all changes in memory.
    """
    comparison = _Comparison(mapping, mode)
    rows, superseded, rejected = _rows_by_key(source, mapping, comparison)
    changes: list[RowChange] = []
    unchanged = missing = updated = 0
    for records in catalog.read(mapping.table, mapping.targets, _ROWS):
        for record in records:
            known = tuple(record)
            found = rows.pop(comparison.key(known), None)
            if found is None:
                missing += 1
                changes.append(RowChange(ChangeKind.MISSING, None, comparison.shown_key(known)))
                continue
            number, new = found
            if values := comparison.changed(known, new):
                updated += 1
                changes.append(RowChange(ChangeKind.UPDATE, number, comparison.shown_key(new), values))
            else:
                unchanged += 1
    changes += [RowChange(ChangeKind.INSERT, number, comparison.shown_key(new)) for number, new in rows.values()]
    return Difference(
        source=name,
        table=mapping.table.qualified_name,
        inserted=len(rows),
        updated=updated,
        unchanged=unchanged,
        missing=missing,
        superseded=superseded,
        rejected=rejected,
        not_compared=comparison.not_compared,
        changes=tuple(sorted(changes, key=lambda change: (change.row is None, change.row or 0))),
    )


def _rows_by_key(
    source: OpenSource, mapping: ColumnMapping, comparison: _Comparison
) -> tuple[dict[Key, tuple[int, Record]], int, int]:
    """The last row of each key with its number, and how many rows are superseded and rejected."""
    claimed: Future[CompletedRows] = Future()
    claimed.set_result(CompletedRows())
    rows: dict[Key, tuple[int, Record]] = {}
    read = rejected = 0
    for batch in source.batches(mapping, _ROWS, ReaderCounters(), lambda message: None, claimed):
        rejected += len(batch.rejects)
        for number, record in zip(batch.rows, batch.records(), strict=True):
            read += 1
            rows[comparison.key(record)] = number, tuple(record)
    return rows, read - len(rows), rejected


class _Comparison:
    """Compares records of the columns of a mapping, each with the types of its columns."""

    def __init__(self, mapping: ColumnMapping, mode: WriteMode) -> None:
        names = mapping.targets
        forms = [comparable(type_) for type_ in mapping.types]
        updated = mode.update or tuple(name for name in names if name not in mode.key)
        self._key = [(names.index(name), forms[names.index(name)] or str) for name in mode.key]
        self._names = names
        self._compared = [
            (place, form)
            for place, (name, form) in enumerate(zip(names, forms, strict=True))
            if name in updated and form is not None
        ]
        # A blank in such a column leaves the value of a row that is there.
        self._defaults = frozenset(default_places(mapping.table, names))
        compared = {names[place] for place, _ in self._compared}
        self.not_compared = tuple(name for name in updated if name not in compared)

    def key(self, record: Sequence[Any]) -> Key:
        """The key of a record, comparable."""
        return tuple(str(_form(form, record[place])) for place, form in self._key)

    def shown_key(self, record: Sequence[Any]) -> dict[str, str | None]:
        """The key of a record, for people."""
        return {self._names[place]: as_text(record[place]) for place, _ in self._key}

    def changed(self, old: Sequence[Any], new: Sequence[Any]) -> tuple[ChangedValue, ...]:
        """The values that differ."""
        return tuple(
            ChangedValue(self._names[place], as_text(old[place]), as_text(new[place]))
            for place, form in self._compared
            if not (new[place] is None and place in self._defaults)
            and _form(form, old[place]) != _form(form, new[place])
        )


def _form(form: Callable[[Any], object], value: Any) -> object:
    return None if value is None else form(value)
