"""The contract kit for readers and columns: it passes what is built in, and finds out what is faulty."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from tests.testing import own_reader
from tui_importer import Cell, CellError, ListColumn, ReaderSpec
from tui_importer.core.model.rows import Rows
from tui_importer.plugins.registry import load_registry
from tui_importer.testing import ContractError, check_column, check_columns, check_reader

pytestmark = pytest.mark.once

BUILT_IN = load_registry(found=[])


def write_xlsx(path: Path, sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> None:
    with xlsxwriter.Workbook(path) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for row, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    match cell:
                        case None:
                            pass
                        case dt.datetime():
                            sheet.write_datetime(row, column, cell, moment)
                        case dt.date():
                            sheet.write_datetime(row, column, cell, day)
                        case CellError():
                            sheet.write_formula(row, column, "=1/0", None, cell.code)
                        case bool():
                            sheet.write_boolean(row, column, cell)
                        case str():
                            sheet.write_string(row, column, cell)
                        case _:
                            sheet.write_number(row, column, cell)


def write_csv(path: Path, sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(next(iter(sheets.values())))


@pytest.mark.parametrize(
    ("name", "write", "several"),
    [("calamine", write_xlsx, True), ("openpyxl", write_xlsx, True), ("csv", write_csv, False)],
)
def test_built_in_readers_fulfil_the_contract(
    name: str, write: Callable[[Path, Mapping[str, Sequence[Sequence[Cell]]]], None], several: bool, tmp_path: Path
) -> None:
    check_reader(BUILT_IN.reader(name), write, tmp_path, several_sheets=several)


def test_reader_of_public_classes_fulfils_the_contract(tmp_path: Path) -> None:
    check_reader(own_reader.OWN, own_reader.write, tmp_path, kinds=own_reader.KINDS)


@pytest.mark.parametrize("spec", own_reader.FAULTY, ids=lambda spec: spec.summary)
def test_faulty_reader_fails_the_contract(spec: ReaderSpec, tmp_path: Path) -> None:
    with pytest.raises(ContractError):
        check_reader(spec, own_reader.write, tmp_path, kinds=own_reader.KINDS)


def test_list_columns_fulfil_the_contract() -> None:
    check_columns(ListColumn)


def test_row_columns_fulfil_the_contract() -> None:
    rows, texts = Rows.read(iter([("a", "x"), ("b", ""), ("é\n", "\N{GRINNING FACE}")]), 10)
    assert texts is not None
    for column, cells in zip(texts.columns(), zip(*rows, strict=True), strict=True):
        check_column(column, [cell or None for cell in cells])


class _Faulty(ListColumn):
    """A column with one wrong answer."""

    def __init__(self, values: Sequence[Cell], name: str, answer: Any) -> None:
        super().__init__(values)
        self.__dict__[name] = answer


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("kinds", frozenset({float})),
        ("blanks", 2),
        ("longest", 1),
        ("has_nul", True),
        ("integral", False),
        ("blank_mask", b"\0\0\0"),
        ("extremes", lambda kind: ("a", "a")),
        ("values", lambda: ("a", None, "cc")),
        ("take", lambda rows: ["a" for _ in rows]),
        ("cast", lambda type_: ListColumn([1, None, 2])),
        ("slice", lambda start, stop: ListColumn(["a"])),
        ("keep", lambda selected: ListColumn(["a"])),
    ],
)
def test_wrong_result_of_a_column_method_fails_the_contract(name: str, answer: Any) -> None:
    cells = ("a", None, "bb")
    check_column(ListColumn(cells), cells)
    with pytest.raises(ContractError):
        check_column(_Faulty(cells, name, answer), cells)
