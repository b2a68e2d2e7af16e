"""A reader as a stranger writes one, with public names only; and others like it that have one defect each.

It reads lines of JSON: ``["Sheet", ["a", 1.5, {"error": "#N/A"}]]`` is a row of a sheet.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, Self

from tui_importer import Block, Cell, CellError, Column, ListColumn, ReaderSpec, SheetInfo, SourceError

KINDS = (str, float, bool, CellError)


def write(path: Path, sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> None:
    """Write a file for this reader."""
    with path.open("w", encoding="utf-8") as file:
        for name, rows in sheets.items():
            for row in rows:
                cells = [{"error": cell.code} if isinstance(cell, CellError) else cell for cell in row]
                file.write(json.dumps([name, cells]) + "\n")


class OwnReader:
    """Reads what :func:`write` writes."""

    typed = True

    def open(self, path: Path) -> OwnFile:
        try:
            return OwnFile(self, path)
        except (OSError, ValueError, TypeError) as error:
            raise SourceError(f"{path}: is not lines of JSON ({type(error).__name__})") from error

    def limits(self, path: Path) -> tuple[str, ...]:
        return ()

    def cell(self, given: Any) -> Cell:
        """A cell from what is in the file."""
        return CellError(given["error"]) if isinstance(given, dict) else given

    def records(self, path: Path, sheet: str) -> Iterator[Sequence[Cell]]:
        """The rows of a sheet."""
        with path.open(encoding="utf-8") as file:
            for name, cells in map(json.loads, file):
                if name == sheet:
                    yield [self.cell(cell) for cell in cells]

    def blocks(self, records: Iterator[Sequence[Cell]], rows: int) -> Iterator[Block]:
        """The rows in blocks."""
        first_row = 1
        while cut := list(islice(records, rows)):
            columns = [self.column(cells) for cells in zip_longest(*cut)] or [ListColumn([None] * len(cut))]
            yield Block(first_row, tuple(columns))
            first_row += len(cut)

    def column(self, cells: Sequence[Cell]) -> Column:
        """A column of these cells."""
        return ListColumn.from_cells(cells)

    def close(self) -> None:
        """Called when the file is closed."""


class OwnFile:
    """An open file."""

    def __init__(self, reader: OwnReader, path: Path) -> None:
        self._reader, self._path = reader, path
        with path.open(encoding="utf-8") as file:
            names = dict.fromkeys(name for name, _ in map(json.loads, file))
        if not names:
            raise ValueError("no rows")
        self.sheets: Sequence[SheetInfo] = [SheetInfo(name) for name in names]

    def sheet(self, name: str) -> OwnSheet:
        return OwnSheet(self._reader, self._path, name)

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class OwnSheet:
    """An open sheet."""

    row_hint: int | None = None

    def __init__(self, reader: OwnReader, path: Path, name: str) -> None:
        self._reader, self._path, self.name = reader, path, name

    def blocks(self, rows: int) -> Iterator[Block]:
        return self._reader.blocks(self._reader.records(self._path, self.name), rows)


class LosesBlankRows(OwnReader):
    """Leaves blank rows out, so that all below have another number."""

    def records(self, path: Path, sheet: str) -> Iterator[Sequence[Cell]]:
        return filter(None, super().records(path, sheet))


class LosesTheLastRow(OwnReader):
    """Loses the last row of a sheet."""

    def records(self, path: Path, sheet: str) -> Iterator[Sequence[Cell]]:
        return iter(list(super().records(path, sheet))[:-1])


class MakesNumbersOfTexts(OwnReader):
    """Takes a text of digits for a number."""

    def cell(self, given: Any) -> Cell:
        cell = super().cell(given)
        return float(cell) if isinstance(cell, str) and cell.isdecimal() else cell


class RoundsNumbers(OwnReader):
    """Returns whole numbers only."""

    def cell(self, given: Any) -> Cell:
        return round(given) if type(given) is float else super().cell(given)


class HidesErrors(OwnReader):
    """Returns an error cell as a blank one, and does not say so."""

    def cell(self, given: Any) -> Cell:
        return None if isinstance(given, dict) else super().cell(given)


class CountsFromZero(OwnReader):
    """Numbers the rows from 0."""

    def blocks(self, records: Iterator[Sequence[Cell]], rows: int) -> Iterator[Block]:
        for block in super().blocks(records, rows):
            yield Block(block.first_row - 1, block.columns)


class MovesColumns(OwnReader):
    """Drops the blank columns in front of each block."""

    def blocks(self, records: Iterator[Sequence[Cell]], rows: int) -> Iterator[Block]:
        for block in super().blocks(records, rows):
            blank = 0
            while blank < len(block.columns) - 1 and not block.columns[blank].kinds:
                blank += 1
            yield Block(block.first_row, block.columns[blank:], blank)


class IgnoresTheSize(OwnReader):
    """Returns blocks of its own size."""

    def blocks(self, records: Iterator[Sequence[Cell]], rows: int) -> Iterator[Block]:
        return super().blocks(records, 10_000)


class RaggedBlocks(OwnReader):
    """Returns columns that end with their last filled cell."""

    def column(self, cells: Sequence[Cell]) -> Column:
        filled = [index for index, cell in enumerate(cells) if cell is not None]
        return super().column(cells[: max(filled, default=0) + 1])


class ReadsEverythingAtOnce(OwnReader):
    """Makes all blocks before it returns the first one."""

    def blocks(self, records: Iterator[Sequence[Cell]], rows: int) -> Iterator[Block]:
        return iter(list(super().blocks(records, rows)))


class ReturnsAList(OwnReader):
    """Returns no iterator."""

    def blocks(self, records: Iterator[Sequence[Cell]], rows: int) -> Iterator[Block]:
        return list(super().blocks(records, rows))  # type: ignore[return-value]  # that is the defect


class ReadsOnce(OwnReader):
    """Has no rows for a second pass."""

    def __init__(self) -> None:
        self._read = set[tuple[Path, str]]()

    def records(self, path: Path, sheet: str) -> Iterator[Sequence[Cell]]:
        if (path, sheet) in self._read:
            return iter(())
        self._read.add((path, sheet))
        return super().records(path, sheet)


class KeepsTheFileOpen(OwnReader):
    """Holds a closed file open."""

    def __init__(self) -> None:
        self._descriptors = list[int]()

    def open(self, path: Path) -> OwnFile:
        opened = super().open(path)
        self._descriptors.append(os.open(path, os.O_RDONLY))
        return opened

    def __del__(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)


class RaisesItsOwnErrors(OwnReader):
    """Lets the errors of its library out."""

    def open(self, path: Path) -> OwnFile:
        return OwnFile(self, path)


class SaysTooMuch(OwnReader):
    """Has an error of several lines."""

    def open(self, path: Path) -> OwnFile:
        try:
            return OwnFile(self, path)
        except (OSError, ValueError, TypeError) as error:
            raise SourceError(f"{path}:\n{error}") from error


class WrongFact(ListColumn):
    """Does not know of its blanks."""

    @property
    def blanks(self) -> int:
        return 0


class HasWrongFacts(OwnReader):
    """Returns columns that say what is not true."""

    def column(self, cells: Sequence[Cell]) -> Column:
        return WrongFact([None if cell == "" else cell for cell in cells])


OWN = ReaderSpec("own", "lines of JSON", OwnReader, extensions=(".jsonl",))
FAULTY = tuple(
    ReaderSpec("faulty", (kind.__doc__ or "").splitlines()[0], kind, extensions=(".jsonl",))
    for kind in OwnReader.__subclasses__()
)
