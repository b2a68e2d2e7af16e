"""Selects the search for what python-calamine hides in xls, xlsb and ods files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tui_importer.readers.files import is_zip
from tui_importer.readers.found import Found
from tui_importer.readers.package import Package

#: Searches a sheet, given by file, name and number among all sheets (from 0).
Search = Callable[[Path, str, int], Found]


def search_for(path: Path) -> Search:
    """The search for the file's format, which is detected by its bytes and not its name."""
    if not is_zip(path):
        from tui_importer.readers.biff import biff_cells  # imports olefile, which no other format needs

        return biff_cells
    if Package(path).workbook_part() is not None:
        from tui_importer.readers.biff12 import biff12_cells

        return biff12_cells
    from tui_importer.readers.ods_cells import ods_cells

    return ods_cells
