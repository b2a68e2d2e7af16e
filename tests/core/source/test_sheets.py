"""Which sheet is meant, by name, by number or by nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tui_importer.core.model.plan import Source
from tui_importer.core.source.reader import SheetInfo
from tui_importer.core.source.sheets import choose_sheet, open_sheet
from tui_importer.errors import SourceError

PATH = Path("x.xlsx")
SHEETS = [SheetInfo("Notes", hidden=True), SheetInfo("Orders"), SheetInfo("2024")]


class FakeWorkbook:
    """Notes what is opened of it, and whether it was closed."""

    sheets = SHEETS

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.closed = False

    def sheet(self, name: str) -> Any:
        self.opened.append(name)
        return name

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (None, "Orders"),
        ("orders", "Orders"),
        ("NOTES", "Notes"),
        (1, "Notes"),
        (3, "2024"),
        (2024, "2024"),
        ("2024", "2024"),
    ],
)
def test_sheet_is_chosen_by_name_or_number(wanted: str | int | None, name: str) -> None:
    assert choose_sheet(SHEETS, wanted, PATH) == name


def test_first_sheet_is_chosen_if_all_are_hidden() -> None:
    assert choose_sheet([SheetInfo("a", hidden=True), SheetInfo("b", hidden=True)], None, PATH) == "a"


@pytest.mark.parametrize("wanted", ["Order", 0, 4, -1])
def test_error_about_a_missing_sheet_lists_the_existing_sheets(wanted: str | int) -> None:
    with pytest.raises(SourceError, match=r"x\.xlsx: there is no sheet .*'Notes', 'Orders', '2024'"):
        choose_sheet(SHEETS, wanted, PATH)


def test_workbook_without_sheets_is_refused() -> None:
    with pytest.raises(SourceError, match="no sheet with cells"):
        choose_sheet([], None, PATH)


def test_list_of_sheets_is_truncated() -> None:
    many = [SheetInfo(f"s{number}") for number in range(30)]
    with pytest.raises(SourceError, match=r"'s19', \.\.\.$"):
        choose_sheet(many, "x", PATH)


def test_workbook_stays_open_with_its_sheet() -> None:
    book: Any = FakeWorkbook()
    opened: Any = open_sheet(PATH, book, Source(file="x.xlsx", sheet="orders"))
    assert opened == ("Orders", None)
    assert (book.opened, book.closed) == (["Orders"], False)


def test_workbook_is_closed_if_its_sheet_cannot_be_opened() -> None:
    book: Any = FakeWorkbook()
    with pytest.raises(SourceError):
        open_sheet(PATH, book, Source(file="x", sheet="nope"))
    assert (book.opened, book.closed) == ([], True)
