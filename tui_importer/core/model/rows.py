"""Columns that are backed by rows, for readers that return rows of texts; most business sheets hold little else.

Rows need not be converted to columns and back only to find out that they are valid: joining their texts in C shows that
all cells of a block are texts, and whether one contains a NUL. A batch whose columns are all unchanged returns the same
rows, or the joined texts as bytes. A column becomes a list when its values are requested.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from operator import itemgetter, not_
from typing import Any

from tui_importer.core.model.casting import cast
from tui_importer.core.model.cells import Cell
from tui_importer.core.model.column import NUL, Column
from tui_importer.core.model.encoded import EncodedBatch
from tui_importer.core.model.list_column import ListColumn
from tui_importer.core.model.types import ColumnType

_TEXTS: frozenset[type] = frozenset({str})
_NOTHING: frozenset[type] = frozenset()

#: The number of rows that are read and joined at once: few enough that their cells are still in the processor's cache,
#: that the join does not get new memory from the system every time, and that other threads can run soon.
PIECE_ROWS = 500

#: The separators between rows and between cells of joined texts, as in ASCII (RFC 20, 5.2).
RECORD_SEPARATOR, UNIT_SEPARATOR = "\x1e", "\x1f"
_RS, _US = RECORD_SEPARATOR.encode(), UNIT_SEPARATOR.encode()

#: The encoding of rows in UTF-8 with these separators. Blanks are empty texts; nothing follows the last row of a chunk.
SEPARATED = "separated-utf8"


class Rows:
    """Consecutive rows of ``width`` texts each, shared by the columns over them; empty texts are blanks.

    Implements :class:`tui_importer.core.model.column.ColumnStore`. ``joined`` has the texts of all rows joined in
    pieces, if that is already done. ``has_nul`` is whether one of them may contain a NUL.
    """

    def __init__(
        self, rows: Sequence[Sequence[str]], width: int, *, has_nul: bool, joined: Sequence[str] | None = None
    ) -> None:
        self.width = width
        self.has_nul = has_nul
        self._rows = rows
        self._joined = joined
        self._parts: dict[tuple[int, int], Rows] = {}

    @classmethod
    def read(cls, source: Iterator[Sequence[Cell]], count: int) -> tuple[list[Sequence[Cell]], Rows | None]:
        """Read the next ``count`` records of the source, fewer at its end; returns them as a list and as rows.

        The rows are None unless all cells are texts and all records have the same length.
        """
        records: list[Sequence[Cell]] = []
        joined: list[str] | None = []
        while piece := list(islice(source, min(PIECE_ROWS, count - len(records)))):
            records += piece
            if joined is not None:
                try:
                    joined.append(_joined(piece))
                except TypeError:
                    joined = None
        widths = set(map(len, records))
        if joined is None or len(widths) != 1:
            return records, None
        has_nul = any(NUL in piece for piece in joined)
        # All cells are texts, otherwise joining them would have failed.
        return records, cls(records, widths.pop(), has_nul=has_nul, joined=joined)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self._rows)

    def columns(self) -> tuple[RowColumn, ...]:
        """One column for each cell of a row."""
        return tuple(RowColumn(self, index) for index in range(self.width))

    def part(self, start: int, stop: int) -> Rows:
        """Rows ``start`` to ``stop`` (exclusive); the same object for all columns."""
        if (start, stop) not in self._parts:
            self._parts[start, stop] = Rows(self._rows[start:stop], self.width, has_nul=self.has_nul)
        return self._parts[start, stop]

    def cell(self, row: int, index: int) -> Cell:
        """One cell."""
        return self._rows[row][index] or None

    def texts(self, index: int) -> Iterator[str]:
        """The cells of one column, with empty texts for blanks."""
        return map(itemgetter(index), self._rows)

    def utf8_chunks(self) -> list[bytes] | None:
        """The rows in UTF-8, in pieces of :data:`PIECE_ROWS` rows.

        ``UNIT_SEPARATOR`` is between cells, ``RECORD_SEPARATOR`` between rows. None if a cell contains one of these
        itself, or cannot be encoded.
        """
        joined = self._joined
        if joined is None:
            starts = range(0, len(self._rows), PIECE_ROWS)
            joined = [_joined(self._rows[start : start + PIECE_ROWS]) for start in starts]
        self._joined = None  # not needed twice, and it takes as much memory as the cells
        try:
            utf8_chunks = list(map(str.encode, joined))
        except UnicodeEncodeError:
            return None
        units = sum(chunk.count(_US) for chunk in utf8_chunks)
        records = sum(chunk.count(_RS) for chunk in utf8_chunks)
        plain = units == len(self._rows) * (self.width - 1) and records == len(self._rows) - len(utf8_chunks)
        return utf8_chunks if plain else None

    def records(self, columns: Sequence[Column]) -> Iterable[Sequence[Cell]] | None:
        indices = _indices(columns)
        if indices == list(range(self.width)):
            return self._records
        return map(itemgetter(*indices), self._records) if len(indices) > 1 else None

    def encode(self, columns: Sequence[Column], format_: str) -> EncodedBatch | None:
        if format_ != SEPARATED or _indices(columns) != list(range(self.width)):
            return None
        chunks = self.utf8_chunks()
        return None if chunks is None else SeparatedRows(self, chunks)

    @cached_property
    def _records(self) -> list[Sequence[str | None]]:
        """The rows with ``None`` for blanks."""
        return [row if all(row) else [cell or None for cell in row] for row in self._rows]


class SeparatedRows:
    """Rows in the encoding :data:`SEPARATED`; implements :class:`tui_importer.core.model.encoded.EncodedBatch`."""

    format = SEPARATED

    def __init__(self, rows: Rows, chunks: Sequence[bytes]) -> None:
        self._rows = rows
        self._chunks = chunks

    def __len__(self) -> int:
        return len(self._rows)

    def chunks(self, start: int, stop: int) -> Iterable[bytes]:
        if start == 0 and stop == len(self):
            return self._chunks
        part = self._rows.part(start, stop).utf8_chunks()
        assert part is not None  # all rows could be encoded
        return part


class RowColumn:
    """One column backed by rows; implements :class:`tui_importer.core.model.column.Column`."""

    def __init__(self, rows: Rows, index: int) -> None:
        self.rows = rows
        self.index = index

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def kinds(self) -> frozenset[type]:
        return _TEXTS if any(self.rows.texts(self.index)) else _NOTHING

    @cached_property
    def blanks(self) -> int:
        return 0 if all(self._texts) else self._texts.count("")

    @cached_property
    def longest(self) -> int:
        return max(map(len, self._texts), default=0)

    @property
    def has_nul(self) -> bool:
        return self.rows.has_nul and self._list.has_nul

    @property
    def integral(self) -> bool:
        return self._list.integral

    def extremes(self, kind: type) -> tuple[Any, Any] | None:
        return self._list.extremes(kind)

    @cached_property
    def blank_mask(self) -> bytes:
        return bytes(map(not_, self._texts)) if self.blanks else bytes(len(self.rows))

    @property
    def store(self) -> Rows:
        return self.rows

    def values(self) -> Sequence[Cell]:
        return self._list.values()

    def take(self, rows: Sequence[int]) -> Sequence[Cell]:
        return [self.rows.cell(row, self.index) for row in rows]

    def cast(self, type_: ColumnType) -> Column | None:
        values = cast(self, type_)
        return ListColumn(values, blanks=self.blanks) if isinstance(values, list) else values

    def slice(self, start: int, stop: int) -> RowColumn:
        return RowColumn(self.rows.part(start, stop), self.index)

    def keep(self, selected: Sequence[bool]) -> ListColumn:
        return self._list.keep(selected)

    @cached_property
    def _texts(self) -> list[str]:
        """The cells, with empty texts for blanks."""
        return list(self.rows.texts(self.index))

    @cached_property
    def _list(self) -> ListColumn:
        return ListColumn([text or None for text in self._texts] if self.blanks else self._texts, blanks=self.blanks)


def _indices(columns: Sequence[Column]) -> list[int]:
    """The positions of these columns in their rows, which are the same for all."""
    return [column.index for column in columns if isinstance(column, RowColumn)]


def _joined(rows: Iterable[Iterable[Any]]) -> str:
    """The texts of the rows joined; raises ``TypeError`` if a cell is not a text."""
    return RECORD_SEPARATOR.join(map(UNIT_SEPARATOR.join, rows))
