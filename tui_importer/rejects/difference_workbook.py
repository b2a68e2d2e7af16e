"""Writes what an upsert would change as a workbook: a row for each value that would change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from openpyxl import Workbook

from tui_importer.core.model.cells import MAX_ROWS
from tui_importer.core.run.difference import Difference, RowChange
from tui_importer.errors import ImporterError
from tui_importer.rejects.paths import written_whole
from tui_importer.rejects.text_cells import text_cell

SHEET_NAME = "Differences"
#: The headers before and after those of the key.
_BEFORE, _AFTER = ("Change", "Row"), ("Column", "Old", "New")


def write_difference_workbook(path: Path, found: Difference) -> None:
    """Write every difference. The file appears completely or not at all, readable by its owner only.

    Raises :class:`ImporterError` if it cannot be written, or if there are more differences than rows in a worksheet.
    """
    rows = sum(max(1, len(change.values)) for change in found.changes)
    if rows >= MAX_ROWS:
        raise ImporterError(f"{path}: {rows:,} differences do not fit into a worksheet (--json lists all)")
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet(SHEET_NAME)
    sheet.freeze_panes = "A2"
    key = list(found.changes[0].key) if found.changes else []
    sheet.append([text_cell(sheet, header, bold=True) for header in (*_BEFORE, *key, *_AFTER)])
    for change in found.changes:
        for line in _lines(change):
            sheet.append([text_cell(sheet, text) for text in line])
    with written_whole(path, "the differences") as temporary:
        workbook.save(temporary)


def _lines(change: RowChange) -> Iterator[list[str | None]]:
    row = None if change.row is None else str(change.row)
    start = [change.kind.value, row, *change.key.values()]
    for each in change.values:
        yield [*start, each.column, each.old, each.new]
    if not change.values:
        yield start
