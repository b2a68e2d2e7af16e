"""Choosing the sheet of a workbook. Imports little, because a sheet is parsed while other modules are imported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tui_importer.core.model.plan import Source
from tui_importer.core.model.ranges import parse_range
from tui_importer.core.source.reader import OpenSheet, SheetInfo, Workbook
from tui_importer.errors import SourceError


def open_sheet(path: Path, workbook: Workbook, source: Source) -> tuple[OpenSheet, str | None]:
    """Open the wanted sheet, or else the one that has the table; if that fails, close the workbook.

    Returns it with a note for the user about the other sheets, if there are any and none was named. Raises
    :class:`SourceError` if the sheet does not exist or cannot be read, and
    :class:`~tui_importer.errors.PlanError` for an invalid range.
    """
    try:
        if source.range:
            parse_range(source.range)  # validated before the sheet is parsed, which takes a while
        first = choose_sheet(workbook.sheets, source.sheet, path)
        if source.sheet is not None or len(workbook.sheets) == 1:
            return workbook.sheet(first), None
        # Imported only for workbooks of several sheets, after the first is parsed.
        sheet = workbook.sheet(first)
        from tui_importer.core.source.sheet_choice import open_table

        return open_table(workbook, sheet, [each.name for each in workbook.sheets if not each.hidden])
    except BaseException:
        workbook.close()
        raise


def choose_sheet(sheets: Sequence[SheetInfo], wanted: str | int | None, path: Path) -> str:
    """The sheet by name (ignoring case) or number (from 1); by default the first one that is not hidden."""
    if not sheets:
        raise SourceError(f"{path}: there is no sheet with cells in it")
    names = [sheet.name for sheet in sheets]
    known = ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")
    if wanted is None:
        return next((sheet.name for sheet in sheets if not sheet.hidden), names[0])
    if isinstance(wanted, int) and str(wanted) not in names:
        if not 1 <= wanted <= len(names):
            raise SourceError(f"{path}: there is no sheet number {wanted}: there are {len(names)} ({known})")
        return names[wanted - 1]
    for name in names:
        if name.casefold() == str(wanted).casefold():
            return name
    raise SourceError(f"{path}: there is no sheet {str(wanted)!r}: there are {known}")
