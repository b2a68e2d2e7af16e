"""Headers of two rows: groups above, names below.

The upper row of ``Region | 2022 | | 2023 |`` above ``| male | female | male | female`` has a cell for each group, which
is merged over its columns or repeated, and one for each column that has no name below. Where the reader tells which
cells are merged, they decide how far a group reaches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from tui_importer.core.conversion.parsing import as_text
from tui_importer.core.model.cells import Cell
from tui_importer.core.model.names import normalized
from tui_importer.core.source.value_headers import Cells

#: What stands in data for nothing.
_NOTHING = frozenset({"", "n a", "na", "null", "none", "nan", "nil"})


def may_be_joined(upper: Cells, lower: Cells, table: Sequence[int]) -> bool:
    """Whether two rows have the columns of the table below them, and several cells in the upper one."""
    return len(upper) >= 2 and {*upper, *lower} == {*table}


def join_headers(
    upper: Cells, lower: Cells, table: Sequence[int], spans: Mapping[int, int] | None = None
) -> dict[int, str] | None:
    """The headers, by sheet column, of two rows that are one header; None if they are not.

    ``table`` are the columns of the rows below, in order. ``spans`` are the first and last columns of the merged cells
    of the upper row. A column without a name in the lower row has that of the upper one. Where names of the lower row
    are not unique, each is preceded by its group.
    """
    if not may_be_joined(upper, lower, table):
        return None
    groups = _groups(upper, lower, table, spans or {})
    names = {column: _text(cell) for column, cell in lower.items()}
    columns = Counter(groups.values())
    if max(columns.values(), default=0) < 2 or any(
        normalized(name) in _NOTHING or (column in groups and columns[groups[column]] < 2)
        for column, name in names.items()
    ):
        return None
    repeated = len({normalized(name) for name in names.values()}) < len(names)
    headers = {}
    for column in table:
        group, name = _text(upper[groups[column]]) if column in groups else "", names.get(column, "")
        headers[column] = f"{group} {name}".strip() if repeated or not name else name
    return headers if len({normalized(name) for name in headers.values()}) == len(headers) else None


def _groups(upper: Cells, lower: Cells, table: Sequence[int], spans: Mapping[int, int]) -> dict[int, int]:
    """The column in which the group of each column begins; none for a column without a group.

    A group reaches over the columns of its merged cell. In a row without merged cells it reaches up to the next cell
    that is not the same, and over columns with names only.
    """
    groups = dict[int, int]()
    start: int | None = None
    last = -1
    for column in table:
        if column not in lower:
            groups[column] = column
            start = None
            continue
        if column in upper:
            last = spans.get(column, column)
            if start is None or _text(upper[column]) != _text(upper[start]):
                start = column
        elif spans and column > last:
            start = None
        if start is not None:
            groups[column] = start
    return groups


def _text(cell: Cell) -> str:
    return (as_text(cell) or "").strip()
