"""The sheet that has the table, where none is named; and what is said of the others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import xlsxwriter

from tui_importer.core.model.plan import Source
from tui_importer.core.source.open_source import open_source
from tui_importer.core.source.sheet_choice import SheetKind, sheet_kind
from tui_importer.errors import SourceError
from tui_importer.readers.calamine import CalamineOpenSheet, CalamineReader, CalamineWorkbookFile

Rows = Sequence[Sequence[object]]

TABLE: Rows = [("id", "name", "n"), *((row, f"S{row}", row * 10) for row in range(1, 9))]
UNITS: Rows = [("Area", 12.5, "km²"), ("Place", "Rome"), ("Height", 3, "m"), ("People", 9_000), ("River", "Tiber")]
REMARKS: Rows = [
    ("Field", "Value", "Remark"),
    ("Author", "Ann", "or Bob"),
    ("Date", dt.date(2024, 1, 31), "of the export"),
    ("Rows", 12),
]
COVER: Rows = [("Annual statistics",), ("Release 3",), (), ("Contact: office",), ("Notes",), ("1. Rounded",)]
FACTS: Rows = [("Author", "Ann"), ("Date", dt.date(2024, 1, 31)), ("Version", 3), ("Rows", 12), ("Final", True)]
LABELS: Rows = [("Author:", "Ann"), ("Date:", "today"), ("Version:", "3")]


def book(path: Path, sheets: Mapping[str, Rows], hidden: Sequence[str] = ()) -> Path:
    with xlsxwriter.Workbook(path / "book.xlsx") as workbook:
        day = workbook.add_format({"num_format": "yyyy-mm-dd"})
        for name, rows in sheets.items():
            sheet = workbook.add_worksheet(name)
            if name in hidden:
                sheet.hide()
            for row, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    if isinstance(cell, dt.date):
                        sheet.write_datetime(row, column, cell, day)
                    else:
                        sheet.write(row, column, cell)
    return path / "book.xlsx"


def chosen(path: Path, sheet: str | int | None = None) -> tuple[str, tuple[str, ...]]:
    with open_source(path, CalamineReader(), Source(file=path, sheet=sheet)) as source:
        return source.name, source.notes


@pytest.mark.parametrize(
    "sheets",
    [
        {"Cover": COVER, "Data": TABLE},
        {"First": COVER, "Data": TABLE},
        {"First": [("One title",)], "Data": TABLE},
        {"First": FACTS, "Data": TABLE},
        {"First": LABELS, "Data": TABLE},
        {"First": UNITS, "Data": TABLE},
        {"First": REMARKS, "Data": TABLE},
        {"First": [], "Data": TABLE},
        {"First": [], "Second": COVER, "Data": TABLE, "More": TABLE},
        {"Summary": [("region", "sum"), ("North", 1), ("South", 2), ("East", 3)], "Data": TABLE},
        {"Inhalt": TABLE, "Data": TABLE},
        {"Data": TABLE, "Cover": COVER},
        {"Data": TABLE},
        {"First": [("id", "name")], "Data": TABLE},
    ],
)
def test_sheet_with_a_clear_table_is_chosen(sheets: Mapping[str, Rows], tmp_path: Path) -> None:
    name, notes = chosen(book(tmp_path, sheets))
    assert name == "Data"
    assert len(notes) == (len(sheets) > 1)
    assert all(repr(other) in notes[0] for other in sheets if len(sheets) > 1)


@pytest.mark.parametrize(
    "sheets",
    [
        {"Names": [("name",), ("Ann",), ("Bob",)], "Cover": COVER},
        {"Names": [("name",), ("Ann",), ("Bob",)], "Empty": []},
        {"Summary": TABLE, "About": TABLE},
        {"Facts": FACTS, "Cover": COVER},
        {"Facts": FACTS, "Units": UNITS},
    ],
)
def test_first_sheet_with_cells_is_chosen_if_no_table_is_clear(sheets: Mapping[str, Rows], tmp_path: Path) -> None:
    assert chosen(book(tmp_path, sheets))[0] == next(iter(sheets))


@pytest.mark.parametrize("name", ["Summary", "Resumen 2023", "Cover page", "Inhaltsverzeichnis"])
@pytest.mark.parametrize("first", [COVER, FACTS, UNITS, [], [("name",), ("Ann",), ("Bob",)]])
def test_only_table_is_chosen_regardless_of_its_sheet_name(name: str, first: Rows, tmp_path: Path) -> None:
    assert chosen(book(tmp_path, {"First": first, name: TABLE}))[0] == name
    assert chosen(book(tmp_path, {name: TABLE, "Last": first}))[0] == name


def test_note_lists_the_other_sheets_in_one_line(tmp_path: Path) -> None:
    path = book(tmp_path, {"Cover": COVER, "Data": TABLE, "Old": TABLE, "Secret": TABLE}, hidden=["Secret"])
    _, (note,) = chosen(path)
    assert note == (
        "only sheet 'Data' is imported, not 'Cover' (6 rows, no clear table), 'Old', 'Secret' (hidden) "
        "(--sheet names another)"
    )
    _, (note,) = chosen(book(tmp_path, {"Summary": TABLE, "Empty": [], "Data": TABLE}))
    assert note.startswith(
        "only sheet 'Data' is imported, not 'Summary' (9 rows, a summary or description by its name), 'Empty' (empty) ("
    )
    _, (note,) = chosen(book(tmp_path, {f"s{number}": TABLE for number in range(20)}))
    assert note.endswith("'s5', 's6' and 13 more (--sheet names another)")


def test_named_sheet_is_chosen_without_a_note(tmp_path: Path) -> None:
    path = book(tmp_path, {"Cover": COVER, "Data": TABLE})
    assert chosen(path, "Cover") == ("Cover", ())
    assert chosen(path, 2) == ("Data", ())


def test_hidden_sheets_are_not_chosen(tmp_path: Path) -> None:
    name, notes = chosen(book(tmp_path, {"Cover": COVER, "Hidden": TABLE}, hidden=["Hidden"]))
    assert (name, len(notes)) == ("Cover", 1)


def test_a_workbook_of_empty_sheets_has_no_table(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="sheet 'A' is empty"):
        chosen(book(tmp_path, {"A": [], "B": []}))


@pytest.mark.parametrize(
    ("rows", "shape"),
    [
        (TABLE, SheetKind.TABLE),
        ([("Ann", 1.5), ("Bob", 2.5), ("Cy", 3.5)], SheetKind.TABLE),
        ([("name", "n"), ("Ann", 1), ("Bob", 2)], SheetKind.TABLE),
        ([("title",), (), *TABLE], SheetKind.TABLE),
        ([("name", "n"), ("Ann", 1)], SheetKind.UNCLEAR),
        ([("name",), ("Ann",), ("Bob",)], SheetKind.UNCLEAR),
        (COVER, SheetKind.UNCLEAR),
        (FACTS, SheetKind.UNCLEAR),
        (UNITS, SheetKind.UNCLEAR),
        ([("Place", "Rome"), *UNITS], SheetKind.UNCLEAR),
        ([("what", "value", "unit"), *UNITS], SheetKind.TABLE),
        (REMARKS, SheetKind.UNCLEAR),
        ([("name", "sum", "currency"), ("Ann", 5, "EUR"), ("Bob", "unknown"), ("Cy", 7, "EUR")], SheetKind.TABLE),
        ([("Ann", 5, "EUR"), ("Bob", 6, "EUR"), ("Cy", 7, "EUR")], SheetKind.TABLE),
        (LABELS, SheetKind.UNCLEAR),
        ([], SheetKind.EMPTY),
    ],
)
def test_sheet_shape_follows_from_its_cells(rows: Rows, shape: SheetKind, tmp_path: Path) -> None:
    with CalamineReader().open(book(tmp_path, {"S": rows})) as workbook:
        assert sheet_kind(workbook.sheet("S")) is shape


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("Summary 2024", SheetKind.DESCRIPTION),
        ("Cover page", SheetKind.DESCRIPTION),
        ("READ ME FIRST", SheetKind.DESCRIPTION),
        ("Q1 2024 - Overview", SheetKind.DESCRIPTION),
        ("Inhaltsverzeichnis 1", SheetKind.DESCRIPTION),
        ("Page de garde", SheetKind.DESCRIPTION),
        ("Read me first", SheetKind.DESCRIPTION),
        ("Resumen 2023", SheetKind.DESCRIPTION),
        ("Sommaire", SheetKind.DESCRIPTION),
        ("1. Executive summary (v2.1)", SheetKind.DESCRIPTION),
        ("İçindekiler", SheetKind.DESCRIPTION),
        ("2024_목차", SheetKind.DESCRIPTION),
        ("Guides", SheetKind.TABLE),
        ("Index prices", SheetKind.TABLE),
        ("Versions sold", SheetKind.TABLE),
        ("Summary by region", SheetKind.TABLE),
        ("Notes received", SheetKind.TABLE),
        ("2024", SheetKind.TABLE),
        ("Q1", SheetKind.TABLE),
    ],
)
def test_description_sheet_is_recognised_by_its_name(name: str, shape: SheetKind, tmp_path: Path) -> None:
    with CalamineReader().open(book(tmp_path, {name: TABLE})) as workbook:
        assert sheet_kind(workbook.sheet(name)) is shape


def test_no_sheet_is_opened_after_a_clear_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, opened, open_sheet = book(tmp_path, {"Data": TABLE, "Other": TABLE}), list[str](), CalamineWorkbookFile.sheet

    def noted(workbook: CalamineWorkbookFile, name: str) -> CalamineOpenSheet:
        opened.append(name)
        return open_sheet(workbook, name)

    monkeypatch.setattr(CalamineWorkbookFile, "sheet", noted)
    assert chosen(path)[0] == "Data"
    assert opened == ["Data"]
