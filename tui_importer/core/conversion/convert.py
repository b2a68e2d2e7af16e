"""Conversion of whole columns to their target type, based on facts about the column where possible.

If its facts prove that every cell fits, a column is cast as a whole (:meth:`Column.cast`). Only other columns are
converted cell by cell. Both give the same values and the same rejects (a property test compares them).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tui_importer.core.conversion.nulls import NullWords
from tui_importer.core.conversion.parsing import (
    REQUIRED_BUT_BLANK,
    CellParser,
    ConversionError,
    NotOfTypeError,
    as_text,
    parser,
)
from tui_importer.core.conversion.written import WrittenForm, form_of
from tui_importer.core.model.cells import Cell, CellError, EmptyText, UncalculatedFormula
from tui_importer.core.model.column import Column
from tui_importer.core.model.formats import PLAIN, ColumnFormat
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.plan import UnknownCells
from tui_importer.core.model.types import ColumnType, Kind

#: A converted column, and the reason for each refused cell by its offset.
Converted = tuple[Column, dict[int, str]]


class Conversion(msgspec.Struct, frozen=True):
    """How one column is converted.

    ``error_cells`` is what happens to cells like ``#N/A``, ``uncalculated`` to formulas that were never calculated,
    ``format`` how values are written as text.
    """

    type: ColumnType
    required: bool = False
    error_cells: UnknownCells = "reject"
    uncalculated: UnknownCells = "reject"
    format: ColumnFormat = PLAIN

    def apply(self, column: Column) -> Converted:
        """Convert a column. The result has the same length; refused cells are ``None`` in it."""
        if self.format.null_if:
            column = NullWords(self.format.null_if).applied(column)
        if EmptyText in column.kinds:
            empty = "" if self.type.kind is Kind.TEXT else None
            column = ListColumn([empty if type(cell) is EmptyText else cell for cell in column.values()])
        for kind, choice in ((CellError, self.error_cells), (UncalculatedFormula, self.uncalculated)):
            if choice != "reject" and kind in column.kinds:
                column = _known(column, kind, shown=choice == "text")
        faults: dict[int, str] = {}
        if self.required and column.blanks:
            faults = {row: REQUIRED_BUT_BLANK for row, blank in enumerate(column.blank_mask) if blank}
        if str in column.kinds and (form := form_of(self.type.kind, self.format)) is not None:
            rewritten = _rewritten(column, form)
            if rewritten is None:
                parse = form_parser(parser(self.type, rounded=self.format.round), form)
                values, refused = _parsed(column.values(), parse)
                return ListColumn(values), faults | refused
            column = rewritten
        cast = column.cast(self.type)
        if cast is not None:
            return cast, faults
        values, refused = convert_cells(column.values(), self.type, rounded=self.format.round)
        return ListColumn(values), faults | refused


def _known(column: Column, kind: type, *, shown: bool) -> Column:
    """The column with cells of a kind that is not a value as texts, or blank."""
    return ListColumn([(str(cell) if shown else None) if type(cell) is kind else cell for cell in column.values()])


def form_parser(parse: CellParser, form: WrittenForm) -> CellParser:
    """The function that converts one cell whose text may have a form."""

    def parse_written(cell: Cell) -> Cell:
        if not isinstance(cell, str):
            return parse(cell)
        texts = [cell.strip()]
        if form.matches(texts):
            return parse(form.rewrite(texts)[0])
        if form.exclusive:
            raise NotOfTypeError(form.expected)
        try:
            return parse(cell)
        except NotOfTypeError as error:
            raise NotOfTypeError(form.expected) from error

    return parse_written


def convert_cells(
    cells: Sequence[Cell], type_: ColumnType, *, rounded: bool = False
) -> tuple[list[Cell], dict[int, str]]:
    """Convert cell by cell; returns the values, ``None`` if refused, and the reasons by offset."""
    return _parsed(cells, parser(type_, rounded=rounded))


def _parsed(cells: Sequence[Cell], parse: CellParser) -> tuple[list[Cell], dict[int, str]]:
    values: list[Cell] = list(cells)
    refused: dict[int, str] = {}
    for row, cell in enumerate(cells):
        if cell is None:
            continue
        try:
            values[row] = parse(cell)
        except ConversionError as reason:
            values[row] = None
            refused[row] = str(reason)
    return values, refused


def _rewritten(column: Column, form: WrittenForm) -> Column | None:
    """The column with standard texts instead of those of a form; None if some text does not have it."""
    cells = column.values()
    whole = len(column.kinds) == 1 and not column.blanks
    texts = list(map(str.strip, cells if whole else [cell for cell in cells if type(cell) is str]))  # type: ignore[arg-type]
    if not form.matches(texts):
        return None
    texts = form.rewrite(texts)
    if whole:
        return ListColumn(texts, blanks=0)
    following = iter(texts)
    return ListColumn([next(following) if type(cell) is str else cell for cell in cells], blanks=column.blanks)


__all__ = ["Conversion", "Converted", "as_text", "convert_cells"]
