"""Keeps the blocks of a small sheet that were read to infer the types of its columns, for the import of its rows:
making Python objects of the cells takes longer than anything else that is done with them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from tui_importer.core.model.batch import Block
from tui_importer.core.source.block_rows import row_slice
from tui_importer.core.source.reader import OpenSheet
from tui_importer.core.source.row_length import row_characters

#: The most memory that kept blocks take, in bytes, about.
_MOST_BYTES = 96 << 20
#: What a cell takes besides its characters, in bytes.
_CELL_BYTES = 50


def memory(rows: int, characters: float, columns: int) -> float:
    """About how many bytes rows take, with so many characters and columns each."""
    return rows * (characters + _CELL_BYTES * columns)


class KeptBlocks:
    """The blocks of a sheet, which may be read more than once."""

    def __init__(self, sheet: OpenSheet) -> None:
        self._sheet = sheet
        self._kept: deque[Block] | None = None

    def read_and_keep(self, rows: int, expected: float = 0.0) -> Iterator[Block]:
        """Read the sheet in blocks of at most so many rows, and keep them if they do not take too much memory.

        ``expected`` is about how much all of them take (:func:`memory`): of a large sheet, not even the first are kept.
        """
        kept: deque[Block] | None = deque() if expected <= _MOST_BYTES else None
        size = 0.0
        self._kept = None
        for block in self._sheet.blocks(rows):
            if kept is not None:
                size += memory(len(block), row_characters(block), len(block.columns))
                if size <= _MOST_BYTES:
                    kept.append(block)
                else:
                    kept = None
            yield block
        self._kept = kept

    def read(self, rows: int) -> Iterator[Block]:
        """The blocks of the sheet, of at most so many rows. Those that were kept are given away."""
        kept, self._kept = self._kept, None
        if kept is None or any(len(block) < rows for block in list(kept)[:-1]):
            yield from self._sheet.blocks(rows)
            return
        while kept:
            block = kept.popleft()
            for start in range(0, len(block), rows):
                stop = min(start + rows, len(block))
                yield block if stop - start == len(block) else row_slice(block, start, stop)
