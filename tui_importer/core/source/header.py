"""Finding the table in a sheet: its header row, its first data row and its columns.

Titles and blank rows may precede the table; blank columns may precede it or lie inside it. A note reports every
decision. The user's ``header_row`` and ``range`` are always followed. Cells are left out only if they are above a
header or outside the user's range.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import compress, count, repeat
from operator import is_not

import msgspec

from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.model.batch import Block
from tui_importer.core.model.cells import Cell
from tui_importer.core.model.names import normalized
from tui_importer.core.model.ranges import CellRange, parse_range
from tui_importer.core.source.layout import Layout
from tui_importer.core.source.totals import is_totals_row
from tui_importer.core.source.two_row_headers import join_headers, may_be_joined
from tui_importer.core.source.value_headers import Cells, holds_names_only, is_value
from tui_importer.errors import PlanError

__all__ = ["LAYOUT_ROWS", "CellRange", "Layout", "find_layout", "is_totals_row", "parse_range"]

#: How many rows :func:`find_layout` needs: titles above a table take a dozen rows at most, and the others show how wide
#: the table is.
LAYOUT_ROWS = 100

#: A row is as wide as the table below it if it has at least the most common number of cells there, and at least this
#: share of the greatest: a block of short lines above the table (customer, date ...) has a most common width too.
WIDE = 2 / 3

#: The row directly above the first wide row is a header with blank cells in it if it has this share of its cells: more
#: if both are texts, because a title may have a few cells too; less if the wide row holds values.
ABOVE_TEXTS = 3 / 4
ABOVE_VALUES = 1 / 2

#: How much of a title a note shows, in characters, and the number of titles.
MAX_SHOWN = 40
MAX_TITLES = 3

#: The number of rows below a row to which it is compared.
_BELOW = 20


class _Header(msgspec.Struct, frozen=True):
    """A header: its sheet row, the last one if it has several, and the names of columns by sheet column (from 0)."""

    number: int
    cells: Cells
    joined: bool = False


class _Row(msgspec.Struct, frozen=True):
    """A row that is not blank: its sheet row, and its filled cells by sheet column (from 0)."""

    number: int
    cells: dict[int, Cell]

    def may_be_header(self, below: Sequence[_Row]) -> bool:
        """Whether each cell can be the name of a column that has the cells of the rows below."""
        return holds_names_only(self.cells, [row.cells for row in below[:_BELOW]])

    def names(self) -> frozenset[str]:
        return frozenset(normalized(as_text(cell)) for cell in self.cells.values()) - {""}


def find_layout(
    block: Block,
    *,
    header_row: int | None = None,
    within: CellRange | None = None,
    merged: Callable[[], Sequence[CellRange]] = tuple,
    known: Collection[frozenset[str]] = (),
) -> Layout:
    """Find the table in a sheet.

    ``block`` has the sheet's first rows: at least :data:`LAYOUT_ROWS` from the first filled one (or the start of
    ``within``), and the ``header_row`` that the user named (0 for none). ``merged`` returns the merged ranges of these
    rows; it is called only if they matter, because a sheet lists them at its end. ``known`` are sets of headers in the
    form of :func:`tui_importer.core.model.names.normalized`; a row that matches one is the header. Raises
    :class:`PlanError` if the named header row does not exist.
    """
    bounds = within or CellRange()
    if header_row and bounds.last_row is not None and header_row > bounds.last_row:
        raise PlanError(f"header row {header_row} is below the range {bounds}: name a row in it or above it")
    rows = _filled_rows(block, bounds, max(header_row or 0, bounds.first_row))
    inside = [row for row in rows if row.number >= bounds.first_row]
    if header_row:
        named = _named_row(rows, header_row, block)
        header: _Header | None = _Header(named.number, named.cells)
        notes: tuple[str, ...] = ()
    elif not inside:
        return Layout(
            header_row=0,
            first_row=bounds.first_row,
            last_row=bounds.last_row,
            first_column=bounds.first_column,
            headers=(),
            notes=("there are no cells" + (f" in the range {bounds}" if within else ""),),
            bounds=bounds,
        )
    elif header_row == 0:
        header, notes = None, ("no header row, as asked for: columns are named by their letters",)
    else:
        header, notes = _found_header(inside, known, merged)

    first_row = max(header.number + 1, bounds.first_row) if header else inside[0].number
    data = [row for row in inside if row.number >= first_row]
    titles = header.cells if header else {}
    columns = {*titles}.union(*(row.cells for row in data))
    first_column = min(columns)
    return Layout(
        header_row=header.number if header else 0,
        first_row=first_row,
        last_row=bounds.last_row,
        first_column=first_column,
        headers=tuple(_header(titles.get(column)) for column in range(first_column, max(columns) + 1)),
        notes=notes,
        bounds=bounds,
        joined=header is not None and header.joined,
    )


def _filled_rows(block: Block, bounds: CellRange, start: int) -> list[_Row]:
    """The filled rows of the preview, with their cells in the columns of ``bounds``."""
    columns = [
        (position, column.values())
        for position, column in enumerate(block.columns, start=block.first_column)
        if position >= bounds.first_column and (bounds.last_column is None or position <= bounds.last_column)
    ]
    firsts = (next(compress(count(), map(is_not, cells, repeat(None))), len(block)) for _, cells in columns)
    skipped = min(firsts, default=len(block))
    stop = min(len(block), max(skipped, start - block.first_row) + LAYOUT_ROWS)
    rows = []
    for offset in range(skipped, stop):
        number = block.first_row + offset
        if bounds.last_row is not None and number > bounds.last_row:
            break
        cells = {position: cells[offset] for position, cells in columns if cells[offset] not in (None, "")}
        if cells:
            rows.append(_Row(number, cells))
    return rows


def _named_row(rows: Sequence[_Row], number: int, block: Block) -> _Row:
    for row in rows:
        if row.number == number:
            return row
    last = block.first_row + len(block) - 1
    why = f"the last row with cells is row {last}" if number > last else "the row is blank"
    raise PlanError(f"there is no header in row {number}: {why} (0 means that the sheet has no header)")


def _found_header(
    rows: Sequence[_Row], known: Collection[frozenset[str]], merged: Callable[[], Sequence[CellRange]]
) -> tuple[_Header | None, tuple[str, ...]]:
    for index, row in enumerate(rows):
        if all(isinstance(cell, str) for cell in row.cells.values()) and _is_known(row.names(), known):
            return _single(rows, index)
    index = _first_wide(rows)
    for lower in (index - 1, index, index + 1):
        if (found := _two_rows(rows, lower, merged)) is not None:
            return found
    first = rows[index]
    names = first.may_be_header(rows[index + 1 :])
    if index and _is_header_above(rows[index - 1], first, ABOVE_TEXTS if names else ABOVE_VALUES, rows[index:]):
        return _single(rows, index - 1)
    if names:
        return _single(rows, index)
    return None, (
        f"no header row found, as row {first.number} holds values already: columns are named by their letters "
        f"(column_a, column_b ...); if there is one, name it (--header-row N)",
    )


def _single(rows: Sequence[_Row], index: int) -> tuple[_Header, tuple[str, ...]]:
    """The header of one row, and what is above it."""
    return _Header(rows[index].number, rows[index].cells), _titles_above(rows[:index], f"row {rows[index].number}")


def _two_rows(
    rows: Sequence[_Row], lower: int, merged: Callable[[], Sequence[CellRange]]
) -> tuple[_Header, tuple[str, ...]] | None:
    """The header of row ``lower`` and the one above it, if they are one."""
    if lower < 1 or lower + 1 >= len(rows) or rows[lower].number != rows[lower - 1].number + 1:
        return None
    below = rows[lower + 1 :]
    table = sorted({column for row in below[:_BELOW] for column in row.cells})
    # Nothing in the lower row may be a value of the columns below; years and numbers are usual in the upper one.
    if len(table) < 2 or not rows[lower].may_be_header(below):
        return None
    upper, names = rows[lower - 1].cells, rows[lower].cells
    is_like_below = _is_like_below(rows[lower], below)
    if not may_be_joined(upper, names, table) or (is_like_below and not _repeats_names(rows[lower])):
        return None
    spans = _spans(rows[lower - 1], merged())
    if is_like_below and not spans:
        return None
    # Some people merge only some of the groups.
    joined = (join_headers(upper, names, table, spans) if spans else None) or join_headers(upper, names, table)
    if joined is None:
        return None
    first, second = rows[lower - 1].number, rows[lower].number
    header = f"rows {first} and {second}"
    note = f"the header is {header}, joined (--header-row {second} takes the second alone)"
    titles = _titles_above(rows[: lower - 1], header)
    return _Header(second, joined, joined=True), titles or (note,)


def _spans(row: _Row, merged: Sequence[CellRange]) -> dict[int, int]:
    """The cells of a row that are merged over further columns: the first column of each, and the last one."""
    return {
        each.first_column: each.last_column
        for each in merged
        if each.first_row == row.number and each.last_column is not None and each.last_column > each.first_column
    }


def _repeats_names(row: _Row) -> bool:
    """Whether names of a row are not unique, as those below groups usually are."""
    return len(row.names()) < len(row.cells)


def _is_like_below(row: _Row, below: Sequence[_Row]) -> bool:
    """Whether a row of names stands above nothing but texts: then it may be one of the rows itself."""
    cells = [cell for each in below[:_BELOW] for column, cell in each.cells.items() if column in row.cells]
    return not any(map(is_value, cells))


def _is_known(names: frozenset[str], known: Collection[frozenset[str]]) -> bool:
    """Whether a row is a known header, possibly with additional columns or with some missing."""
    return any(headers and (headers <= names or (len(names) > 1 and names <= headers)) for headers in known)


def _first_wide(rows: Sequence[_Row]) -> int:
    """The index of the first row that is as wide as the table below it; else that of the last row."""
    widths = [len(row.cells) for row in rows]
    for index, width in enumerate(widths[:-1]):
        below = widths[index + 1 :]
        if width >= _usual(below) and width >= WIDE * max(below):
            return index
    # A last row with more cells than any other is not a header if those above are a table of their own.
    usual = _usual(widths[:-1]) if len(rows) > 1 else 0
    table = [index for index, width in enumerate(widths[:-1]) if width >= usual]
    if usual > 1 and len(table) > 1 and _are_alike([rows[index] for index in table[1:]]):
        return table[0]
    return len(rows) - 1


def _are_alike(rows: Sequence[_Row]) -> bool:
    """Whether the cells of each column are of one kind: names and values beside them are not."""
    kinds: dict[int, set[bool]] = {}
    for row in rows:
        for column, cell in row.cells.items():
            kinds.setdefault(column, set()).add(is_value(cell))
    return all(len(found) == 1 for found in kinds.values())


def _usual(widths: Sequence[int]) -> int:
    """The most common width; of several, the greatest."""
    counts = Counter(widths)
    return max(counts, key=lambda width: (counts[width], width))


def _is_header_above(above: _Row, first: _Row, part: float, below: Sequence[_Row]) -> bool:
    return (
        above.number == first.number - 1
        and 1 < len(above.cells) < len(first.cells)
        and len(above.cells) >= part * len(first.cells)
        and above.may_be_header(below)
    )


def _titles_above(above: Sequence[_Row], header: str) -> tuple[str, ...]:
    if not above:
        return ()
    shown = [f"row {row.number} ({_shown(next(iter(row.cells.values())))})" for row in above[:MAX_TITLES]]
    if len(above) > MAX_TITLES:
        shown.append(f"{len(above) - MAX_TITLES} more")
    return (f"the header is {header}; above it and left out: {', '.join(shown)}",)


def _header(cell: Cell) -> str | None:
    return (as_text(cell) or "").strip() or None


def _shown(cell: Cell) -> str:
    text = as_text(cell) or ""
    return repr(f"{text[:MAX_SHOWN]}…" if len(text) > MAX_SHOWN else text)
