"""The data that imports are compared on: workbooks and a CSV file, always the same for a number of rows."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import xlsxwriter

from tests.support.business_data import HEADER, SEED, business_rows, write_workbook
from tui_importer.core.model.cells import column_letters

Row = Sequence[Any]
WIDE = 200
_FIRST_DAY = dt.datetime(2024, 1, 1)
_TEXT, _NUMBER = "text", "double precision"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of contents.

    ``rows`` yields as many rows as it is given, None for a blank cell, and of a formula its value; ``types`` are
    PostgreSQL's for a table that is created beforehand. ``share`` is how many rows there are of those asked for, so
    that wide rows are as many cells.
    """

    header: Sequence[str]
    types: Sequence[str]
    rows: Callable[[int], Iterator[Row]]
    suffix: str = "xlsx"
    formulas: Callable[[int], dict[int, str]] = lambda row: {}
    share: float = 1.0

    @property
    def columns(self) -> str:
        """The columns of a table for these rows, as in CREATE TABLE."""
        names = (
            f"{name.lower().replace(' ', '_')} {type_}" for name, type_ in zip(self.header, self.types, strict=True)
        )
        return ", ".join(names)


def _businesses(count: int) -> Iterator[Row]:
    return (tuple(cell or None for cell in row) for row in business_rows(count))


def _typed(count: int) -> Iterator[Row]:
    random = Random(SEED).random
    for number in range(1, count + 1):
        day = _FIRST_DAY + dt.timedelta(days=int(random() * 700))
        moment = day + dt.timedelta(seconds=int(random() * 86_400))
        cents, share, paid = int(random() * 1_000_000) / 100, round(random(), 12), random() < 0.5
        note = None if random() < 0.3 else f"order {number} of {day:%B}"
        yield number, f"{number % 9_973:05d}", day, moment, cents, share, paid, note


def _calculated(count: int) -> Iterator[Row]:
    random = Random(SEED).random
    for number in range(1, count + 1):
        quantity, price = 1 + int(random() * 20), int(random() * 10_000) / 100
        total = round(quantity * price, 2)
        yield number, quantity, price, total, round(total * 1.19, 2), "large" if total > 500 else "small"


def _formulas(row: int) -> dict[int, str]:
    return {3: f"=ROUND(B{row}*C{row},2)", 4: f"=ROUND(D{row}*1.19,2)", 5: f'=IF(D{row}>500,"large","small")'}


def _wide(count: int) -> Iterator[Row]:
    for number in range(count):
        yield [number + column / 4 if column % 2 else f"text {number % 997} {column}" for column in range(WIDE)]


KINDS = {
    "business": Kind(HEADER, [_TEXT] * len(HEADER), _businesses),
    "typed": Kind(
        ("Number", "Code", "Day", "Moment", "Amount", "Share", "Paid", "Note"),
        (_NUMBER, _TEXT, "date", "timestamp", _NUMBER, _NUMBER, "boolean", _TEXT),
        _typed,
    ),
    "formulas": Kind(
        ("Number", "Quantity", "Price", "Total", "Gross", "Class"),
        (*[_NUMBER] * 5, _TEXT),
        _calculated,
        formulas=_formulas,
    ),
    "wide": Kind(
        [f"Column {column_letters(column)}" for column in range(WIDE)],
        [_NUMBER if column % 2 else _TEXT for column in range(WIDE)],
        _wide,
        share=len(HEADER) / WIDE,
    ),
    "csv": Kind(HEADER, [_TEXT] * len(HEADER), _businesses, suffix="csv"),
}


def write(kind: Kind, count: int, path: Path) -> None:
    """Write so many rows of a kind."""
    if kind.suffix == "csv":
        with path.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([kind.header, *kind.rows(count)])
    elif kind.rows is _businesses:
        write_workbook(path, business_rows(count))
    else:
        _write_workbook(kind, count, path)


def _write_workbook(kind: Kind, count: int, path: Path) -> None:
    with xlsxwriter.Workbook(path, {"constant_memory": True, "in_memory": False}) as workbook:
        sheet = workbook.add_worksheet("Sheet1")
        formats = {
            type_: workbook.add_format({"num_format": shown})
            for type_, shown in (("date", "yyyy-mm-dd"), ("timestamp", "yyyy-mm-dd hh:mm:ss"))
        }
        sheet.write_row(0, 0, kind.header)
        for number, row in enumerate(kind.rows(count), start=1):
            formulas = kind.formulas(number + 1)
            for column, value in enumerate(row):
                if column in formulas:
                    sheet.write_formula(number, column, formulas[column], None, value)
                elif isinstance(value, dt.datetime):
                    sheet.write_datetime(number, column, value, formats[kind.types[column]])
                elif isinstance(value, str):
                    sheet.write_string(number, column, value)
                elif value is not None:
                    sheet.write(number, column, value)
