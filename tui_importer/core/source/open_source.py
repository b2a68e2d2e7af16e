"""An open source: finds the table in a file and reads its rows as batches."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from tui_importer.core.conversion.inference import ColumnInference, Inferred
from tui_importer.core.conversion.mapping import ColumnMapping, fitted, trimmed, without_blank_rows
from tui_importer.core.model.batch import Batch, Block
from tui_importer.core.model.cells import MAX_ROWS
from tui_importer.core.model.completed_rows import CompletedRows
from tui_importer.core.model.counters import ReaderCounters
from tui_importer.core.model.formats import PLAIN, ColumnFormat
from tui_importer.core.model.mending import RejectKey
from tui_importer.core.model.names import normalized
from tui_importer.core.model.plan import Source, Totals
from tui_importer.core.model.ranges import parse_range
from tui_importer.core.model.schemas import SCHEMAS
from tui_importer.core.model.types import Kind
from tui_importer.core.scheduling.batch_queue import QUEUE_BATCHES
from tui_importer.core.source.block_rows import (
    cells_outside,
    last_cell,
    last_filled_row,
    row_slice,
    rows_between,
    selected_rows,
)
from tui_importer.core.source.header import LAYOUT_ROWS, Layout, find_layout
from tui_importer.core.source.kept_blocks import KeptBlocks, memory
from tui_importer.core.source.mended_rows import mended_rows, without_reasons
from tui_importer.core.source.reader import NotedSheet, OpenSheet, Reader, Workbook, merged_ranges
from tui_importer.core.source.row_length import cut, row_characters
from tui_importer.core.source.sheets import open_sheet
from tui_importer.core.source.totals import is_totals_row
from tui_importer.errors import EmptySheetError, SourceError
from tui_importer.events import SourceOpened

#: The rows of a block during type inference, where nothing waits for the first block.
INFERENCE_ROWS = 10_000
#: The rows of a block where the first one nearly always suffices.
PROOF_ROWS = 2_000

#: A block, and the sheet rows of its rows.
NumberedBlock = tuple[Block, Sequence[int]]

#: How many blocks are read before the completed rows are known: no more than may wait for a worker later.
BLOCKS_AHEAD = QUEUE_BATCHES

#: The user's format for the texts of a sheet column (from 0).
GivenFormat = Callable[[int], ColumnFormat]

#: Receives a message for the user.
Notice = Callable[[str], None]


@dataclass
class OpenSource:
    """An open file with its table. Leaving a ``with`` block closes the file.

    ``key_column`` is the sheet column (from 0) of the keys of mended rejects, if the table is one of them; it and the
    reasons are not part of the ``layout``. ``row_characters`` is about how many characters a row has, from the first.
    """

    path: Path
    workbook: Workbook
    sheet: OpenSheet
    layout: Layout
    typed: bool
    limit: int | None
    opened: SourceOpened
    sheet_note: str | None = None
    totals: Totals = "skip"
    key_column: int | None = None
    row_characters: float = 0.0
    last_row: int | None = field(default=None, init=False)
    _counted: int | None = field(default=None, init=False)
    _told: set[str] = field(default_factory=set, init=False)
    _blocks: KeptBlocks = field(init=False)

    def __post_init__(self) -> None:
        self._blocks = KeptBlocks(self.sheet)

    @property
    def name(self) -> str:
        """The sheet's name."""
        return self.sheet.name

    @property
    def row_hint(self) -> int | None:
        """The expected number of data rows, including blank ones; None if it is not known.

        It may be known, or known better, once all rows were read.
        """
        expected = _expected_rows(self.sheet, self.layout, self.limit)
        return self._counted if expected is None else expected

    @property
    def likely_rows(self) -> int | None:
        """As :attr:`row_hint`; if it is not known, what the size of the file suggests."""
        if self.row_hint is not None or not self.row_characters:
            return self.row_hint
        try:
            return int(self.path.stat().st_size / self.row_characters)
        except OSError:
            return None

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on how the table was found and what was left out, and on its cells."""
        about_cells = self.sheet.notes(self.layout) if isinstance(self.sheet, NotedSheet) else ()
        about_sheets = () if self.sheet_note is None else (self.sheet_note,)
        return (*about_sheets, *self.layout.notes, *about_cells)

    def new_notes(self) -> tuple[str, ...]:
        """The notes that this method has not returned yet: there may be more of them after the rows were read."""
        new = tuple(note for note in self.notes if note not in self._told)
        self._told.update(new)
        return new

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.workbook.close()

    def mended_rows(self) -> dict[int, RejectKey]:
        """The key of each row of mended rejects; none if the table is not one of them.

        Raises :class:`SourceError` for a row without a key, and for the key of another row.
        """
        if self.key_column is None:
            return {}
        return mended_rows(self.path, self.name, self.sheet.blocks(PROOF_ROWS), self.layout, self.key_column)

    def infer(self, given: GivenFormat = lambda column: PLAIN) -> list[Inferred]:
        """The type of each column of the extent, decided by all of its cells.

        The extent is widened if a row far down has cells in further columns. ``given`` is the user's format of a sheet
        column (from 0).
        """
        return results(self.inferences(given))

    def inferences(self, given: GivenFormat = lambda column: PLAIN) -> list[ColumnInference]:
        """What the types of the columns follow from; as for :meth:`infer`."""
        columns: dict[int, ColumnInference] = {}
        filled: set[int] = set()
        rows = 0
        expected = memory(self.likely_rows or 0, self.row_characters, len(self.layout.headers))
        for block in self._without_totals(self._blocks.read_and_keep(INFERENCE_ROWS, expected)):
            rows += len(block)
            for position, column in enumerate(block.columns, start=block.first_column):
                if position not in columns:
                    columns[position] = ColumnInference(typed=self.typed, given=given(position))
                columns[position].add(column, block.first_row)
                if column.blanks < len(column):
                    filled.add(position)
        self._counted = rows if self.limit is None else min(rows, self.limit)
        self.layout = self.layout.stretched(filled)
        first = self.layout.first_column
        return [columns.get(position, ColumnInference()) for position in range(first, first + len(self.layout.headers))]

    def _without_totals(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The table's rows, blank ones included, but for a totals row: its label says nothing about a column."""
        held: Block | None = None
        for whole in blocks:
            block = rows_between(whole, self.layout.first_row, self.layout.last_row)
            last = last_filled_row(block)
            if last is None:
                continue
            if held is not None:
                yield held
                held = None
            first_column = self.layout.first_column
            row = row_slice(trimmed(block, first_column, len(self.layout.headers)), last, last + 1)
            if self._is_totals(row):
                held = row_slice(block, last, last + 1)
                block = row_slice(block, 0, last)
            if len(block):
                yield block

    def _is_totals(self, block: Block) -> bool:
        """Whether the last row of the block is a totals row to be left out."""
        return self.totals == "skip" and is_totals_row(
            [last_cell(column) for column in block.columns], typed=self.typed
        )

    def prove(self, given: Mapping[int, ColumnFormat]) -> dict[int, Inferred]:
        """How the texts of some sheet columns (from 0) are written, by their positions, with the user's formats.

        A column that begins with many texts in standard forms is taken to continue so, and is left out.
        """
        columns = {position: ColumnInference(typed=self.typed, given=format_) for position, format_ in given.items()}
        for block in self._without_totals(self.sheet.blocks(PROOF_ROWS)):
            for position, column in enumerate(block.columns, start=block.first_column):
                if position in columns:
                    columns[position].add(column, block.first_row)
            columns = {position: each for position, each in columns.items() if not each.is_standard}
            if not columns:
                break
        return {position: each.result() for position, each in columns.items()}

    def batches(
        self,
        mapping: ColumnMapping,
        size: int,
        counters: ReaderCounters,
        notice: Notice,
        claimed: Future[CompletedRows],
        divide: Callable[[Block, Sequence[int]], Iterable[NumberedBlock]] = lambda block, rows: ((block, rows),),
    ) -> Iterator[Batch]:
        """Yield all rows except completed ones, in batches of at most ``size``, each as soon as it is read.

        ``divide`` may yield a block in parts, each of which becomes a batch. The completed rows are known once the
        import is ``claimed``; until then, rows are read ahead. Raises the claim's exception, or ``CancelledError`` if
        it was cancelled.
        """
        data, numbers = self._read_ahead(self._data(size, counters, notice), claimed, counters), count(1)
        for block, rows in data:
            completed = claimed.result()
            selected = completed.pending_mask(rows)
            counters.rows_read += len(rows)
            if selected is not None:
                rejected = completed.rejected_among(rows, selected)
                counters.rejected += rejected
                counters.skipped += selected.count(False) - rejected
                if not any(selected):
                    continue
                block, rows = selected_rows(block, rows, selected)
            for part, part_rows in divide(block, rows):
                started = time.perf_counter()
                batch = mapping.batch(next(numbers), part, part_rows)
                counters.convert_seconds += time.perf_counter() - started
                yield batch
        for note in self.new_notes():
            notice(note)

    def _read_ahead(
        self, data: Iterator[NumberedBlock], claimed: Future[CompletedRows], counters: ReaderCounters
    ) -> Iterator[NumberedBlock]:
        """Yield the blocks; the first ones are read while the import is being claimed, and yielded after that."""

        def wait() -> None:
            started = time.perf_counter()
            claimed.result()
            counters.claim_seconds += time.perf_counter() - started

        waiting: deque[NumberedBlock] = deque()
        for block, rows in data:
            self.last_row = rows[-1]
            waiting.append((block, rows))
            if claimed.done() or len(waiting) == BLOCKS_AHEAD:
                wait()
                while waiting:
                    yield waiting.popleft()
        wait()
        yield from waiting

    def _data(self, size: int, counters: ReaderCounters, notice: Notice) -> Iterator[NumberedBlock]:
        """The table's rows, cut to its extent and without blank rows and totals, with their sheet rows."""
        width = len(self.layout.headers)
        left = self.limit
        held: NumberedBlock | None = None
        beyond = False
        for whole in self._blocks.read(size):
            block = rows_between(whole, self.layout.first_row, self.layout.last_row)
            if not len(block):
                if self.layout.last_row is not None and whole.first_row > self.layout.last_row:
                    break
                continue
            if (
                not beyond
                and self.key_column is None
                and (outside := cells_outside(block, self.layout.first_column, width))
            ):
                beyond = True
                notice(outside)
            between = len(block)
            block, rows = without_blank_rows(trimmed(block, self.layout.first_column, width))
            counters.blocks += 1
            counters.blank_rows += between - len(rows)
            if not rows:
                continue
            block = fitted(block, self.layout.first_column, width)
            if held is not None:
                yield held  # more rows follow, so it was not a totals row
                held = None
            if left is not None:
                block, rows = cut(block, rows, 0, left)
                left -= len(rows)
            if left == 0:
                yield block, rows
                return
            # Only the last row can be a totals row: hold it back until it is known whether more rows follow.
            if self._is_totals(block):
                held = cut(block, rows, len(rows) - 1, len(rows))
                block, rows = cut(block, rows, 0, len(rows) - 1)
            if rows:
                yield block, rows
        if held is not None:
            row = held[1][0]
            counters.rows_read += 1
            counters.skipped += 1
            counters.totals_rows += 1
            notice(f"row {row:,} is the last and looks like totals: left out (--totals keep imports it)")


def results(columns: Sequence[ColumnInference]) -> list[Inferred]:
    """The types of the columns of a table."""
    found = [column.result() for column in columns]
    if any(each.format.decimal_mark == "," and each.type.kind is not Kind.TEXT for each in found):
        return [column.result(comma_beside=True) for column in columns]
    return found


def open_source(path: Path, reader: Reader, source: Source) -> OpenSource:
    """Open the file and find the table in the wanted sheet.

    Raises :class:`SourceError` if the file cannot be read, or the sheet does not exist or is empty.
    """
    started = time.perf_counter()
    workbook = reader.open(path)
    sheet, note = open_sheet(path, workbook, source)
    return find_source(path, workbook, sheet, source, note, typed=reader.typed, started=started)


def find_source(
    path: Path, workbook: Workbook, sheet: OpenSheet, source: Source, note: str | None, *, typed: bool, started: float
) -> OpenSource:
    """Find the table in an open sheet; if that fails, close the workbook and raise as :func:`open_source` does.

    ``note`` is about the choice of the sheet, ``started`` is when opening began (``time.perf_counter``).
    """
    try:
        bounds = parse_range(source.range) if source.range else None
        head = _head(sheet, path, max(source.header_row or 0, bounds.first_row if bounds else 0))
        layout = find_layout(
            head,
            header_row=source.header_row,
            within=bounds,
            merged=partial(merged_ranges, sheet, head.first_row + len(head) - 1),
            known=[frozenset(normalized(header) for header, _ in schema.headers) for schema in SCHEMAS.values()],
        )
        if not layout.headers:
            raise SourceError(f"{path}: sheet {sheet.name!r} has no cells in the range {bounds}")
        key_column = None
        if source.mends is not None:
            layout, key_column = without_reasons(path, sheet.name, layout)
        opened = SourceOpened(
            sheet=sheet.name,
            header_row=layout.header_row,
            columns=len(layout.headers),
            rows=_expected_rows(sheet, layout, source.limit),
            seconds=time.perf_counter() - started,
        )
        return OpenSource(
            path,
            workbook,
            sheet,
            layout,
            typed,
            source.limit,
            opened,
            note,
            source.totals,
            key_column,
            row_characters(head),
        )
    except BaseException:
        workbook.close()
        raise


def _expected_rows(sheet: OpenSheet, layout: Layout, limit: int | None) -> int | None:
    """The expected number of data rows, including blank ones; None if the reader does not know it."""
    if sheet.row_hint is None:
        return None
    rows = max(0, sheet.row_hint - layout.first_row + 1)
    if layout.last_row is not None:
        rows = min(rows, layout.last_row - layout.first_row + 1)
    return rows if limit is None else min(rows, limit)


def _head(sheet: OpenSheet, path: Path, row: int) -> Block:
    """The first rows of the sheet: enough to find a header below blank rows, and including ``row``."""
    for size in (row + LAYOUT_ROWS, MAX_ROWS):
        for block in sheet.blocks(size):
            if any(column.blanks < len(column) for column in block.columns):
                return block
            if size < MAX_ROWS:
                break
    raise EmptySheetError(f"{path}: sheet {sheet.name!r} is empty")
