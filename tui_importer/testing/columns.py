"""The contract that every column must fulfil: its facts are true, and its cells the right ones, however they are asked
for."""

from __future__ import annotations

import datetime as dt
import math
import pickle
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any

from tui_importer.core.conversion.convert import convert_cells
from tui_importer.core.model.cells import Cell, CellError, UncalculatedFormula
from tui_importer.core.model.column import NUL, Column
from tui_importer.core.model.types import ColumnType
from tui_importer.testing.oracle import ContractError

#: Cells of every kind that a file can hold, by kind: usual ones, and those at which a shortcut goes wrong.
SAMPLE_CELLS: dict[type, tuple[Cell, ...]] = {
    str: (
        "a",
        "00042",
        "12",
        "1.5",
        "TRUE",
        "2024-02-29",
        "25:00:00",
        "é€😀",
        " edge ",
        "line\nbreak",
        "tab\there",
        "#N/A",
    ),
    float: (1.0, -2.0, 0.1, 99.995, 1e15, 2.0**53, -(2.0**63), 1e22),
    int: (0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63),
    bool: (True, False),
    Decimal: (Decimal("1.10"), Decimal(-7), Decimal("12345678901234567890.5")),
    dt.datetime: (dt.datetime(2024, 2, 29, 10, 11, 12), dt.datetime(1999, 12, 31, 23, 59, 59, 500_000)),
    dt.date: (dt.date(2024, 2, 29), dt.date(1900, 1, 1)),
    dt.time: (dt.time(10, 11, 12), dt.time(0, 0)),
    dt.timedelta: (dt.timedelta(hours=25), dt.timedelta(days=-1, seconds=1)),
    CellError: (CellError("#N/A"), CellError("#DIV/0!")),
    UncalculatedFormula: (UncalculatedFormula("1+1"),),
}

#: The types to which each column is cast.
_TYPES = tuple(
    map(
        ColumnType.parse,
        (
            "text",
            "text(3)",
            "integer",
            "integer(16)",
            "numeric",
            "numeric(6,2)",
            "float",
            "boolean",
            "date",
            "time",
            "timestamp",
            "timestamptz",
            "interval",
        ),
    )
)
#: Columns of each check that have random cells, and the cells of one.
_COLUMNS, _LENGTH = 40, 12


def check_columns(make: Callable[[Sequence[Cell]], Column], kinds: Collection[type] = (*SAMPLE_CELLS,)) -> None:
    """Raise :class:`~tui_importer.testing.ContractError` unless the columns fulfil the contract.

    ``make`` returns a column of these cells, which are of the given ``kinds`` or None.
    """
    for cells in _samples(kinds):
        check_column(make(cells), cells)


def check_column(column: Column, cells: Sequence[Cell]) -> None:
    """Raise :class:`~tui_importer.testing.ContractError` unless a column has these ``cells``, None for blanks, and all
    that it says of them is true."""
    _check_facts(column, cells)
    _check_casts(column, cells)
    _check_store(column, cells)
    for start, stop in ((0, len(cells)), (1, len(cells) - 1), (len(cells) // 2, len(cells)), (0, 0)):
        _check_facts(column.slice(start, max(start, stop)), cells[start : max(start, stop)])
    selected = [index % 3 != 1 for index in range(len(cells))]
    _check_facts(column.keep(selected), [cell for cell, kept in zip(cells, selected, strict=True) if kept])
    _check_facts(pickle.loads(pickle.dumps(column)), cells)  # noqa: S301  # made one line above
    _check_facts(column, cells)  # none of this has changed it


def _samples(kinds: Collection[type]) -> Iterable[Sequence[Cell]]:
    """Lists of cells: none, blanks only, of each kind, and mixed ones."""
    yield ()
    yield (None, None, None)
    for kind in kinds:
        cells = SAMPLE_CELLS[kind]
        yield cells
        yield (None, *cells, None)
        yield from ((cell,) for cell in cells)
    chosen = random.Random(len(kinds))  # noqa: S311  # the same choices every time
    every = [None, *(cell for kind in kinds for cell in SAMPLE_CELLS[kind])]
    for _ in range(_COLUMNS):
        yield chosen.choices(every, k=_LENGTH)


def _check_facts(column: Column, cells: Sequence[Cell]) -> None:
    texts = [cell for cell in cells if isinstance(cell, str)]
    kinds = frozenset(type(cell) for cell in cells if cell is not None)
    _expect(cells, "its length", len(column), len(cells))
    _expect(cells, "its values", _exact(column.values()), _exact(cells))
    _expect(cells, "its kinds", column.kinds, kinds)
    _expect(cells, "its blanks", column.blanks, cells.count(None))
    _expect(cells, "its blank mask", column.blank_mask, bytes(cell is None for cell in cells))
    _expect(cells, "its longest text", column.longest, max(map(len, texts), default=0))
    _expect(cells, "whether it has a NUL", column.has_nul, any(NUL in text for text in texts))
    floats = [cell for cell in cells if type(cell) is float]
    _expect(cells, "whether it is integral", column.integral, all(map(float.is_integer, floats)))
    for kind in kinds:
        found, wanted = column.extremes(kind), _extremes([cell for cell in cells if type(cell) is kind])
        _expect(cells, f"its extremes of kind {kind.__name__}", found and _exact(found), wanted and _exact(wanted))
    rows = [*range(len(cells))[::-2], *range(len(cells))[:1]]
    _expect(cells, f"its cells in rows {rows}", _exact(column.take(rows)), _exact([cells[row] for row in rows]))


def _check_casts(column: Column, cells: Sequence[Cell]) -> None:
    for type_ in _TYPES:
        cast = column.cast(type_)
        if cast is None:
            continue
        wanted, refused = convert_cells(cells, type_)
        if refused:
            row, reason = next(iter(refused.items()))
            raise ContractError(
                f"a column of {_shown(cells)} casts to {type_} what does not fit ({cells[row]!r}: {reason})"
            )
        _expect(cells, f"its cells as {type_}", _exact(cast.values()), _exact(wanted))


def _check_store(column: Column, cells: Sequence[Cell]) -> None:
    if column.store is None:
        return
    records = column.store.records((column,))
    if records is not None:
        _expect(
            cells,
            "the records of its store",
            [_exact(record) for record in records],
            [_exact([cell]) for cell in cells],
        )
    if (encoded := column.store.encode((column,), "no such encoding")) is not None:
        raise ContractError(f"a store encodes in an encoding that does not exist: {encoded!r}")


def _extremes(cells: Sequence[Any]) -> tuple[Any, Any] | None:
    """The least and the greatest; None if they have no order."""
    if any(isinstance(cell, (float, Decimal)) and not math.isfinite(cell) for cell in cells):
        return None
    try:
        return min(cells), max(cells)
    except TypeError:
        return None


def _exact(cells: Iterable[Any]) -> list[tuple[type, str]]:
    """Cells in a form that compares types and signs too, and NaN as equal to itself."""
    return [(type(cell), repr(cell)) for cell in cells]


def _expect(cells: Sequence[Cell], what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise ContractError(f"a column of {_shown(cells)}: {what} should be {wanted!r}, not {found!r}")


def _shown(cells: Sequence[Cell]) -> str:
    return repr([*cells[:8], "..."] if len(cells) > 8 else [*cells])
