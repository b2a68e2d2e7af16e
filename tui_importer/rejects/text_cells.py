"""Cells of a workbook that are text, whatever the text: no program runs it as a formula, and it reads back exactly."""

from __future__ import annotations

from typing import Any

from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font

from tui_importer.rejects.text import escaped, fitting, is_formula_like

#: "Text": input into such a cell stays as typed, including leading zeros.
TEXT_FORMAT = "@"


def text_cell(sheet: Any, text: str | None, *, bold: bool = False) -> WriteOnlyCell | None:
    """A cell to append to a streamed sheet of openpyxl, which has no types for it; None for a blank."""
    if not text:
        return None
    cell = WriteOnlyCell(sheet)
    cell.number_format = TEXT_FORMAT
    cell.alignment = Alignment(vertical="top")
    cell.quotePrefix = is_formula_like(text)
    if bold:
        cell.font = Font(bold=True)
    # Not through `value`, which would turn texts into formulas and error values, and cut escaped text.
    cell._value = escaped(fitting(text))
    cell.data_type = "s"
    return cell
