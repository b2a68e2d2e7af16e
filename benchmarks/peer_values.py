"""Whether every value of the data is in the table, and which were changed."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from benchmarks.peer_data import Kind
from benchmarks.peer_targets import Target

#: Digits of a number that have to be the same: a workbook has 15, and some ways lose the last.
_DIGITS = 14
_SHOWN = 24


def changes(target: Target, kind: Kind, count: int) -> list[str]:
    """One sentence for each column that has other values than the data, and for rows that are missing; none if every
    value is in. Numbers may be of any numeric type, and a day may be a moment at midnight."""
    known = {_plain(name): name for name in target.columns()}
    if missing := [name for name in kind.header if _plain(name) not in known]:
        return [f"no column {name}" for name in missing]
    names = ", ".join(f'"{known[_plain(name)]}"' for name in kind.header)
    # Nothing between two delimiters may be an empty text; in a workbook, a blank cell is none.
    blank = "" if kind.suffix == "csv" else None
    expected_hashes = Counter(hash(tuple(map(_comparable, row))) for row in kind.rows(count))
    with target.rows(names) as rows:
        if Counter(hash(_row(row, blank)) for row in rows) == expected_hashes:
            return []
    with target.rows(names) as rows:
        found = [_row(row, blank) for row in rows]
    expected = [tuple(map(_comparable, row)) for row in kind.rows(count)]
    if len(found) != len(expected):
        return [f"{len(found):,} rows instead of {len(expected):,}"]
    columns = zip(kind.header, zip(*expected, strict=True), zip(*found, strict=True), strict=True)
    different = [sentence for column in columns for sentence in _difference(*column)]
    return different or ["values are in other rows"]


def _row(row: Sequence[Any], blank: str | None) -> tuple[Any, ...]:
    return tuple(None if cell == blank else _comparable(cell) for cell in row)


def _difference(name: str, expected: Sequence[Any], found: Sequence[Any]) -> Iterable[str]:
    lost, new = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    if lost:
        before, after = next(iter(lost)), next(iter(new))
        count = f"all {lost.total():,}" if lost.total() == len(expected) else f"{lost.total():,}"
        yield f"{name}: {count} changed, such as {_shown(before)} (there: {_shown(after)})"


def _comparable(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false", bool
    if isinstance(value, (int, float, Decimal)):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value
    return dt.datetime.combine(value, dt.time()) if isinstance(value, dt.date) else value


def _shown(value: Any) -> str:
    text = value[0] if isinstance(value, tuple) else str(value) if isinstance(value, dt.datetime) else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower())
