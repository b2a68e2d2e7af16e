"""The contract that every reader must fulfil."""

from __future__ import annotations

import datetime as dt
import os
import random
import threading
import tracemalloc
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import msgspec

from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.model.batch import Block
from tui_importer.core.model.cells import Cell, CellError
from tui_importer.core.model.column import Column
from tui_importer.core.source.reader import OpenSheet, Reader
from tui_importer.errors import SourceError
from tui_importer.plugins.specs import ReaderSpec
from tui_importer.testing.columns import SAMPLE_CELLS, check_column
from tui_importer.testing.oracle import ContractError

#: The rows of a sheet, from row 1 on; the first cell of each is in column A, and None is a blank cell.
Rows = Sequence[Sequence[Cell]]
#: Writes a file with these sheets, in their order, in the format of the reader.
Write = Callable[[Path, Mapping[str, Rows]], object]

#: Kinds of cell that most workbooks can hold.
WORKBOOK_KINDS: tuple[type, ...] = (str, float, bool, dt.datetime, dt.date, CellError)
#: The rows of the two sheets by which laziness is measured.
_FEW, _MANY = 1_000, 8_000


class _Checked(msgspec.Struct, frozen=True):
    """The reader that is checked, and what is needed to make files for it."""

    reader: Reader
    extension: str
    write: Write
    folder: Path
    kinds: tuple[type, ...]
    several_sheets: bool

    def file(self, name: str, sheets: Mapping[str, Rows]) -> Path:
        """A new file with these sheets, or with the first of them if the format holds only one."""
        path = self.folder / f"{name}{self.extension}"
        self.write(path, dict(islice(sheets.items(), None if self.several_sheets else 1)))
        return path


def check_reader(
    spec: ReaderSpec,
    write: Write,
    folder: Path,
    *,
    kinds: Collection[type] | None = None,
    several_sheets: bool = True,
) -> None:
    """Raise :class:`~tui_importer.testing.ContractError` unless the reader fulfils the contract.

    ``write(path, sheets)`` writes a file of the reader's first extension; files are made in ``folder``. ``kinds`` are
    the kinds of cell that it writes: those of :data:`WORKBOOK_KINDS` for a reader of typed cells, otherwise texts only,
    unless given. ``several_sheets`` is false if a file has only one.
    """
    reader: Reader = spec.make() if spec.options is None else spec.make(options=spec.options())
    chosen = tuple(kinds) if kinds is not None else WORKBOOK_KINDS if reader.typed else (str,)
    for number, check in enumerate(_CHECKS):
        place = folder / f"check-{number}"
        place.mkdir()
        before = set(threading.enumerate())
        check(_Checked(reader, spec.extensions[0], write, place, chosen, several_sheets))
        if left := set(threading.enumerate()) - before:
            raise ContractError(f"threads are left: {left}")


def _returns_every_cell(checked: _Checked) -> None:
    """Each in its row and column, as what it is, in blocks of any size, with facts that are true."""
    sheets = _sheets(checked.kinds)
    path = checked.file("cells", sheets)
    for rows in (1, 7, 1000):
        with checked.reader.open(path) as workbook:
            names = [sheet.name for sheet in workbook.sheets]
            if checked.several_sheets and names != [*sheets]:
                raise ContractError(f"the sheets of the file are {[*sheets]}, not {names}")
            for name, wanted in zip(names, sheets.values(), strict=False):
                sheet = workbook.sheet(name)
                if sheet.row_hint is not None and sheet.row_hint < len(wanted):
                    raise ContractError(f"sheet {name!r} has {len(wanted)} rows, its hint is {sheet.row_hint}")
                _check_sheet(sheet, wanted, rows, typed=checked.reader.typed)


def _reads_again(checked: _Checked) -> None:
    """From the first row, after a pass that was not finished, and in another thread."""
    name, wanted = next(iter(_sheets(checked.kinds).items()))
    path = checked.file("again", {name: wanted})
    with checked.reader.open(path) as workbook:
        sheet = workbook.sheet(workbook.sheets[0].name)
        blocks = sheet.blocks(3)
        if not isinstance(blocks, Iterator):
            raise ContractError(f"blocks() should return an iterator, not a {type(blocks).__name__}")
        next(blocks, None)
        for _ in range(2):
            _check_sheet(sheet, wanted, 5, typed=checked.reader.typed)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_check_sheet, sheet, wanted, 5, typed=checked.reader.typed).result()


def _is_lazy(checked: _Checked) -> None:
    """The Python objects of a block are made when it is asked for, and are not kept: memory does not grow with rows."""
    few, many = (_memory_of_reading(checked, rows) for rows in (_FEW, _MANY))
    if many / few > (_MANY / _FEW) / 2:
        raise ContractError(
            f"reading {_FEW:,} rows block by block takes {few:,} bytes of Python objects, and {_MANY:,} rows take "
            f"{many:,}: blocks are made too early, or kept"
        )


def _memory_of_reading(checked: _Checked, rows: int) -> int:
    """The memory that the Python objects take while a sheet is read, at most, in bytes."""
    texts = [[f"{row}-{column}" for column in range(3)] for row in range(rows)]
    path = checked.file(f"rows-{rows}", {"Rows": texts})
    with checked.reader.open(path) as workbook:
        sheet = workbook.sheet(workbook.sheets[0].name)
        tracemalloc.start()
        try:
            found = sum(len(block) for block in sheet.blocks(100) if all(map(_values, block.columns)))
            memory = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    if found < rows:
        raise ContractError(f"of {rows} rows, {found} were read")
    return memory


def _closes(checked: _Checked) -> None:
    """A closed file is not held open, even if its rows were not read to the end."""
    path = checked.file("closed", _sheets(checked.kinds))
    with checked.reader.open(path) as workbook:
        blocks = workbook.sheet(workbook.sheets[0].name).blocks(2)
        next(blocks, None)
    del blocks
    if descriptors := _open_descriptors(path):
        raise ContractError(f"{path.name} is still open after it was closed: descriptors {descriptors}")


def _open_descriptors(path: Path) -> list[str]:
    """The descriptors of this process for a file, where the system tells (Linux: proc(5))."""
    found = []
    for link in Path("/proc/self/fd").glob("*"):
        try:
            if os.path.samefile(link, path):
                found.append(link.name)
        except OSError:  # a descriptor of glob's own, or of no file
            continue
    return found


def _refuses_what_it_cannot_read(checked: _Checked) -> None:
    """With one line, as a SourceError, and never with another exception."""
    whole = checked.file("whole", _sheets(checked.kinds))
    data = whole.read_bytes()
    noise = random.Random(len(data)).randbytes(4_000)  # noqa: S311  # the same bytes every time
    for name, content in (("missing", None), ("empty", b""), ("cut in half", data[: len(data) // 2]), ("noise", noise)):
        path = checked.folder / f"{name}{checked.extension}"
        if content is not None:
            path.write_bytes(content)
        try:
            with checked.reader.open(path) as workbook:
                for sheet in workbook.sheets:
                    for block in workbook.sheet(sheet.name).blocks(100):
                        list(map(_values, block.columns))
        except SourceError as error:
            if "\n" in str(error) or str(path) not in str(error):
                raise ContractError(f"an error should be one line that names the file, not {str(error)!r}") from error
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            raise ContractError(f"a file that is {name} should raise SourceError, not {error!r}") from error
        else:
            if name in ("missing", "empty"):
                raise ContractError(f"a file that is {name} should raise SourceError, and nothing was raised")


def _tells_errors_from_blanks(checked: _Checked) -> None:
    """An error cell is an error, or the reader's limits say that it cannot tell."""
    if CellError not in checked.kinds:
        return
    path = checked.file("errors", {"Errors": [["a", "b"], [1.0, CellError("#N/A")], [2.0, 3.0]]})
    with checked.reader.open(path) as workbook:
        cells = _cells(workbook.sheet(workbook.sheets[0].name).blocks(10))
    if cells.get((2, 1)) != CellError("#N/A") and not checked.reader.limits(path):
        raise ContractError(f"#N/A was read as {cells.get((2, 1))!r}, and limits() says nothing of that")


_CHECKS: tuple[Callable[[_Checked], None], ...] = (
    _returns_every_cell,
    _reads_again,
    _is_lazy,
    _closes,
    _refuses_what_it_cannot_read,
    _tells_errors_from_blanks,
)


def _sheets(kinds: Collection[type]) -> dict[str, Rows]:
    """A table of columns of one kind, mixed ones and blank rows; and one that begins further down and to the right."""
    # The edges of texts are left out: formats and their programs keep them or do not.
    samples = {kind: [cell for cell in SAMPLE_CELLS[kind] if cell != " edge " and cell != "#N/A"] for kind in kinds}
    samples = {kind: [cell for cell in cells if _is_of_a_workbook(cell)] for kind, cells in samples.items()}
    mixed = [cell for cells in samples.values() for cell in cells]
    table: list[Sequence[Cell]] = [[*(kind.__name__ for kind in kinds), "mixed", "sparse"]]
    for number in range(max(len(mixed), 12)):
        of_kinds = [cells[number % len(cells)] for cells in samples.values()]
        table.append([*of_kinds, mixed[number % len(mixed)], None if number % 3 else "x"])
    table[5:5] = [[], []]
    moved: list[Sequence[Cell]] = [[], [], [], *([None, None, *row[:2]] for row in table)]
    return {"Table": table, "Moved": moved}


def _is_of_a_workbook(cell: Cell) -> bool:
    """Whether a double of 15 digits is enough for a number, as in most formats."""
    return not isinstance(cell, (int, float)) or abs(cell) <= 1e15


def _check_sheet(sheet: OpenSheet, wanted: Rows, rows: int, *, typed: bool) -> None:
    blocks = list(sheet.blocks(rows))
    _check_blocks(blocks, rows)
    found = _cells(iter(blocks))
    every = {(row, column): cell for row, cells in enumerate(wanted, start=1) for column, cell in enumerate(cells)}
    for row, column in sorted(found.keys() | every.keys()):
        cell, expected = found.get((row, column)), every.get((row, column))
        if not (_is_same(cell, expected) if typed else cell == as_text(expected)):
            raise ContractError(
                f"row {row}, column {column} of sheet {sheet.name!r} holds {expected!r}, read as {cell!r} "
                f"(blocks of {rows} rows)"
            )
    for block in blocks:
        for values in block.columns:
            check_column(values, values.values())


def _check_blocks(blocks: Sequence[Block], rows: int) -> None:
    """Check that the blocks are rectangles that follow one another."""
    follows, width = None, 0
    for block in blocks:
        if follows is not None and block.first_row != follows:
            raise ContractError(f"a block begins in row {block.first_row} instead of {follows}")
        if not 1 <= len(block) <= rows:
            raise ContractError(f"a block has {len(block)} rows, where at most {rows} are asked for")
        if len({len(column) for column in block.columns}) > 1:
            raise ContractError(f"the columns of a block have different lengths: {[*map(len, block.columns)]}")
        if block.first_column != blocks[0].first_column:
            raise ContractError(f"blocks begin in columns {blocks[0].first_column} and {block.first_column}")
        follows, width = block.first_row + len(block), max(width, len(block.columns))


def _cells(blocks: Iterator[Block]) -> dict[tuple[int, int], Cell]:
    """The cells that are not blank, by row (from 1) and column (from 0) of the sheet."""
    return {
        (block.first_row + offset, number): cell
        for block in blocks
        for number, column in enumerate(block.columns, start=block.first_column)
        for offset, cell in enumerate(column.values())
        if cell is not None
    }


def _values(column: Column) -> Sequence[Cell]:
    return column.values()


def _is_same(found: Cell, wanted: Cell) -> bool:
    """Whether a cell was read as what it is: a number in any of Python's types, a midnight as a date or a datetime."""
    if isinstance(wanted, (bool, str)) or isinstance(found, (bool, str)):
        return type(found) is type(wanted) and found == wanted
    if isinstance(found, dt.datetime) and type(wanted) is dt.date:
        return found == dt.datetime.combine(wanted, dt.time())
    return found == wanted
