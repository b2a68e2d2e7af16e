"""Choosing the sheet of a workbook. Imports little, because a sheet is parsed while other modules are imported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tui_importer.core.model.plan import Source
from tui_importer.core.model.ranges import parse_range
from tui_importer.core.source.reader import OpenSheet, SheetInfo, Workbook
from tui_importer.errors import SourceError


def open_sheet(path: Path, workbook: Workbook, source: Source) -> OpenSheet:
    """Open the wanted sheet; if that fails, close the workbook.

    Raises :class:`SourceError` if the sheet does not exist or cannot be read, and
    :class:`~tui_importer.errors.PlanError` for an invalid range.
    """
    try:
        if source.range:
            parse_range(source.range)  # validated before the sheet is parsed, which takes a while
        return workbook.sheet(choose_sheet(workbook.sheets, source.sheet, path))
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
