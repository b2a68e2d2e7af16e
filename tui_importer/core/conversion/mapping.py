"""The column mapping of a resolved plan: converts blocks to batches and describes what is rejected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, compress

import msgspec
from msgspec.structs import replace

from tui_importer.core.conversion.convert import Conversion
from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.conversion.set_columns import SetColumn
from tui_importer.core.model.batch import Batch, Block
from tui_importer.core.model.cells import Cell, EmptyText, MalformedRecord, cell_name, column_letters, quoted_sheet
from tui_importer.core.model.column import Column
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.table import Table
from tui_importer.core.model.types import ColumnType
from tui_importer.errors import DataFault
from tui_importer.events import Fault, Reject


class MappedColumn(msgspec.Struct, frozen=True):
    """How one source column maps to a target column.

    ``header`` is as in the sheet, ``position`` the sheet column (from 0), ``target`` the column's name in the table.
    """

    header: str
    position: int
    target: str
    conversion: Conversion


class ColumnMapping(msgspec.Struct, frozen=True):
    """The mapping from the sheet's columns to those of ``table``.

    The sheet's extent is ``headers``, one for each of its columns from ``first_column`` (from 0) on; ``columns`` are
    those that are imported. ``set_columns`` are filled besides; a batch has them after the others.

    In a sheet of mended rejects, ``mended`` is the row of the first sheet that each row mends, and ``earlier_faults``
    are what was wrong with it: a cell that is as it was is still wrong, even if it is a text now that could go in.
    """

    sheet: str
    first_column: int
    headers: tuple[str, ...]
    columns: tuple[MappedColumn, ...]
    table: Table
    set_columns: tuple[SetColumn, ...] = ()
    mended: Mapping[int, int] = msgspec.field(default_factory=dict)
    earlier_faults: Mapping[int, Sequence[Fault]] = msgspec.field(default_factory=dict)

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of all columns of the table that are filled, in the order of a batch's columns."""
        return (*(column.target for column in self.columns), *(column.target for column in self.set_columns))

    @property
    def types(self) -> tuple[ColumnType, ...]:
        """Their types."""
        columns = (column.conversion for column in self.columns)
        return tuple(each.type for each in (*columns, *(column.conversion for column in self.set_columns)))

    def fits(self, table: Table) -> bool:
        """Whether a table has all columns that are filled."""
        return all(map(table.column, self.targets))

    def batch(self, number: int, block: Block, rows: Sequence[int]) -> Batch:
        """Convert a block. ``rows`` are its sheet rows; none is blank, and the columns are cut to the extent."""
        refused: dict[int, list[Fault]] = {}
        converted: list[Column] = []
        for column in self.columns:
            source = block.columns[column.position - self.first_column]
            values, reasons = column.conversion.apply(source)
            converted.append(values)
            for offset, reason in reasons.items():
                cell = source.take((offset,))[0]
                if isinstance(cell, MalformedRecord) and offset in refused:
                    continue  # it is the same line in every column
                fault = self._fault(rows[offset], column, cell, reason)
                refused.setdefault(offset, []).append(fault)
        for offset, fault in self._unmended(block, rows):
            if all(known.cell != fault.cell for known in refused.get(offset, ())):
                refused.setdefault(offset, []).append(fault)
        origin = block.columns
        rejects: tuple[Reject, ...] = ()
        kept = rows
        if refused:
            rejects = tuple(
                self.reject(rows[offset], [column.take((offset,))[0] for column in origin], refused[offset])
                for offset in sorted(refused)
            )
            selected = [offset not in refused for offset in range(len(rows))]
            converted = [column.keep(selected) for column in converted]
            origin = tuple(column.keep(selected) for column in origin)
            kept = [row for row, good in zip(rows, selected, strict=True) if good]
        return Batch(
            number=number,
            sheet=self.sheet,
            first_row=rows[0],
            last_row=rows[-1],
            rows=kept,
            columns=(*converted, *(column.column(self._first_rows(kept)) for column in self.set_columns)),
            origin=origin,
            rejects=rejects,
            types=self.types,
        )

    def reject(self, row: int, cells: Iterable[Cell], faults: Sequence[Fault]) -> Reject:
        """The row as a reject, with its cells as text."""
        values = list(cells)
        if values and isinstance(values[0], MalformedRecord):
            values[1:] = [None] * (len(values) - 1)
        return Reject(
            sheet=self.sheet,
            row=row,
            faults=tuple(faults),
            values=tuple(map(as_text, values)),
            numbers=tuple(place for place, cell in enumerate(values) if type(cell) in (int, float)),
            mends=self.mended.get(row),
        )

    def database_fault(self, batch: Batch, offset: int, fault: DataFault) -> Fault:
        """The database's error about row ``offset`` of the batch, in terms of the sheet."""
        violated = self.table.constraint(fault.constraint)
        names = (fault.column,) if fault.column else violated.columns if violated else ()
        # The words of a database without kinds of errors may hold values, and so differ from row to row.
        kind = fault.kind or (violated.kind.value if violated else None)
        row = batch.rows[offset]
        for column in self.columns:
            if column.target in names:
                (cell,) = batch.origin[column.position - self.first_column].take((offset,))
                found = self._fault(row, column, cell, str(fault))
                return replace(found, sqlstate=fault.sqlstate, constraint=fault.constraint, kind=kind)
        first, last = self.first_column, self.first_column + len(self.headers) - 1
        return Fault(
            cell=f"{quoted_sheet(self.sheet)}!{column_letters(first)}{row}:{column_letters(last)}{row}",
            column=fault.column,
            value=None,
            reason=str(fault),
            sqlstate=fault.sqlstate,
            constraint=fault.constraint,
            kind=kind,
        )

    def _unmended(self, block: Block, rows: Sequence[int]) -> Iterator[tuple[int, Fault]]:
        """The faults of cells that did not change since they were rejected, by their offsets in the block."""
        if not self.earlier_faults:
            return
        for offset, row in enumerate(rows):
            for fault in self.earlier_faults.get(row, ()):
                for column in self.columns:
                    if column.header == fault.column:
                        (cell,) = block.columns[column.position - self.first_column].take((offset,))
                        if cell is not None and as_text(cell) == fault.value:
                            yield offset, self._fault(row, column, cell, fault.reason)

    def _first_rows(self, rows: Sequence[int]) -> Sequence[int]:
        """The rows of the first sheet in which these rows were, before some of them were mended."""
        return [self.mended.get(row, row) for row in rows] if self.mended else rows

    def _fault(self, row: int, column: MappedColumn, cell: Cell, reason: str) -> Fault:
        return Fault(
            cell=cell_name(self.sheet, row, column.position),
            column=column.header,
            value=as_text(cell),
            reason=reason,
        )


def trimmed(block: Block, first_column: int, width: int) -> Block:
    """The block without the columns outside an extent."""
    left = max(0, first_column - block.first_column)
    columns = block.columns[left : max(left, first_column + width - block.first_column)]
    return Block(first_row=block.first_row, columns=columns, first_column=max(first_column, block.first_column))


def fitted(block: Block, first_column: int, width: int) -> Block:
    """The block with exactly the columns of an extent; the same block if nothing has to be cut or added."""
    left = first_column - block.first_column
    if left == 0 and len(block.columns) == width:
        return block
    length = len(block)
    missing: Column = ListColumn([None] * length)
    columns = chain([missing] * max(0, -left), block.columns[max(0, left) :])
    padded = chain(columns, [missing] * width)
    return Block(
        first_row=block.first_row,
        columns=tuple(column for column, _ in zip(padded, range(width), strict=False)),
        first_column=first_column,
    )


def without_blank_rows(block: Block) -> tuple[Block, Sequence[int]]:
    """The block without its blank rows, and the sheet rows of the others."""
    rows = range(block.first_row, block.first_row + len(block))
    if not block.columns:
        return block, rows[:0]
    if not all(column.blanks or EmptyText in column.kinds for column in block.columns):
        return block, rows  # a column without blanks: no row is blank
    # A row is blank if it is blank in every column: combine the masks as integers.
    blank = -1
    for column in block.columns:
        blank &= int.from_bytes(_empty_mask(column))
    if not blank:
        return block, rows
    selected = [not each for each in blank.to_bytes(len(block))]
    kept = list(compress(rows, selected))
    columns = tuple(column.keep(selected) for column in block.columns)
    return Block(first_row=block.first_row, columns=columns, first_column=block.first_column), kept


def _empty_mask(column: Column) -> bytes:
    """One byte for each cell: 1 if it is blank or an empty text, otherwise 0. A row of nothing else is blank."""
    if EmptyText not in column.kinds:
        return column.blank_mask
    return bytes(cell is None or type(cell) is EmptyText for cell in column.values())
